"""Black and white from shades of grey. Likelihoods are only comparable under the same one of these; so name it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pgm.errors import ShapeError

from .data import Data


def thresholded(data: Data, column: str = "image", at: float = 0.5) -> Data:
    """Pixels above a threshold are 1, all others 0.

    Example:
        >>> thresholded(Data({"image": torch.tensor([[0.2, 0.7]])}, "grey"))["image"]
        tensor([[0., 1.]])
    """
    return _with(data, column, (shades(data, column) > at).float(), "thresholded")


def static(data: Data, column: str = "image", seed: int = 0) -> Data:
    """Each pixel is drawn once, 1 with the probability that its shade gives.

    The community's static MNIST is one such draw, kept in a file: see `static_mnist`.

    Example:
        >>> static(Data({"image": torch.tensor([[0.0, 1.0]])}, "grey"))["image"]
        tensor([[0., 1.]])
    """
    return _with(data, column, drawn(shades(data, column), torch.Generator().manual_seed(seed)), f"static, seed {seed}")


def dynamic(data: Data, column: str = "image") -> Data:
    """Each pixel is drawn anew every time a row is looked at, 1 with the probability that its shade gives.

    Example:
        >>> grey = dynamic(Data({"image": torch.full((1, 1000), 0.5)}, "grey"))
        >>> generator = torch.Generator().manual_seed(0)
        >>> one, two = (grey.batch(torch.tensor([0]), generator)["image"] for _ in range(2))
        >>> bool((one == two).all())
        False

    Reference: Burda, Grosse and Salakhutdinov (2016), Importance weighted autoencoders.
    """
    changed = _with(data, column, shades(data, column), "dynamic")
    return replace(changed, fresh={**data.fresh, column: drawn})


def drawn(shades: Tensor, generator: torch.Generator) -> Tensor:
    """1 with the probability that the shade gives, else 0."""
    return (torch.rand(shades.shape, generator=generator, device=shades.device) < shades).to(shades)


def shades(data: Data, column: str) -> Tensor:
    """A column of shades from 0 to 1.

    Raises:
        ShapeError: when a number is outside.
    """
    found = data[column]
    if float(found.min()) < 0 or float(found.max()) > 1:
        raise ShapeError(
            f"{data.name}: column {column!r} holds {float(found.min()):g} to {float(found.max()):g}, expected shades "
            "from 0 to 1."
        )
    return found


def _with(data: Data, column: str, values: Tensor, how: str) -> Data:
    return replace(data, columns={**data.columns, column: values}, name=f"{data.name}, {how}")
