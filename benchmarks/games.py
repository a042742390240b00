"""What does a turn of a game cost beside the same turn in a loop written by hand in torch?

    python -m benchmarks.games [--json] [--smoke] [--threads 1] [--device cpu]

A turn is a step of the discriminator and one of the generator, each on a batch, by fused Adam. Ours is `fit` with
`adversarial` as anyone calls it, with its history and monitors; the peer is the shortest loop that plays the same game
with the same networks, measures nothing and draws one batch of rows a turn. The two take turns as in
`benchmarks.training`: `ratio` is our time over the peer's, 1 is even, and `overhead_us` what ours takes beyond it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from benchmarks.training import RATE, STEPS, taking_turns, typical
from deepgen.data.data import arrays
from deepgen.networks import mlp
from deepgen.networks.dcgan import dcgan_discriminator, dcgan_generator
from deepgen.training.phase import adam
from deepgen.zoo.adversarial import Gan, adversarial, gan
from pgm import Real, Variable

BETAS = (0.5, 0.99)


@dataclass(frozen=True, eq=False)
class Case:
    """A game.

    Args:
        name: networks and sizes.
        gan: who plays, without labels.
        latents: numbers that rows are made of.
        batch: rows.
    """

    name: str
    gan: Gan
    latents: int
    batch: int


def cases(smoke: bool) -> Iterator[Case]:
    """Points by dense networks, and digits by convolutional ones."""
    wide, batch = (4, 4) if smoke else (128, 256)
    point, image = Variable("x", Real(2)), Variable("x", Real(8, 8))
    dense = mlp(wide, wide)
    yield Case(f"dense {wide}-{wide}, points", gan(point, 2, generator=dense, discriminator=dense), 2, batch)
    channels, batch = ((4, 8), 4) if smoke else ((32, 64), 64)
    networks: dict[str, Any] = {
        "generator": dcgan_generator(*channels),
        "discriminator": dcgan_discriminator(*channels),
    }
    yield Case(f"DCGAN {channels[0]}-{channels[1]}, 8 x 8", gan(image, 32, **networks), 32, batch)


def by_hand(generator: nn.Module, critic: nn.Module, x: Tensor, case: Case) -> Iterator[None]:
    """The shortest loop there is, a turn at a time."""
    players = generator, critic
    moves, judges = (
        torch.optim.AdamW(each.parameters(), lr=RATE, betas=BETAS, weight_decay=0.0, fused=True) for each in players
    )
    while True:
        for place in torch.randperm(len(x), device=x.device).split(case.batch):
            with torch.no_grad():
                fake = generator(torch.randn(case.batch, case.latents, device=x.device))
            (softplus(-critic(x[place])).mean() + softplus(critic(fake)).mean()).backward()
            judges.step()
            judges.zero_grad()
            critic.requires_grad_(False)
            softplus(-critic(generator(torch.randn(case.batch, case.latents, device=x.device)))).mean().backward()
            moves.step()
            moves.zero_grad()
            critic.requires_grad_(True)
            yield


def measure(case: Case, steps: int, device: torch.device) -> dict[str, Any]:
    """Medians of both, a turn."""
    data = arrays("noise", x=torch.rand(20 * case.batch, *case.gan.x.shape)).to(device)
    generator, critic = (deepcopy(c.net.net).to(device) for c in (case.gan.generator, case.gan.discriminator))
    peer = by_hand(generator, critic, data["x"], case)
    phases = adversarial(case.gan, optimiser=adam(RATE, BETAS))
    both = taking_turns(phases, data, peer, case.batch, steps, device)
    ours, hand = (1e3 * typical(each) for each in both)
    overhead = 1e3 * (ours - hand)
    return {"case": case.name, "ours_ms": ours, "by_hand_ms": hand, "ratio": ours / hand, "overhead_us": overhead}


def main() -> None:
    """Measure and print: a table for people, one JSON object a row for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, a few times: does it run?")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu or cuda")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    for case in cases(options.smoke):
        row = measure(case, 3 if options.smoke else STEPS, torch.device(options.device))
        cells = (f"{v:>20.4g}" if isinstance(v, float) else f"{v:>28}" for v in row.values())
        print(json.dumps(row) if options.json else "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
