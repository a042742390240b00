"""The games that `benchmarks.modes` compares, and the data that they are played on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from deepgen.data.data import Data
from deepgen.data.images import digits, mnist
from deepgen.data.shades import centred
from deepgen.data.stacked import CHANNELS, stacked_digits
from deepgen.data.standardised import spread_of, standardised
from deepgen.data.toys import grid_centres, grid_of_gaussians, ring, ring_centres
from deepgen.errors import DivergenceError
from deepgen.evaluate.features import train_features
from deepgen.evaluate.samples import Modes, modes
from deepgen.networks import Network, minibatch, mlp, octaves, spectral
from deepgen.networks.dcgan import dcgan_discriminator, dcgan_generator
from deepgen.training.fit import fit
from deepgen.training.phase import adam
from deepgen.training.schedules import Schedule, cosine, geometric
from deepgen.zoo.adversarial import (
    Game,
    Unrolled,
    adversarial,
    clamped,
    f_divergence,
    gan,
    gradient_penalty,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    r1,
    wasserstein,
)

POINTS, SAMPLES, STACKED_SAMPLES, AT_ONCE = 100_000, 2500, 26_000, 2000


def leaky() -> nn.Module:
    """What is between the layers of discriminators."""
    return nn.LeakyReLU(0.2)


GENERATOR, CRITIC = mlp(128, 128, 128), mlp(128, 128, 128, activation=leaky)
SPREAD = 3.0  # of points: layers see narrow clusters the sooner the wider they are apart


@dataclass(frozen=True, eq=False)
class Task:
    """Data, and how samples are judged.

    Args:
        name: of the rows.
        data: to learn from.
        judged: what samples have found.
        samples: how many.
        turns, batch: of training.
        latents: numbers that rows are made of.
    """

    name: str
    data: Data
    judged: Callable[[Tensor], Modes]
    samples: int = SAMPLES
    turns: int = 6000
    batch: int = 256
    latents: int = 2


@dataclass(frozen=True, eq=False)
class Play:
    """A game with all that steadies it.

    Args:
        name: of the rows.
        game: what the players pay.
        options: of `adversarial`, besides schedules.
        generator, critic: networks.
        pack: rows that are judged together.
        schedules: further options of `adversarial` that are schedules, of a number of turns.
        share: of the task's turns: half of them, less where a turn is dear, all only where they pay.
    """

    name: str
    game: Game = field(default_factory=non_saturating)
    options: Mapping[str, Any] = field(default_factory=dict)
    generator: Network = GENERATOR
    critic: Network = CRITIC
    pack: int = 1
    schedules: Mapping[str, Callable[[int], Schedule]] = field(default_factory=dict)
    share: float = 0.5

    def turns(self, task: Task) -> int:
        """Turns of training."""
        return max(1, round(self.share * task.turns))


def learned(play: Play, task: Task, seed: int, device: str) -> tuple[Tensor, bool]:
    """Samples of what a game has learned, and whether it diverged, which ends it; then they are of what was good last.

    Rates fall to 0, and the generator is the average of its last states.
    """
    torch.manual_seed(seed)
    turns, x = play.turns(task), task.data.variable(next(iter(task.data.columns)))
    found = gan(x, task.latents, generator=play.generator, discriminator=play.critic, pack=play.pack)
    steps = play.options.get("steps", 1)
    schedules: dict[str, Any] = {name: make(turns) for name, make in play.schedules.items()}
    critic = {"rate": cosine(steps * turns), **play.options.get("critic", {})}
    options = {"optimiser": adam(2e-3, (0.0, 0.9)), "rate": cosine(turns), **play.options, "critic": critic}
    phases = adversarial(found, play.game, **schedules, **options)
    fixed: dict[str, Any] = {"batch": task.batch, "seed": seed, "device": device, "progress": False}
    diverged = False
    try:
        fit(phases, task.data, turns=turns, average=0.995, **fixed)
    except DivergenceError:
        diverged = True
    counts = [min(AT_ONCE, task.samples - begin) for begin in range(0, task.samples, AT_ONCE)]
    return torch.cat([found.sample(count, seed=number).cpu() for number, count in enumerate(counts)]), diverged


def tasks(smoke: bool, device: str) -> Mapping[str, Callable[[], Task]]:
    """Makers of tasks by name."""
    tiny: dict[str, Any] = {"samples": 50, "turns": 2, "batch": 16} if smoke else {}
    return {
        "ring": lambda: points("ring", ring(POINTS), ring_centres(), 0.01, tiny),
        "grid": lambda: points("grid", grid_of_gaussians(POINTS), grid_centres(), 0.05, tiny),
        "stacked": lambda: stacked(smoke, device, tiny),
    }


def points(name: str, data: Data, centres: Tensor, deviation: float, tiny: Mapping[str, Any]) -> Task:
    """Points around centres."""
    centre, deviations = spread_of(data)
    sizes: dict[str, Any] = {"turns": 4000 if name == "ring" else 6000, **tiny}
    wide = Data({"x": SPREAD * standardised(data)["x"]}, data.name)
    return Task(name, wide, lambda x: modes(x / SPREAD * deviations + centre, centres, deviation), **sizes)


def stacked(smoke: bool, device: str, tiny: Mapping[str, Any]) -> Task:
    """Three digits in one image."""
    grey, test = digits().split(1500) if smoke else (mnist("train"), mnist("test"))
    features = train_features(centred(grey), centred(test), steps=20 if smoke else 3000, device=device, progress=False)
    names = torch.eye(1000)

    def judged(images: Tensor) -> Modes:
        read = features.labels(images.flatten(0, 1)).reshape(-1, CHANNELS) @ torch.tensor([100, 10, 1])
        return modes(names[read], names, 1.0)

    data = centred(stacked_digits(grey, 200 if smoke else 128_000))
    sizes: dict[str, Any] = {"samples": STACKED_SAMPLES, "turns": 50_000, "batch": 64, "latents": 100, **tiny}
    return Task("stacked", Data({"image": data["image"]}, data.name), judged, **sizes)


def through_noise(turns: int) -> Schedule:
    """From half the deviation of the data to a hundredth of it, in the first 0.7 of all turns."""
    return geometric(0.5 * SPREAD, 0.01 * SPREAD, max(1, round(0.7 * turns)))


def fading(turns: int) -> Schedule:
    """From 1 to a hundredth in the first 0.9 of all turns."""
    return geometric(1.0, 0.01, max(1, round(0.9 * turns)))


FIVE: dict[str, Any] = {"steps": 5}
PLAYS = (
    Play("minimax", minimax()),
    Play("non-saturating"),
    Play("least squares", least_squares()),
    Play("hinge", hinge()),
    Play("forward KL", f_divergence("forward KL", saturating=False), {"clip": 1.0}),
    Play("reverse KL", f_divergence("reverse KL", saturating=False), {"clip": 1.0}),
    Play("wasserstein, clipped", wasserstein(), {**FIVE, "critic": {"optimiser": clamped(adam(1e-3), 0.1)}}, share=0.2),
    Play(
        "wasserstein, penalty",
        wasserstein(),
        {**FIVE, "penalty": gradient_penalty(10.0), "optimiser": adam(1e-4, (0.0, 0.9))},
        share=0.3,
    ),
    Play("hinge, spectral", hinge(), critic=spectral(CRITIC), share=0.4),
    Play("R1", options={"penalty": r1(0.1)}),
    Play("R1, fading", options={"penalty": r1(0.2)}, schedules={"fade": fading}, share=1.0),
    Play("two rates", options={"critic": {"optimiser": adam(8e-3, (0.0, 0.9))}}),
    Play("replay", options={"replay": 5000}),
    Play("minibatch", critic=minibatch(mlp(128, 128, activation=leaky), mlp(128, activation=leaky)), share=0.1),
    Play("packed by 2", pack=2),
    Play("packed by 4", pack=4),
    Play("unrolled", options={"unrolled": Unrolled(5, 0.1)}, share=0.15),
    Play("noise", schedules={"noise": through_noise}),
    Play("octaves, R1", options={"penalty": r1(0.1)}, critic=octaves(CRITIC, 3)),
)
DCGAN: dict[str, Any] = {
    "generator": dcgan_generator(128, 256),
    "critic": dcgan_discriminator(64, 128),
    "options": {"optimiser": adam(2e-4, (0.5, 0.999))},
    "share": 1.0,
}
STACKED = (Play("dcgan", **DCGAN), Play("dcgan, packed by 2", pack=2, **DCGAN))
