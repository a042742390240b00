"""What do training and sampling cost beside loops written by hand and beside diffusers?

`train`: a step of `fit` (labels given, a tenth of them hidden; squared error of v) beside the shortest loop that does
the same sums with the same network, moved by fused Adam: `ratio` is our time over the peer's, 1 is even, and
`overhead_us` what ours takes beyond it. `ddim_50`: 50 deterministic steps with clipped data beside `DDIMPipeline` of
diffusers, with the same network, from the same noise; `apart` is the largest difference between any two pixels.
`network`: the U-Net forward and backward, in multiplications and additions a second, beside one convolution of its
first channels at full size and batch (`share`).

Digits have 8 x 8 pixels and a U-Net of 32 and 64 channels; points two numbers and three dense layers of 128 units.
Processes have 1,000 cosine steps. The two sides take turns in one process, and times are medians: of processor
time on a CPU, so that other load falls on both alike, and of the clock elsewhere. Without diffusers its rows are left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, one_hot

from benchmarks.device import products
from benchmarks.training import RATE, now, taking_turns, typical
from deepgen.data.data import Data, arrays
from deepgen.networks.timed import timed_mlp
from deepgen.networks.unet import unet
from deepgen.zoo.diffusion import Diffusion, Noise, cosine_noise, denoised, diffusion
from pgm import Real, Variable

STEPS = 1000  # of the process
HIDDEN = 0.1  # share of labels
CPU = torch.device("cpu")
Row = dict[str, object]


@dataclass(frozen=True, eq=False)
class Case:
    """A model, and how it is used.

    Args:
        name: of the data.
        model: digits or points, given labels.
        batch: rows a step of training.
        drawn: rows that are sampled at once.
        train, sample: rounds that count.
    """

    name: str
    model: Diffusion
    batch: int
    drawn: tuple[int, ...]
    train: int
    sample: int

    def data(self) -> Data:
        """Random rows."""
        x = (2 * torch.rand(4 * self.batch, *self.model.x.shape) - 1).round()
        return arrays(self.name, **{self.model.x.name: x, "label": torch.arange(len(x)) % 10})


def cases(smoke: bool = False) -> Iterator[Case]:
    """Digits and points."""
    label, noise = Variable("label", range(10)), cosine_noise(STEPS)
    image, x = Variable("image", Real(8, 8)), Variable("x", Real(2))
    channels, width, images, points = ((4,), 8, 4, 4) if smoke else ((32, 64), 128, 100, 512)
    common = {"label": label, "noise": noise, "predicts": "v", "levels": 3, "dropped": HIDDEN}
    deep = diffusion(image, unet(*channels), **common)
    yield Case("digits", deep, images, (1,) if smoke else (1, 16, 64), 3 if smoke else 20, 1 if smoke else 3)
    flat = diffusion(x, timed_mlp(width, width, width), **common)
    yield Case("points", flat, points, (4,) if smoke else (512,), 3 if smoke else 300, 1 if smoke else 11)


def by_hand(net: nn.Module, noise: Noise, x: Tensor, told: Tensor, steps: Tensor) -> Tensor:
    """The squared error of v at some steps."""
    kept = noise.kept[steps].float().reshape(-1, *[1] * (x.dim() - 1))
    signal, spread = kept.sqrt(), (1 - kept).sqrt()
    told = told * (torch.rand(len(told), device=told.device) >= HIDDEN).unsqueeze(1)
    draw = torch.randn_like(x)
    said = net(signal * x + spread * draw, steps.unsqueeze(1) / noise.steps, told)
    return mse_loss(said, signal * draw - spread * x)


def loop(net: nn.Module, noise: Noise, x: Tensor, label: Tensor, batch: int) -> Iterator[None]:
    """The shortest loop there is, a step at a time."""
    adam = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    while True:
        for rows in torch.randperm(len(x), device=x.device).split(batch):
            steps = torch.randint(1, noise.steps + 1, (len(rows),), device=x.device)
            by_hand(net, noise, x[rows], one_hot(label[rows], 10).float(), steps).backward()
            adam.step()
            adam.zero_grad()
            yield


def trained(case: Case, device: torch.device) -> Row:
    """A step of both."""
    data, model = case.data().to(device), case.model
    net = deepcopy(model.denoiser.net).to(device)
    peer = loop(net, model.noise.to(device), data[model.x.name], data["label"], case.batch)
    phase = denoised(model)
    times = taking_turns([phase], data, peer, case.batch, case.train, device)
    return beside(f"train {case.name}", case.batch, *times)


def sampled(case: Case, rows: int, device: torch.device) -> Row:
    """50 steps of both."""
    model, peer = case.model, pipeline(case.model)
    model.denoiser.to(device).eval()
    given = {"label": torch.arange(rows, device=device) % 10}
    ours, theirs, pairs = list[float](), list[float](), list[Tensor]()
    for number in range(case.sample + 1):
        begin = now(device)
        one = model.sample(rows, given, steps=50, eta=0.0, seed=number, progress=False)
        between = now(device)
        with torch.random.fork_rng():
            torch.manual_seed(number)
            other = peer(
                batch_size=rows, num_inference_steps=50, output_type="pt", use_clipped_model_output=True
            ).images
        ours.append(between - begin)
        theirs.append(now(device) - between)
        pairs.append((one.clamp(-1, 1) - (2 * other - 1).reshape(one.shape)).abs().max())
    row = beside(f"ddim_50 {case.name}", rows, ours[1:], theirs[1:])
    return row | {"apart": torch.stack(pairs).max().item()}


class Adapter(nn.Module):
    """A network as pipelines of diffusers want it: it counts steps from 0, and every row is an image."""

    dtype = torch.float32

    def __init__(self, model: Diffusion) -> None:
        super().__init__()
        self.net, self.shape = model.denoiser.net, model.x.shape
        self.config = SimpleNamespace(in_channels=1, sample_size=self.shape if len(self.shape) > 1 else (1, 2))

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def forward(self, image: Tensor, step: Tensor) -> SimpleNamespace:
        rows = len(image)
        time = ((step + 1) / STEPS).to(image).expand(rows, 1)
        label = one_hot(torch.arange(rows, device=image.device) % 10, 10).float()
        return SimpleNamespace(sample=self.net(image.reshape(rows, *self.shape), time, label).reshape(image.shape))


def pipeline(model: Diffusion) -> Callable[..., SimpleNamespace]:
    """The sampler of diffusers, with the network of a model."""
    from diffusers import DDIMPipeline, DDIMScheduler

    scheduler = DDIMScheduler(
        num_train_timesteps=STEPS,
        trained_betas=model.noise.beta[1:].cpu().numpy(),
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=True,
    )
    made = DDIMPipeline(Adapter(model), scheduler)
    made.set_progress_bar_config(disable=True)
    return made


def worked(case: Case, device: torch.device) -> Row:
    """Sums a second of the network forward and backward, and of one convolution."""
    net = case.model.denoiser.net.to(device).train()
    first = next(each for each in net.modules() if isinstance(each, nn.Conv2d) and each.in_channels > 1)
    rates = []
    shape, told = (case.batch, *case.model.x.shape), torch.zeros(case.batch, 10, device=device)
    x, wide = torch.randn(shape, device=device), torch.randn(case.batch, first.in_channels, *shape[1:], device=device)
    time = torch.rand(case.batch, 1, device=device)
    for run in (lambda: net(x, time, told).sum().backward(), lambda: first(wide.requires_grad_()).sum().backward()):
        seconds = list[float]()
        for _ in range(case.train // 3 + 1):
            begin = now(device)
            run()
            seconds.append(now(device) - begin)
        rates.append(products(run) / typical(seconds) / 1e9)
    name, (whole, one) = f"network {case.name}", rates
    return {"name": name, "rows": case.batch, "gflop_per_s": whole, "conv_gflop_per_s": one, "share": whole / one}


def beside(name: str, rows: int, ours: list[float], theirs: list[float]) -> Row:
    """Medians of both."""
    one, other = (1e3 * typical(each) for each in (ours, theirs))
    found = {"ours_ms": one, "peer_ms": other, "ratio": one / other, "overhead_us": 1e3 * (one - other)}
    return {"name": name, "rows": rows} | found


def rows(smoke: bool, device: torch.device = CPU) -> Iterator[Row]:
    """Training, sampling, and what of it is the network."""
    torch.manual_seed(0)
    digits, points = cases(smoke)
    for case in (digits, points):
        yield trained(case, device)
    for case in (digits, points) if find_spec("diffusers") else ():
        for drawn in case.drawn:
            yield sampled(case, drawn, device)
    yield worked(digits, device)
