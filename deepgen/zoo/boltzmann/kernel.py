"""Block Gibbs sampling as a kernel of Pyro's MCMC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from torch import Tensor

from .evidence import begun, free
from .gibbs import sweep
from .machine import Machine


class BlockGibbs(MCMCKernel):
    """A kernel for `pyro.infer.mcmc.MCMC`: one sample is one sweep over all layers that are not known.

    Samples are of layers by name, `[*event]` each, as the sites of `as_pyro(machine.model)`; states of finite
    variables are numbers too, in floating point. Pyro's chains are processes of their own; `equilibrium` and
    `machine.sample` run many side by side in one.

    Args:
        machine: whose distribution is sampled.
        known: values `[*event]` by name, with NaN (of states -1) where they are to be drawn.

    Raises:
        EvidenceError: on values that a layer cannot have, or none of a layer that is always given.

    Example:
        >>> from pyro.infer import MCMC
        >>> from pgm import Binary, Variable
        >>> from deepgen.zoo.boltzmann import boltzmann_machine
        >>> machine = boltzmann_machine(Variable("v", Binary(3)), 2)
        >>> mcmc = MCMC(BlockGibbs(machine), num_samples=5, warmup_steps=2, disable_progbar=True)
        >>> mcmc.run()
        >>> {name: draws.shape for name, draws in mcmc.get_samples().items()}
        {'h': torch.Size([5, 2]), 'v': torch.Size([5, 3])}

    Reference: Geman and Geman (1984), Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of
    images; Bingham et al. (2019), Pyro: deep universal probabilistic programming.
    """

    transforms: ClassVar[dict[str, object]] = {}  # samples are what they are, as Pyro asks

    def __init__(self, machine: Machine, known: Mapping[str, Tensor] | None = None) -> None:
        self.machine, self.known = machine, known or {}
        self._state, self._fixed = begun(machine, 1, self.known)
        self._free = free(machine, self._fixed)

    @property
    def initial_params(self) -> dict[str, Tensor]:
        return self._values(self._state)

    @initial_params.setter
    def initial_params(self, params: Mapping[str, Tensor]) -> None:
        self._state = self._moved(params)

    def cleanup(self) -> None:
        """The next chain starts elsewhere."""
        self._state, _ = begun(self.machine, 1, self.known)

    def sample(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The layers after one more sweep, `[*event]` by name."""
        self._state = sweep(self.machine, self._moved(params), self._free, self._fixed)
        return self._values(self._state)

    def logging(self) -> dict[str, Any]:
        """What Pyro's bar shows."""
        return {"energy": f"{-self.machine.score(self._state).item():.4g}"}

    def _moved(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state with these values, except where they are known."""
        found = self.machine.state({name: params[name].unsqueeze(0) for name in self._free})
        kept = {name: self._fixed.get(name, torch.zeros_like(x, dtype=torch.bool)) for name, x in found.items()}
        return {**self._state, **{name: torch.where(kept[name], self._state[name], x) for name, x in found.items()}}

    def _values(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = self.machine.values({name: state[name] for name in self._free})
        return {name: x.squeeze(0).to(self._state[name]) for name, x in found.items()}
