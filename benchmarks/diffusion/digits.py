"""What a small diffusion model of digits can do after some minutes on one core, judged by a classifier.

The model is that of `deepgen train diffusion --data digits --labels`, all settings as they are by default; the tables
say for how many epochs, and what they cost in CPU seconds. All digits have 8 x 8 pixels; 1,500 are learned from, 297
are held out. The judge is a support vector machine, SVC(C=10), that has seen the same 1,500; `right` is the share of
images of which it says what they should show. Its first table is the judge on held-out digits as they are.

- learned: what more training gives, samples of 20 deterministic steps without guidance and with a guidance of 1.
- samples: guidance, steps and eta; precision, recall and coverage of pixels beside held-out digits, k = 5; `nearest` is
  the mean distance to the nearest digit learned from, which for held-out digits is in the first table.
- filled: parts of held-out digits are hidden and filled in, with their label given or not; each step is taken
  `repeats` times. `error` is the root mean square error of what was filled in, shades going from -1 to 1; `seen` what
  a judge gets right who has only ever seen the pixels that are known.
- edited: digits in seven segments become handwritten, with a strength; `moved` is the root mean square distance to
  the segments, `precision` the share of results within reach of held-out digits.
- upsampled: held-out digits of 4 x 4 pixels become 8 x 8; `off` is the root mean square error of the results' 4 x 4
  pixels, `spread` the mean deviation of a pixel among several results for one digit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from sklearn.svm import SVC
from torch import Tensor

from deepgen import Data, centred, denoised, fit, pooled, seven_segments
from deepgen.evaluate.samples import coverage, nearest
from deepgen.recipes.diffusion import Diffusion as Recipe
from deepgen.zoo.diffusion import Diffusion

Row = dict[str, object]
RECIPE = Recipe(labels=True)
UPSAMPLED = Recipe(coarse=2)
TINY: dict[str, Any] = {"epochs": 0.1, "hidden": (8,)}
THIRDS = 1 / 3, 2 / 3, 1.0
WAYS = (
    (0.0, 20, 0.0), (0.0, 50, 1.0), (0.0, 200, 1.0), (0.5, 20, 0.0), (1.0, 10, 0.0), (1.0, 20, 0.0), (1.0, 50, 1.0),
    (2.0, 20, 0.0),
)  # fmt: skip
STRENGTHS = 0.2, 0.4, 0.6, 0.8, 1.0
EVERY = 8  # fine images for each coarse one


@dataclass(frozen=True, eq=False)
class Judge:
    """A classifier of real digits, and the digits."""

    train: Data
    test: Data
    machine: SVC

    def right(self, images: Tensor, labels: Tensor) -> float:
        """The share of images `[n, 8, 8]` that show what they should, `[n]`."""
        return float(self.machine.score(images.flatten(1).numpy(), labels.numpy()))

    def of_part(self, known: Tensor) -> float:
        """What another one gets right of held-out digits, who has only ever seen the pixels that are True, `[8, 8]`."""
        learned, asked = (data["image"][:, known].numpy() for data in (self.train, self.test))
        other = SVC(C=10).fit(learned, self.train["label"].numpy())
        return float(other.score(asked, self.test["label"].numpy()))


def rows(smoke: bool = False) -> Iterator[Row]:
    """All tables, one after another."""
    train, test = RECIPE.load("train"), RECIPE.load("test")
    judge = Judge(train, test, SVC(C=10).fit(train["image"].flatten(1).numpy(), train["label"].numpy()))
    apart = nearest(test["image"], train["image"])[1].mean().item()
    yield {"name": "judge", "digits": len(test), "right": judge.right(test["image"], test["label"]), "nearest": apart}
    n = 20 if smoke else 500
    for third in THIRDS[-1:] if smoke else THIRDS:
        model, told = learned(replace(RECIPE, **({"epochs": third * RECIPE.epochs} | (TINY if smoke else {}))), train)
        yield told | {f"right_{g}": judge.right(*asked(model, n, float(g), 20, 0.0)) for g in (0, 1)}
    yield from sampled(model, judge, n, WAYS[:1] if smoke else WAYS)
    yield from filled(model, judge, smoke)
    yield from edited(model, judge, 1 if smoke else 20)
    yield from upsampled(judge, smoke)


def learned(recipe: Recipe, data: Data) -> tuple[Diffusion, Row]:
    """A model that has learned, and what that took."""
    torch.manual_seed(recipe.seed)
    model, began = recipe.model(data), time.process_time()
    phase = denoised(model, recipe.goal, **recipe.options(data))
    turns, average = recipe.steps(data), recipe.average
    fit(phase, data, turns=turns, batch=recipe.batch, average=average, device="cpu", progress=False)
    seconds = time.process_time() - began
    return model, {
        "name": "learned", "epochs": recipe.epochs, "steps": turns, "batch": recipe.batch,
        "weights": sum(each.numel() for each in model.denoiser.parameters()),
        "cpu_s": seconds,
    }  # fmt: skip


def asked(model: Diffusion, n: int, guidance: float, steps: int, eta: float) -> tuple[Tensor, Tensor]:
    """Samples of all labels by turns, and the labels."""
    labels = torch.arange(n) % 10
    given = {"label": labels}
    return model.sample(n, given, steps=steps, guidance=guidance, eta=eta, seed=1, progress=False), labels


def sampled(model: Diffusion, judge: Judge, n: int, ways: tuple[tuple[float, int, float], ...]) -> Iterator[Row]:
    """Samples for labels, guided or not, in few steps or many."""
    for guidance, steps, eta in ways:
        images, labels = asked(model, n, guidance, steps, eta)
        found, apart = coverage(images, judge.test["image"]), nearest(images, judge.train["image"])[1]
        yield {
            "name": "samples", "guidance": guidance, "steps": steps, "eta": eta, "right": judge.right(images, labels),
            "precision": found.precision, "recall": found.recall, "coverage": found.coverage,
            "nearest": apart.mean().item(),
        }  # fmt: skip


def masks() -> dict[str, Tensor]:
    """What is known of a digit, 1 where it is: all around a hole, the upper half, or the middle."""
    hole, half = torch.ones(8, 8), torch.ones(8, 8)
    hole[2:6, 2:6] = 0
    half[4:] = 0
    return {"hole": hole, "half": half, "crop": 1 - hole}


def filled(model: Diffusion, judge: Judge, smoke: bool) -> Iterator[Row]:
    """Hidden parts of held-out digits; a guidance of -1 forgets the label."""
    test = judge.test.rows(slice(10)) if smoke else judge.test
    truth, given = test["image"], {"label": test["label"]}
    fill = partial(model.sample, len(test), given, known=truth, steps=2 if smoke else 20, seed=1, progress=False)
    for part, mask in masks().items():
        seen = judge.of_part(mask.bool())
        for label, repeats in ((True, 1), (True, 5), (False, 1), (False, 5), (False, 20)):
            images = fill(mask=mask, repeats=repeats, guidance=0.0 if label else -1.0)
            wrong = (images - truth)[:, mask == 0].square().mean().sqrt().item()
            right = judge.right(images, test["label"])
            yield {"name": part, "label": label, "repeats": repeats, "right": right, "error": wrong, "seen": seen}


def edited(model: Diffusion, judge: Judge, times: int) -> Iterator[Row]:
    """Digits in seven segments with more and more strength."""
    labels = torch.arange(10).repeat(times)
    start = centred(seven_segments())["image"].repeat(times, 1, 1)
    edit = partial(
        model.sample, len(start), {"label": labels}, start=start, guidance=1.0, steps=50, seed=1, progress=False
    )
    for strength in STRENGTHS:
        images = edit(strength=strength)
        yield {
            "name": "edited", "strength": strength, "right": judge.right(images, labels),
            "moved": (images - start).square().mean().sqrt().item(),
            "precision": coverage(images, judge.test["image"]).precision,
        }  # fmt: skip


def upsampled(judge: Judge, smoke: bool) -> Iterator[Row]:
    """Several fine images for each coarse one."""
    recipe = replace(UPSAMPLED, **(TINY if smoke else {}))
    train, test = recipe.load("train"), recipe.load("test")
    model, told = learned(recipe, train)
    yield told | {"name": "upsampled"}
    test = test.rows(slice(3)) if smoke else test
    coarse = test["coarse"].repeat(EVERY, 1, 1)
    for guidance in (0.0, 1.0):
        images = model.sample(len(coarse), {"coarse": coarse}, guidance=guidance, steps=20, seed=1, progress=False)
        yield {
            "name": "4x4 to 8x8", "guidance": guidance, "right": judge.right(images, test["label"].repeat(EVERY)),
            "off": (pooled(images, 2) - coarse).square().mean().sqrt().item(),
            "spread": images.reshape(EVERY, -1, 64).std(0).mean().item(),
        }  # fmt: skip
