"""The path from a distribution that can be drawn from to the posterior, and Hamiltonian moves along it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from pgm.domains import Real
from pgm.errors import PlanError
from pgm.model import Model
from pgm.variable import Variable

from ..objectives.bound import computed, log_product

DRAWS = 100  # from which the scale of each number is taken
TARGET, RATE, FIRST = 0.8, 0.2, 0.5  # of moves that are accepted; how fast step sizes follow; the first of them
WILD = 1000.0  # standard deviations of momentum: what is beyond is on its way to infinity, and stays where it was
STEEP = 4.0  # temperatures are even in the logits from -STEEP to STEEP


@dataclass(frozen=True, eq=False)
class Point:
    """Where chains are, and what both ends of the path say of it.

    Args:
        z: all latent numbers side by side, `[chains, rows, numbers]`.
        log_q, log_p: log densities at the start and, not normalised, at the end, `[chains, rows]`.
        slope_q, slope_p: their gradients in z.
    """

    z: Tensor
    log_q: Tensor
    log_p: Tensor
    slope_q: Tensor
    slope_p: Tensor

    def log(self, beta: float) -> Tensor:
        """The log of q^(1 - beta) p^beta, `[chains, rows]`."""
        return (1 - beta) * self.log_q + beta * self.log_p

    def slope(self, beta: float) -> Tensor:
        """Its gradient."""
        return (1 - beta) * self.slope_q + beta * self.slope_p

    def where(self, taken: Tensor, other: Point) -> Point:
        """This one where it was taken, `[chains, rows]`, otherwise the other."""
        wide, mine, theirs = taken[..., None], vars(self).values(), vars(other).values()
        return Point(*(torch.where(wide if a.dim() == 3 else taken, a, b) for a, b in zip(mine, theirs, strict=True)))


class Path:
    """From q(z), a model of the latent variables such as a guide or the prior, to p(z, x) at given x.

    What q computes from x alone is computed once.

    Args:
        model: p(z, x).
        start: q.
        seen: what is observed and given, `[rows, *event]` by name.

    Raises:
        PlanError: when a latent variable is not of real numbers.
    """

    def __init__(self, model: Model, start: Model, seen: Mapping[str, Tensor]) -> None:
        self.model, self.start, self.known = model, start, dict(seen)
        self.rows = len(next(iter(seen.values())))
        self.order = [name for name in start.graph.topological if name not in seen]
        self.latents = [start[name] for name in self.order if not computed(start.conditionals[name])]
        for variable in self.latents:
            _require_real(variable)
        self.made: dict[str, Distribution] = {}
        for name in self.order:
            conditional = start.conditionals[name]
            if all(v.name in self.known for v in conditional.given):
                given = [self.known[v.name] for v in conditional.given]
                if computed(conditional):
                    self.known[name] = conditional.draw(*given)
                else:
                    self.made[name] = conditional.distribution(*given)

    def draw(self, chains: int) -> Tensor:
        """Draws from the start, `[chains, rows, numbers]`."""
        values, shape = dict(self.known), Size([chains, self.rows])
        for name, made in self._walked(values):
            values[name] = made.expand(shape).sample()
        return self.joined(values)

    def joined(self, values: Mapping[str, Tensor]) -> Tensor:
        """Latent variables side by side."""
        parts = ((values[v.name], len(v.shape)) for v in self.latents)
        return torch.cat([value.reshape(*value.shape[: value.dim() - event], -1) for value, event in parts], -1)

    def at(self, z: Tensor) -> Point:
        """Both densities at z, with slopes."""
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            sizes = [Size(v.shape).numel() for v in self.latents]
            split = zip(self.latents, leaf.split(sizes, -1), strict=True)
            values = self.known | {v.name: part.reshape(*z.shape[:-1], *v.shape) for v, part in split}
            log_q: Tensor = torch.zeros(())
            for name, made in self._walked(values):
                log_q = log_q + made.log_prob(values[name])
            log_p = log_product(self.model, values, z.shape[:-1], "annealed")
            (slope_q,) = torch.autograd.grad(log_q.sum(), leaf, retain_graph=True)
            (slope_p,) = torch.autograd.grad(log_p.sum(), leaf)
        return Point(z.detach(), log_q.detach().double(), log_p.detach().double(), slope_q, slope_p)

    def _walked(self, values: dict[str, Tensor]) -> Iterator[tuple[str, Distribution]]:
        """The distribution of each latent variable at the start, parents first; computes what is computed."""
        for name in self.order:
            conditional = self.start.conditionals[name]
            if name in self.made:
                yield name, self.made[name]
            elif name not in self.known:
                given = [values[v.name] for v in conditional.given]
                if computed(conditional):
                    values[name] = conditional.draw(*given)
                else:
                    yield name, conditional.distribution(*given)


@dataclass(frozen=True, eq=False)
class Moves:
    """Moves that leave each step of a path as it is, with sizes that do not depend on the chains they move.

    Args:
        betas: from 0 to 1.
        sizes: of the steps at each of these, in standard deviations of the start, `[betas, rows]`.
        scale: those, `[rows, numbers]`.
        leapfrog: steps a move.
    """

    betas: tuple[float, ...]
    sizes: Tensor
    scale: Tensor
    leapfrog: int

    def move(self, path: Path, point: Point, number: int) -> tuple[Point, Tensor]:
        """Chains after one move at the temperature of that number, and the probability of acceptance of each."""
        return moved(path, point, self.betas[number], self.sizes[number][:, None] * self.scale, self.leapfrog)


def moved(path: Path, point: Point, beta: float, size: Tensor, leapfrog: int) -> tuple[Point, Tensor]:
    """One Hamiltonian move at q^(1 - beta) p^beta, which leaves that distribution as it is.

    Args:
        path, point: what the chains move on, and where they are.
        beta: from 0 to 1.
        size: of a step in each direction at most, `[rows, numbers]`; each move draws one from half of that on.
        leapfrog: steps.

    Reference: Duane, Kennedy, Pendleton and Roweth (1987), Hybrid Monte Carlo; Neal (2011), MCMC using Hamiltonian
    dynamics.
    """
    there, momentum = point, torch.randn_like(point.z)
    size = size * (1 - torch.rand_like(point.z[..., :1]) / 2)  # of one length all paths might end where they began
    before = point.log(beta) - momentum.double().square().sum(-1) / 2
    calm = torch.ones_like(size, dtype=torch.bool)
    for _ in range(leapfrog):
        momentum = momentum + size / 2 * there.slope(beta)
        calm = calm & (momentum.abs() < WILD).all(-1, keepdim=True)  # the same on the way back
        there = path.at(torch.where(calm, there.z + size * momentum, there.z))
        momentum = momentum + size / 2 * there.slope(beta)
    after = there.log(beta) - momentum.double().square().sum(-1) / 2
    chance = (after - before).clamp_max(0).exp().nan_to_num(0.0) * calm[..., 0]
    return there.where(torch.rand_like(chance) < chance, point), chance


def tuned(path: Path, temperatures: int, chains: int, leapfrog: int) -> Moves:
    """Step sizes for each row and temperature, found by chains of their own that then are thrown away.

    Chains whose steps depended on their own past would no longer have weights that are right on average.

    Args:
        path: from the start to the posterior.
        temperatures: how many steps it has.
        chains: how many chains look for sizes.
        leapfrog: steps a move.
    """
    even = torch.linspace(-STEEP, STEEP, temperatures + 1, dtype=torch.float64).sigmoid()
    betas = tuple(((even - even[0]) / (even[-1] - even[0])).tolist())
    scale = path.draw(DRAWS).std(0).clamp_min(1e-6)
    size = torch.full((path.rows,), FIRST, dtype=scale.dtype, device=scale.device)
    point, sizes = path.at(path.draw(chains)), [size]
    for beta in betas[1:]:
        point, chance = moved(path, point, beta, size[:, None] * scale, leapfrog)
        size = size * (RATE * (chance.mean(0) - TARGET)).exp().to(size)
        sizes.append(size)
    return Moves(betas, torch.stack(sizes), scale, leapfrog)


def walked(path: Path, moves: Moves, z: Tensor, forward: bool) -> tuple[Tensor, Tensor]:
    """Chains along the path, from the start to the posterior or back.

    Args:
        path, moves: and what moves on it.
        z: where chains are: drawn from the start, or from the posterior to go back, `[chains, rows, numbers]`.
        forward: which of the two.

    Returns:
        The log weights, log p / q along the way, `[chains, rows]`: forward exp(log weight) is p(x) on average, backward
        exp(-log weight) is 1 / p(x); and the mean probability of acceptance of each row `[rows]`.
    """
    point = path.at(z)
    total, accepted = torch.zeros_like(point.log_p), torch.zeros_like(point.log_p)
    last = len(moves.betas) - 1
    steps = range(last) if forward else range(last - 1, -1, -1)
    for done, step in enumerate(steps, 1):
        total = total + (moves.betas[step + 1] - moves.betas[step]) * (point.log_p - point.log_q)
        if done < last:
            point, chance = moves.move(path, point, step + 1 if forward else step)
            accepted = accepted + chance
    return total, accepted.mean(0) / max(1, last - 1)


def _require_real(variable: Variable) -> None:
    if not isinstance(variable.domain, Real):
        raise PlanError(
            f"annealed: {variable.name!r} is {variable.domain!r}, expected Real: its moves follow slopes. Use "
            "bounds(pair, data, particles=[1000])."
        )
