"""Pyro programs as guides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
import torch
from pyro.poutine import Trace, trace
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from ..errors import PlanError
from ..program.program import as_pyro
from .guides import Draws, Guide
from .question import Question


class ProgramGuide(Guide):
    """A Pyro program whose sample sites are those of `as_pyro`; what it keeps with Pyro lives in a store of its own.

    Args:
        program: the guide; it is run inside one more plate, of draws, outside of its own.
        question: what the guide is for.

    Raises:
        PlanError: when its sites are not the latent variables.
    """

    def __init__(self, program: Callable[..., Any], question: Question) -> None:
        super().__init__()
        self.program, self.question = program, question
        self.unfold = as_pyro(question.model).unfold
        self.store: Any = {"params": {}, "constraints": {}}
        with torch.no_grad():
            self.depth = self._nesting()
            found = set(self.draw(1)[0])
        wanted = {variable.name for variable in question.latent}
        if found != wanted:
            raise PlanError(
                f"{question.subject}: of the model's variables the guide draws {sorted(found)}, expected the numeric "
                f"ones that are not observed, {sorted(wanted)}. Finite ones are summed."
            )

    @property
    def trained(self) -> list[Tensor]:
        parameters = [*self.parameters(), *self.store["params"].values()]
        return list({id(parameter): parameter for parameter in parameters}.values())

    def draw(self, n: int) -> Draws:
        run = self._traced(n)
        run.compute_log_prob()
        sites = {name: site for name, site in run.nodes.items() if site["type"] == "sample"}
        sites = {name: site for name, site in sites.items() if not site_is_subsample(site)}
        log_density = torch.zeros(n, dtype=torch.float64, device=self.question.device)
        for site in sites.values():
            log_density = log_density + site["log_prob"].reshape(n, -1).sum(1)
        values, variables = (
            self.unfold({name: site["value"] for name, site in sites.items() if site["value"] is not None}),
            self.question.unknown,
        )
        return {name: values[name].reshape([n, *variables[name].shape]) for name in values}, log_density

    def _nesting(self) -> int:
        """How many plates the program has around a site at most, as axes."""
        with pyro.get_param_store().scope(self.store):
            nodes = trace(self.program).get_trace().nodes.values()
        frames = [frame for site in nodes for frame in site.get("cond_indep_stack", ())]
        return max((-frame.dim for frame in frames if frame.dim is not None), default=0)

    def _traced(self, n: int) -> Trace:
        """One run of n draws at once."""
        with pyro.get_param_store().scope(self.store), pyro.plate("draws", n, dim=-1 - self.depth):
            return trace(self.program).get_trace()
