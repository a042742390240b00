"""How good are diffusion models of MNIST, by goal, and how well do they use a GPU?

One U-Net (64, 128 and 128 channels), 1,000 cosine steps, 256 shades, for each goal: `simple` predicts the noise,
`bound` predicts v, `hybrid` predicts the noise and learns the variances. Adam at 3e-4 with moving averages of decay
0.9995, 40,000 steps of 256 rows; on a GPU in bfloat16, channels last, compiled.

`bits` is the upper bound of bits per dimension on the test set, of 20 steps a row, with its standard error; `fid` the
Frechet distance of 10,000 samples in 50 steps (the model's own variances) to training data, in the features of a LeNet
(not comparable with Inception's), `fid_data` that of the data themselves. `rows_per_s` are trained on, `drawn_10`,
`drawn_50` and `drawn_1000` are samples a second in so many steps, a thousand at once in float32; `of_peak` is the
share of the highest rate of matrix products on the GPU, measured there and then, that training reached.

MNIST has to lie in the folder that DEEPGEN_DATA names; in the short form digits take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.device import peak, products
from benchmarks.training import now
from deepgen.data.data import Data
from deepgen.data.images import digits, mnist
from deepgen.data.shades import centred
from deepgen.evaluate.features import Features, train_features
from deepgen.evaluate.frechet import frechet
from deepgen.evaluate.halves import halves
from deepgen.networks.unet import unet
from deepgen.recipes.diffusion import likelihood
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, Phase, adam
from deepgen.training.schedules import cosine
from deepgen.zoo.diffusion import Diffusion, cosine_noise, denoised, diffusion
from deepgen.zoo.diffusion.denoiser import Variance
from deepgen.zoo.diffusion.learning import Goal
from deepgen.zoo.diffusion.prediction import Prediction

CPU = torch.device("cpu")
GOALS: tuple[tuple[Goal, Prediction, Variance], ...] = (
    ("simple", "noise", "posterior"),
    ("bound", "v", "posterior"),
    ("hybrid", "noise", "learned"),
)
Row = dict[str, object]


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Args:
        channels: of the U-Net.
        noise: steps of the process.
        steps, batch: of training, and rows a step.
        looks: steps of the bound that are looked at for each row.
        samples, at_once: rows drawn for the distance, and at a time.
        drawn: steps of sampling that are timed.
        features: steps of training for the LeNet.
        precision, compile: of training.
    """

    channels: tuple[int, ...] = (64, 128, 128)
    noise: int = 1000
    steps: int = 40_000
    batch: int = 256
    looks: int = 20
    samples: int = 10_000
    at_once: int = 1000
    drawn: tuple[int, ...] = (10, 50, 1000)
    features: int = 3000
    precision: str = "bf16"
    compile: bool = True


TINY = Sizes((4,), 4, 4, 4, 1, 12, 6, (2, 3), 2, "no", compile=False)


def rows(smoke: bool, device: torch.device = CPU) -> Iterator[Row]:
    """One row a goal."""
    sizes, (test, train) = (TINY, digits().split(12)) if smoke else (Sizes(), (mnist("test"), mnist("train")))
    train, test = centred(train), centred(test)
    features = train_features(train, test, steps=sizes.features, device=device, progress=False)
    for goal, predicts, variance in GOALS:
        torch.manual_seed(0)
        image, levels = train.variable("image"), train["image"].unique().numel()
        network, noise = unet(*sizes.channels), cosine_noise(sizes.noise)
        model = diffusion(image, network, noise=noise, predicts=predicts, variance=variance, levels=levels)
        model.denoiser.to(device, memory_format=torch.channels_last)
        row = {"name": f"MNIST {goal}", **trained(model, goal, train, sizes, device)}
        yield row | judged(model, train, test, features, sizes) | drawn(model, sizes, device)


def trained(model: Diffusion, goal: Goal, data: Data, sizes: Sizes, device: torch.device) -> Row:
    """Train, and say how fast; the first half, where networks are compiled, does not count."""
    rate = cosine(sizes.steps, warm_up=sizes.steps // 40)
    phase, half = denoised(model, goal, optimiser=adam(3e-4), rate=rate, clip=1.0), sizes.steps // 2
    options: dict[str, Any] = {"precision": sizes.precision, "compile": sizes.compile, "average": 0.9995}
    work = operations(phase, data.rows(slice(0, sizes.batch)).to(device)) / sizes.batch if device.type == "cuda" else 0
    fixed = {"turns": 2 * half, "batch": sizes.batch, "device": device, "progress": False}
    seconds = fit(phase, data, record=half, **fixed, **options)["seconds"]
    found = {"steps": 2 * half, "rows_per_s": half * sizes.batch / (seconds[1] - seconds[0])}
    if device.type != "cuda":
        return found
    highest = peak(device, torch.bfloat16 if sizes.precision == "bf16" else torch.float32)
    return found | {"of_peak": work * found["rows_per_s"] / highest}


def operations(phase: Phase, data: Data) -> int:
    """Multiplications and additions of one step on all rows."""
    return products(lambda: phase.objective(dict(data.columns), Moment(1, 0, 0.0))["loss"].mean().backward())


def judged(model: Diffusion, train: Data, test: Data, features: Features, sizes: Sizes) -> Row:
    """How good it is."""
    bits = next(f for f in likelihood(model, test, draws=sizes.looks) if f.name.startswith("bits"))
    samples = torch.cat([draw(model, sizes, 50) for _ in range(sizes.samples // sizes.at_once)])
    seen = halves(samples.cpu(), train["image"]).seen(features)
    fid, own = (frechet(each, seen.one) for each in (seen.samples, seen.other))
    return {"bits": bits.value, "error": bits.error, "fid": fid, "fid_data": own}


def drawn(model: Diffusion, sizes: Sizes, device: torch.device) -> Row:
    """Samples a second; the first draw does not count."""
    draw(model, sizes, sizes.drawn[0])
    return {f"drawn_{n}": sizes.at_once / seconds(lambda n=n: draw(model, sizes, n), device) for n in sizes.drawn}


def draw(model: Diffusion, sizes: Sizes, steps: int) -> torch.Tensor:
    """Samples in so many steps, with the variances of the model."""
    return model.sample(sizes.at_once, steps=min(steps, sizes.noise), progress=False)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """How long a call takes."""
    begin = now(device)
    run()
    return now(device) - begin
