"""Images of any size from a model of small ones."""

from __future__ import annotations

from dataclasses import replace

from pgm.domains import Real
from pgm.variable import Variable

from ...networks.windows import Sides, Windows, widened
from .denoiser import Denoiser
from .model import Diffusion


def panorama(model: Diffusion, sides: Sides, stride: int | Sides) -> Diffusion:
    """A model of wide images that asks a model of small ones about overlapping windows and takes the mean.

    At every step each window's x_0 is that of the small model; x_{t-1} is drawn from their mean, once for all. As x_t
    is shared, the mean of what windows say of the noise, of x_0 or of v is the same thing. All options of sampling work
    as before. The parameters are those of the small model, not copies.

    Args:
        model: of small images.
        sides: height and width of the wide image, in pixels.
        stride: pixels from one window to the next, down and across, or one number for both; less means fewer seams and
            more windows.

    Raises:
        ShapeError: when x is no image, or windows that far apart do not end at the edges, or leave gaps.

    Example:
        >>> import torch
        >>> from deepgen import cosine_noise, diffusion, unet
        >>> small = diffusion(
        ...     Variable("image", Real(8, 8)), unet(8), label=Variable("label", range(3)), noise=cosine_noise(10)
        ... )
        >>> wide = panorama(small, (8, 32), stride=4)
        >>> wide.sample(2, {"label": torch.tensor([0, 1])}, steps=2).shape  # a label for each row
        torch.Size([2, 8, 32])
        >>> wide.sample(1, {"label": torch.tensor([[0, 0, 0, 1, 2, 2, 2]])}, steps=2).shape  # or for each window
        torch.Size([1, 8, 32])

    Reference: Bar-Tal, Yariv, Lipman and Dekel (2023), MultiDiffusion: fusing diffusion paths for controlled image
    generation.
    """
    small, time = model.denoiser, Variable("time", Real(1))
    net = Windows(small.net, [model.x, time, *model.given], sides, stride)
    denoiser = Denoiser(net, small.noise, small.predicts, small.variance).to(small.place.device)
    x, *given = (widened(v, model.x, sides) for v in (model.x, *model.given))
    return replace(model, x=x, denoiser=denoiser, given=tuple(given))
