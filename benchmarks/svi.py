"""What does one training step cost beside the same step written by hand in torch, and beside Pyro's?

    python -m benchmarks.svi [--json] [--smoke] [--threads 1]

A step is forward, backward and Adam on a variational auto-encoder with Bernoulli pixels. Ours: `elbo` of a model and a
guide model with one `torch.optim.Adam`. The peers, in the same process: the same nets in plain torch (`torch_ms`; ratio
is its time over ours, 1 is even); Pyro's `SVI.step` with `pyro.optim.Adam`, and Pyro's differentiable loss with one
Adam, on a program written for Pyro by hand. The steps take turns, and the medians are compared, so that other load on
the machine falls on all alike; `overhead_us` is what ours takes beyond plain torch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, TraceMeanField_ELBO
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import pgm
from deepgen.objectives import elbo

SIZES = {"vae 784-200-200-50": (784, 200, 50, 256), "tiny 8-8-8-2": (8, 8, 2, 4)}  # pixels, hidden, latent, rows
RATE = 1e-3
Step = Callable[[], object]


def perceptron(*sizes: int) -> nn.Sequential:
    """Linear layers with rectifiers between them."""
    layers = [each for a, b in zip(sizes, sizes[1:], strict=False) for each in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def ours(nets: tuple[nn.Module, nn.Module], rows: Tensor, latent: int) -> Step:
    """One step of our bound."""
    encoder, decoder = nets
    z, x = pgm.Variable("z", pgm.Real(latent)), pgm.Variable("x", pgm.Binary(rows.shape[1]))
    prior = pgm.Gaussian(z, torch.zeros(latent), torch.ones(())).requires_grad_(False)
    model = pgm.Model(prior, pgm.Neural(x, [z], pgm.bernoulli, decoder))
    guide = pgm.Model(pgm.Neural(z, [x], pgm.normal, encoder))
    return by_adam(nets, lambda: -elbo(model, guide, {"x": rows}).mean())


def plain(nets: tuple[nn.Module, nn.Module], rows: Tensor, latent: int) -> Step:
    """The same by hand."""
    encoder, decoder = nets

    def loss() -> Tensor:
        mean, log_std = encoder(rows).chunk(2, -1)
        std = log_std.exp()
        logits = decoder(mean + std * torch.randn_like(std))
        divergence = 0.5 * (mean * mean + std * std - 1 - 2 * log_std).sum()
        return (binary_cross_entropy_with_logits(logits, rows, reduction="sum") + divergence) / len(rows)

    return by_adam(nets, loss)


def by_adam(nets: tuple[nn.Module, nn.Module], loss: Callable[[], Tensor]) -> Step:
    """One step of Adam on a loss."""
    adam = torch.optim.Adam([parameter for net in nets for parameter in net.parameters()], lr=RATE)

    def step() -> None:
        adam.zero_grad()
        loss().backward()
        adam.step()

    return step


def written_for_pyro(
    nets: tuple[nn.Module, nn.Module], rows: Tensor, latent: int
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A model and a guide as one writes them for Pyro."""
    encoder, decoder = nets

    def model() -> None:
        pyro.module("decoder", decoder)
        with pyro.plate("rows", len(rows)):
            z = pyro.sample("z", dist.Normal(rows.new_zeros(latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=decoder(z)).to_event(1), obs=rows)

    def guide() -> None:
        pyro.module("encoder", encoder)
        with pyro.plate("rows", len(rows)):
            mean, log_std = encoder(rows).chunk(2, -1)
            pyro.sample("z", dist.Normal(mean, log_std.exp()).to_event(1))

    return model, guide


def pyro_step(nets: tuple[nn.Module, nn.Module], rows: Tensor, latent: int) -> Step:
    """Pyro's own step."""
    return SVI(*written_for_pyro(nets, rows, latent), pyro.optim.Adam({"lr": RATE}), TraceMeanField_ELBO()).step


def pyro_loss(nets: tuple[nn.Module, nn.Module], rows: Tensor, latent: int) -> Step:
    """Pyro's loss with one optimiser for all parameters."""
    programs, bound = written_for_pyro(nets, rows, latent), TraceMeanField_ELBO()
    return by_adam(nets, lambda: bound.differentiable_loss(*programs) / len(rows))


def measure(name: str, times: int) -> dict[str, object]:
    """Medians of the four steps, which take turns."""
    pixels, hidden, latent, rows = SIZES[name]
    data = (torch.rand(rows, pixels) < 0.3).float()
    steps = {}
    for kind, make in {"ours": ours, "torch": plain, "pyro_step": pyro_step, "pyro_loss": pyro_loss}.items():
        nets = perceptron(pixels, hidden, hidden, 2 * latent), perceptron(latent, hidden, hidden, pixels)
        steps[kind] = make(nets, data, latent)
    seconds: dict[str, list[float]] = {kind: [] for kind in steps}
    for _ in range(times + 3):
        for kind, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[kind].append(time.perf_counter() - start)
    medians = {kind: 1e3 * median(each[3:]) for kind, each in seconds.items()}  # the first ones warm up
    row: dict[str, object] = {"network": name, **{f"{kind}_ms": value for kind, value in medians.items()}}
    row["ratio"] = medians["torch"] / medians["ours"]
    row["pyro_ratio"] = medians["pyro_step"] / medians["ours"]
    row["pyro_loss_ratio"] = medians["pyro_loss"] / medians["ours"]
    row["overhead_us"] = 1e3 * (medians["ours"] - medians["torch"])
    return row


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="the tiny one, a few times: does it run?")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    for number, name in enumerate(["tiny 8-8-8-2"] if options.smoke else SIZES):
        row = measure(name, 3 if options.smoke else 200)
        if number == 0 and not options.json:
            print("  ".join(f"{field:>18}" for field in row))
        cells = (f"{v:>18.4g}" if isinstance(v, float) else f"{v!s:>18}" for v in row.values())
        print(json.dumps(row) if options.json else "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
