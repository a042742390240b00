"""What does a step of training cost beside the same step in a loop written by hand in torch?

    python -m benchmarks.training [--json] [--smoke] [--threads 1] [--device cpu] [--precision no] [--compile]

A step takes a batch from data that stay on the device, goes forward and backward, and moves by fused Adam. Ours is
`fit` as anyone calls it, with its history; the peer is the shortest loop that does the same sums with the same
networks. The two take turns, ten steps each, in one process, and medians are compared, so that other load on the
machine falls on both alike: `ratio` is our time over the peer's, 1 is even, and `overhead_us` what ours takes beyond
it.

Each row also says how many rows a second are trained on and sampled; with `--device cuda` also for what share of the
time the GPU was computing (`busy`), and what share of its highest rate of matrix products, measured there and then,
training reached (`of_peak`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import log, pi
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.device import busy, peak, products
from deepgen.conditionals import Standard, neural
from deepgen.data.data import Data, arrays
from deepgen.networks import mlp
from deepgen.objectives import iwae, vimco
from deepgen.pair import Pair
from deepgen.phases import maximised, variational
from deepgen.training.fit import fit
from deepgen.training.phase import Batch, Moment, Phase, Terms
from deepgen.zoo.vae import vae
from pgm import Binary, Model, Neural, Real, Variable

STEPS, ROUND = 200, 10  # steps that count, and those made in a row; the first round warms up
RATE = 1e-3
Nets = dict[str, nn.Module]
Loss = Callable[[Nets, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Case:
    """A model with what trains it, and its loss by hand.

    Args:
        name: family and sizes.
        pair: model and guide.
        phase: makes what trains the pair.
        by_hand: the same loss, of networks by the name of their child, `model.x` or `guide.z`, and of a batch.
        batch: rows.
    """

    name: str
    pair: Pair
    phase: Callable[[Pair], Phase]
    by_hand: Loss
    batch: int

    @property
    def pixels(self) -> int:
        """Numbers a row."""
        return self.pair.observed[0].shape[0]


def cases(smoke: bool = False) -> Iterator[Case]:
    """The families that are measured."""
    pixels, hidden, latent, batch = (8, 8, 2, 4) if smoke else (784, 200, 50, 100)
    sizes = "-".join(map(str, (pixels, hidden, hidden, latent)))
    network = mlp(hidden, hidden, activation=nn.Tanh)
    make = partial(vae, Variable("x", Binary(pixels)), latent, encoder=network, decoder=network)
    yield Case(f"VAE {sizes}", make(), variational, vae_by_hand, batch)
    yield Case(f"IWAE-5 {sizes}", make(), partial(maximised, objective=iwae), iwae_by_hand, batch)
    widths = (4, 2) if smoke else (64, 32, 16, 8, 4)
    name = f"MHVAE-{len(widths)} {'-'.join(map(str, widths))}"
    yield Case(name, deep(pixels, widths), variational, deep_by_hand, batch)
    layers, batch = ((4, 4), 4) if smoke else ((200, 200, 200), 24)
    name = f"SBN {'-'.join(map(str, layers))} VIMCO-5"
    yield Case(name, belief(pixels, layers), partial(maximised, objective=vimco), belief_by_hand, batch)


def deep(pixels: int, widths: tuple[int, ...]) -> Pair:
    """A chain of Gaussian layers, each drawn from the one above; the guide goes up the other way."""
    x, *latents = Variable("x", Binary(pixels)), *(Variable(f"z{n}", Real(w)) for n, w in enumerate(widths, 1))
    network = mlp(64, activation=nn.Tanh)
    down = [neural(below, [above], network) for below, above in zip([x, *latents], latents, strict=False)]
    up = [neural(above, [below], network) for below, above in zip([x, *latents], latents, strict=False)]
    return Pair(Model(Standard(latents[-1]), *down), Model(*up))


def belief(pixels: int, layers: tuple[int, ...]) -> Pair:
    """A chain of layers of bits, each a logistic regression of the one above; the guide goes up the other way."""
    x, *latents = Variable("x", Binary(pixels)), *(Variable(f"z{n}", Binary(w)) for n, w in enumerate(layers, 1))
    down = [neural(below, [above], mlp()) for below, above in zip([x, *latents], latents, strict=False)]
    up = [neural(above, [below], mlp()) for below, above in zip([x, *latents], latents, strict=False)]
    return Pair(Model(neural(latents[-1], [], mlp()), *down), Model(*up))


def nets_of(pair: Pair) -> Nets:
    """The networks alone: `p.x` computes p(x | ...), `q.z` q(z | ...)."""
    found = {}
    for kind, model in (("p", pair.model), ("q", pair.guide)):
        found |= {f"{kind}.{name}": each.net for name, each in model.conditionals.items() if isinstance(each, Neural)}
    return found


def gaussian(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Means and log standard deviations."""
    mean, log_std = numbers.chunk(2, -1)
    return mean, log_std


def drawn(mean: Tensor, log_std: Tensor) -> Tensor:
    """A draw with its gradient."""
    return mean + log_std.exp() * torch.randn_like(mean)


def log_bits(logits: Tensor, bits: Tensor) -> Tensor:
    """log p of rows of bits."""
    return -binary_cross_entropy_with_logits(logits, bits.expand_as(logits), reduction="none").sum(-1)


def log_normal(value: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log p of rows of numbers."""
    return (-0.5 * ((value - mean) / log_std.exp()).square() - log_std - 0.5 * log(2 * pi)).sum(-1)


def vae_by_hand(nets: Nets, x: Tensor) -> Tensor:
    """-ELBO with the divergence in closed form."""
    mean, log_std = gaussian(nets["q.z"](x))
    logits = nets["p.x"](drawn(mean, log_std))
    divergence = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
    return (divergence - log_bits(logits, x)).mean()


def iwae_by_hand(nets: Nets, x: Tensor) -> Tensor:
    """The bound of five draws."""
    mean, log_std = gaussian(nets["q.z"](x))
    noise = torch.randn(5, *mean.shape, device=x.device)
    z = mean + log_std.exp() * noise
    log_w = log_bits(nets["p.x"](z), x) + (-0.5 * z.square() + 0.5 * noise.square() + log_std).sum(-1)
    return (log(5) - log_w.logsumexp(0)).mean()


def deep_by_hand(nets: Nets, x: Tensor) -> Tensor:
    """-ELBO of the chain: in closed form for the lowest layer, whose prior is drawn after it, nothing is known."""
    names = [name.removeprefix("q.") for name in nets if name.startswith("q.")]
    value, below, bound = x, "x", torch.zeros(len(x), device=x.device)
    for name in names:
        mean, log_std = gaussian(nets[f"q.{name}"](value))
        above = drawn(mean, log_std)
        if below == "x":
            bound = bound + log_bits(nets["p.x"](above), x)
        else:
            bound = bound + log_normal(value, *gaussian(nets[f"p.{below}"](above)))
        if name == names[-1]:
            bound = bound - 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
        else:
            bound = bound - log_normal(above, mean, log_std)
        value, below = above, name
    return -bound.mean()


def belief_by_hand(nets: Nets, x: Tensor) -> Tensor:
    """VIMCO with five draws."""
    names = [name.removeprefix("q.") for name in nets if name.startswith("q.")]
    value, below, log_p, log_q = x, "x", torch.zeros((), device=x.device), torch.zeros((), device=x.device)
    for name in names:
        logits = nets[f"q.{name}"](value).expand(5, len(x), -1)
        ones = logits.detach().sigmoid()
        above = (torch.rand_like(ones) < ones).to(ones)  # faster than torch.bernoulli
        log_q = log_q + log_bits(logits, above)
        log_p = log_p + log_bits(nets[f"p.{below}"](above), value)
        value, below = above, name
    log_p = log_p + log_bits(nets[f"p.{below}"]().expand_as(value), value)
    log_w = (log_p - log_q).detach()
    bound = log_w.logsumexp(0) - log(5)
    others = (log_w.sum(0) - log_w) / 4
    own = torch.eye(5, dtype=torch.bool, device=x.device)[:, :, None]
    without = torch.where(own, others.unsqueeze(1), log_w.unsqueeze(0)).logsumexp(1) - log(5)
    shares = log_w.softmax(0)
    return -(shares * (log_p - log_q) + (bound - without) * log_q).sum(0).mean()


def loop(nets: Nets, loss: Loss, rows: Tensor, batch: int) -> Iterator[None]:
    """The shortest loop there is, a step at a time."""
    adam = torch.optim.AdamW(nn.ModuleList(nets.values()).parameters(), lr=RATE, weight_decay=0.0, fused=True)
    while True:
        for place in torch.randperm(len(rows), device=rows.device).split(batch):
            loss(nets, rows[place]).backward()
            adam.step()
            adam.zero_grad()
            yield


def now(device: torch.device) -> float:
    """Seconds: on a CPU those that this process had of it, elsewhere of the clock once the device has done its work."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def typical(seconds: Sequence[float]) -> float:
    """Their median; a nanosecond at least, since the clock of a CPU may stand still on a machine that others share."""
    return max(median(seconds), 1e-9)


def interleaved(case: Case, steps: int, device: torch.device, **options: Any) -> tuple[list[float], list[float]]:
    """Seconds of our steps and of those by hand."""
    data, phase = bits(case, device), case.phase(case.pair)
    nets = {name: deepcopy(net).to(device) for name, net in nets_of(case.pair).items()}
    return taking_turns(
        [phase], data, loop(nets, case.by_hand, data["x"], case.batch), case.batch, steps, device, **options
    )


def taking_turns(
    phases: Sequence[Phase],
    data: Data,
    peer: Iterator[None],
    batch: int,
    steps: int,
    device: torch.device,
    **options: Any,
) -> tuple[list[float], list[float]]:
    """Seconds of turns of `fit` and of another loop: before every tenth of ours ten of the other are made."""
    first, *others = phases
    edges, by_hand = list[tuple[float, float]](), list[float]()

    def objective(batch: Batch, moment: Moment) -> Terms:
        begin = now(device)
        marks = (
            [begin, *(now(device) for _ in zip(range(ROUND), peer, strict=False))]
            if moment.step % ROUND == 0
            else [begin]
        )
        by_hand.extend(after - before for before, after in pairwise(marks))
        edges.append((begin, marks[-1]))
        return first.objective(batch, moment)

    timed = replace(first, objective=objective)
    fit([timed, *others], data, turns=ROUND + steps + 1, batch=batch, device=device, progress=False, **options)
    return [after[0] - before[1] for before, after in pairwise(edges[ROUND:])], by_hand[ROUND:]


def measure(case: Case, steps: int, device: torch.device, **options: Any) -> dict[str, Any]:
    """Medians of both."""
    ours, by_hand = (1e3 * typical(each) for each in interleaved(case, steps, device, **options))
    return {
        "case": case.name,
        "ours_ms": ours,
        "by_hand_ms": by_hand,
        "ratio": ours / by_hand,
        "overhead_us": 1e3 * (ours - by_hand),
    }


def throughput(case: Case, steps: int, device: torch.device, **options: Any) -> dict[str, float]:
    """Rows a second, trained on and sampled, without waiting for the device in between."""
    data = bits(case, device)
    fixed = {"batch": case.batch, "device": device, "progress": False, **options}
    seconds = fit(case.phase(case.pair), data, turns=2 * steps, record=steps, **fixed)["seconds"]
    rows = 100 * case.batch
    case.pair.sample(rows)
    begin = now(device)
    case.pair.sample(rows)
    spent = typical([now(device) - begin])
    return {
        "rows_per_s": steps * case.batch / (seconds[1] - seconds[0]),
        "sampled_per_s": rows / spent,
    }


def use(case: Case, steps: int, device: torch.device, rate: float, **options: Any) -> dict[str, float]:
    """For what share of the time a GPU computed, and what share of its highest rate of matrix products that was."""
    data, phase = bits(case, device), case.phase(case.pair)
    batch, moment = {"x": data["x"][: case.batch]}, Moment(0, 0, 0.0)

    def step() -> None:
        terms = phase.objective(batch, moment)
        first = terms if isinstance(terms, Tensor) else next(iter(terms.values()))
        first.mean().backward()

    work = products(step) * rate / case.batch  # a second
    run = partial(fit, phase, data, turns=steps, batch=case.batch, device=device, progress=False, **options)
    short = options.get("precision") == "bf16"
    return {"busy": busy(run, device), "of_peak": work / peak(device, torch.bfloat16 if short else torch.float32)}


def bits(case: Case, device: torch.device) -> Data:
    """Random bits on the device."""
    return arrays("bits", x=(torch.rand(20 * case.batch, case.pixels) < 0.3).float()).to(device)


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, a few times: does it run?")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu or cuda")
    parser.add_argument("--precision", default="no", choices=["no", "bf16"], help="of matrix products")
    parser.add_argument("--compile", action="store_true", help="compile our networks; those by hand stay as they are")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    steps, device = 3 if options.smoke else STEPS, torch.device(options.device)
    settings = {"precision": options.precision, "compile": options.compile}
    for number, case in enumerate(cases(options.smoke)):
        row = measure(case, steps, device, **settings) | throughput(case, steps, device, **settings)
        if device.type == "cuda":
            row |= use(case, steps, device, row["rows_per_s"], **settings)
        if number == 0 and not options.json:
            print("  ".join(f"{field:>24}" for field in row))
        cells = (f"{v:>24.4g}" if isinstance(v, float) else f"{v!s:>24}" for v in row.values())
        print(json.dumps(row) if options.json else "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
