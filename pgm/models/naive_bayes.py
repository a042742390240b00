"""Naive Bayes: features that are independent given a class."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import BayesianNetwork
from ..variable import Variable
from .emissions import Form, emission, uniform


def naive_bayes(
    label: Variable,
    features: Variable | Sequence[Variable],
    *,
    covariance: Form = "diagonal",
    tied: bool = False,
) -> BayesianNetwork:
    """A class that explains its features, p(label) prod_i p(features_i | label): a classifier by Bayes' rule.

    The domain of a feature says which naive Bayes it is: `Real` Gaussian, `Binary` Bernoulli, `Count` multinomial,
    `Finite` a table. A long vector is one variable, such as `Variable("pixels", Binary(784))`. With
    covariance="full" the numbers of a vector are dependent: quadratic discriminant analysis, linear when tied.

    Args:
        label: the class, with states.
        features: one variable or several.
        covariance: of `Real` vectors given the class: 'diagonal', 'spherical' or 'full'.
        tied: whether all classes share one covariance.

    Returns:
        A model that knows nothing yet; `fit` it to labelled rows.

    Example:
        >>> from pgm import Real, Variable, fit, infer
        >>> sex, size = Variable("sex", ["f", "m"]), Variable("size", Real(2))
        >>> rows = {"sex": ["f", "f", "m", "m"], "size": [[160.0, 60.0], [170.0, 62.0], [175.0, 80.0], [181.0, 74.0]]}
        >>> fitted = fit(naive_bayes(sex, size), rows).model
        >>> round(infer(fitted, ["sex"], given={"size": [172.0, 66.0]})["sex", "m"].item(), 4)
        0.9848

    Reference: Duda and Hart (1973), Pattern Classification and Scene Analysis; Ng and Jordan (2002), On discriminative
    versus generative classifiers.
    """
    listed = [features] if isinstance(features, Variable) else features
    return BayesianNetwork(uniform(label), *(emission(feature, [label], covariance, tied) for feature in listed))
