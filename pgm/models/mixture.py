"""Mixtures: a hidden component that chooses which Gaussian, or anything else, a vector comes from."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..errors import EvidenceError, GraphError
from ..evidence import Given, read_evidence
from ..gaussians import ConditionalLinearGaussian
from ..learn.fit import fit
from ..learn.priors import Priors
from ..model import BayesianNetwork, Model
from ..terms import Numbers
from ..values import read_value
from ..variable import Variable
from .emissions import Form, emission, uniform
from .starts import clusters


def gaussian_mixture(
    component: Variable,
    x: Variable,
    rows: Numbers,
    *,
    covariance: Form = "full",
    tied: bool = False,
    prior: Priors = None,
    seed: int = 0,
) -> Model:
    """A mixture of Gaussians, p(x) = sum_k p(k) N(x; mean_k, covariance_k), where `fit` may start.

    Args:
        component: the hidden choice, with one state a Gaussian.
        x: a `Real` variable, a number or a vector.
        rows: what was seen, `[rows, *event]`, none missing: each component starts as one cluster of k-means, with
            the covariance within clusters.
        covariance: 'full', 'diagonal' or 'spherical'.
        tied: whether all components share one covariance.
        prior: as for `fit`; with one the start has no covariance that is singular.
        seed: of the first centres.

    Raises:
        EvidenceError: when rows are missing, or numbers in them.

    Example:
        >>> import torch
        >>> from pgm import Real, Variable, fit, infer
        >>> k, x = Variable("component", 2), Variable("x", Real(2))
        >>> rows = torch.cat([torch.randn(50, 2), torch.randn(50, 2) + 9.0])
        >>> fitted = fit(gaussian_mixture(k, x, rows), {"x": rows}).model
        >>> fitted.conditionals["component"].table.detach()
        tensor([0.5000, 0.5000], dtype=torch.float64)

    Reference: McLachlan and Peel (2000), Finite Mixture Models.
    """
    seen = complete(x, rows, "gaussian_mixture")
    model = BayesianNetwork(uniform(component), emission(x, [component], covariance, tied))
    chosen = clusters(seen, component.size, Generator().manual_seed(seed))
    return _started(model, {component.name: chosen, x.name: seen}, prior)


def mixture_discriminant(
    label: Variable,
    component: Variable,
    x: Variable,
    data: Given,
    *,
    covariance: Form = "full",
    tied: bool = False,
    prior: Priors = None,
    seed: int = 0,
) -> Model:
    """One mixture a class, p(label) p(component | label) N(x; mean, covariance of both): where `fit` may start.

    Args:
        label: the class, with states.
        component: the hidden choice within a class.
        x: a `Real` variable, a number or a vector.
        data: what was seen of label and x, as for `fit`, none missing: the components of a class start as clusters of
            its rows, with the covariance within clusters.
        covariance: 'full', 'diagonal' or 'spherical'.
        tied: whether one covariance serves all classes and components.
        prior: as for `fit`; with one the start has no covariance that is singular.
        seed: of the first centres.

    Raises:
        EvidenceError: when rows are missing, or numbers in them.

    Example:
        >>> import torch
        >>> from pgm import Real, Variable, infer
        >>> side, part, x = Variable("side", ["out", "in"]), Variable("part", 2), Variable("x", Real())
        >>> rows = {"side": ["out", "in"] * 20, "x": torch.tensor([-5.0, -0.5, 5.0, 0.5] * 10) + torch.randn(40) / 9}
        >>> model = mixture_discriminant(side, part, x, rows, tied=True)
        >>> infer(model, ["side"], given={"x": [-5.2, 0.1]})["side", "out"].round(decimals=3)
        tensor([1., 0.], dtype=torch.float64)

    Reference: Hastie and Tibshirani (1996), Discriminant analysis by Gaussian mixtures.
    """
    model = BayesianNetwork(
        uniform(label), uniform(component, [label]), emission(x, [label, component], covariance, tied)
    )
    seen = complete(x, data[x.name], "mixture_discriminant")
    evidence = read_evidence(model.graph, {label.name: data[label.name]}, None, "mixture_discriminant")
    classes = torch.from_numpy(evidence.hard[model.graph.numbers[label.name]].copy())
    generator, chosen = Generator().manual_seed(seed), torch.zeros_like(classes)
    for state in classes.unique():
        chosen[classes == state] = clusters(seen[classes == state], component.size, generator)
    return _started(model, {label.name: classes, component.name: chosen, x.name: seen}, prior)


def kernel_density(x: Variable, rows: Numbers, bandwidth: float, *, kernel: str = "kernel") -> BayesianNetwork:
    """A Gaussian kernel density estimate, p(x) = mean over rows r of N(x; r, bandwidth^2 I): a mixture that is given.

    `log_evidence` of many rows at once makes a table of rows times kernels; ask some thousands of rows at a time.

    Args:
        x: a `Real` variable, a number or an array.
        rows: where the kernels stand, `[rows, *event]`, none missing.
        bandwidth: the standard deviation of a kernel, in units of x, above 0.
        kernel: the name of the hidden variable that says which row an x is near.

    Raises:
        EvidenceError: when rows are missing, or numbers in them.

    Example:
        >>> from pgm import Real, Variable, log_evidence
        >>> density = kernel_density(Variable("x", Real()), [0.0, 1.0], bandwidth=0.5)
        >>> log_evidence(density, given={"x": [0.5]}).exp().detach()
        tensor([0.4839], dtype=torch.float64)

    Reference: Parzen (1962), On estimation of a probability density function and mode.
    """
    seen = complete(x, rows, "kernel_density")
    near = Variable(kernel, len(seen))
    kernels = ConditionalLinearGaussian(x, [near], None, seen, torch.tensor([bandwidth**2], dtype=torch.float64))
    made: BayesianNetwork = BayesianNetwork(uniform(near), kernels).requires_grad_(False)
    return made


def _started(model: Model, data: Given, prior: Priors) -> Model:
    """The model fitted to complete data, but with one covariance: those of small clusters would be singular."""
    *others, last = model.terms
    if not isinstance(last, ConditionalLinearGaussian):
        raise GraphError(f"{last!r}: {last.scope[-1].name!r} is {last.scope[-1].domain!r}, expected Real.")
    shared = last.covariance[(slice(0, 1),) * len(last.given)]
    tied = ConditionalLinearGaussian(last.child, last.given, None, last.bias, shared)
    *others, found = fit(BayesianNetwork(*others, tied), data, prior=prior).model.terms
    bias, root = found.get_parameter("bias"), found.get_parameter("scale")
    with torch.no_grad():
        last.bias.copy_(bias)
        last.scale.copy_(root)
    return BayesianNetwork(*others, last)


def complete(x: Variable, rows: Numbers, subject: str) -> Tensor:
    """Rows `[rows, *event]` without missing numbers."""
    seen = read_value(x, rows, subject).double()
    if seen.dim() != len(x.shape) + 1 or not len(seen) or bool(seen.isnan().any()):
        expected = ", ".join(map(str, ("rows", *x.shape)))
        raise EvidenceError(f"{subject}: rows have shape {tuple(seen.shape)}, expected [{expected}], none missing.")
    return seen
