"""Deep convolutional generators and discriminators of images: strided convolutions, norms, labels where they help."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, prod

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from pgm.errors import ShapeError
from pgm.variable import Variable

from .attention import Attention
from .convolutional import image
from .network import Network, as_rows, columns
from .norms import ConditionalNorm, Norm, normalisation

DEVIATION, LEAK = 0.02, 0.2  # of weights at first; slope of discriminators' units below 0


def dcgan_generator(*channels: int, norm: Norm = "batch", attention: int = 0) -> Network:
    """Makes generators of images, with shades from -1 to 1, from vectors and labels.

    The first layer sees all parents at once; each further one, a transposed convolution, doubles the sides. Norms come
    after all but the last, which is a tanh; labels choose their scales and shifts.

    Args:
        channels: at half of the full size, at a quarter of it, and so on.
        norm: 'batch', 'layer', 'instance' or 'none'.
        attention: the longest side of sizes at which every pixel looks at all others; 0 for none.

    Raises:
        ShapeError: when sides cannot be halved so often, or a parent is an image.

    Example:
        >>> from pgm import Real
        >>> z, label = Variable("z", Real(16)), Variable("label", range(10))
        >>> dcgan_generator(32, 64)([z, label], [3, 28, 28])(torch.zeros(5, 16), torch.eye(10)[:5]).shape
        torch.Size([5, 3, 28, 28])

    Reference: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional
    generative adversarial networks; Miyato and Koyama (2018), cGANs with projection discriminator, for labels; Zhang,
    Goodfellow, Metaxas and Odena (2019), Self-attention generative adversarial networks.
    """
    return lambda given, shape: DcganGenerator(given, shape, channels, norm, attention)


def dcgan_discriminator(*channels: int, norm: Norm = "batch", attention: int = 0) -> Network:
    """Makes discriminators of images: strided convolutions, and one score a row, psi(features) + <label, features>.

    Labels are projections: each has a direction of its own in the last features. Further images are joined as channels,
    and vectors as channels that are the same everywhere.

    Args:
        channels: at half of the full size, at a quarter of it, and so on.
        norm: 'batch', 'layer', 'instance' or 'none', after all layers but the first; under a penalty any but 'batch'.
        attention: the longest side of sizes at which every pixel looks at all others; 0 for none.

    Raises:
        ShapeError: when no parent is an image, or sides cannot be halved so often, or more than a score is asked for.

    Example:
        >>> from pgm import Real
        >>> x, label = Variable("image", Real(8, 8)), Variable("label", range(10))
        >>> dcgan_discriminator(32, 64)([x, label], [])(torch.zeros(5, 8, 8), torch.eye(10)[:5]).shape
        torch.Size([5])

    Reference: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional
    generative adversarial networks; Miyato and Koyama (2018), cGANs with projection discriminator.
    """

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        coarse = _coarse("dcgan_discriminator", _size("dcgan_discriminator", given), channels)
        if tuple(shape):
            raise ShapeError(f"dcgan_discriminator: scores have shape {tuple(shape)}, expected () a row; use patchgan.")
        features = channels[-1] * prod(coarse)
        head = Projection(nn.Sequential(nn.Flatten(), nn.Linear(features, 1)), features, _states(given))
        return DcganDiscriminator(given, channels, norm, attention, nn.Flatten(), head)

    return make


def patchgan(*channels: int, norm: Norm = "batch", attention: int = 0) -> Network:
    """Makes discriminators with a score for each part of an image: that with k numbers of channels sees 5 * 2^k - 2
    pixels across, and scores are 2^k pixels apart.

    Args:
        channels: at half of the full size, at a quarter of it, and so on.
        norm, attention: as for `dcgan_discriminator`; with attention a score sees all.

    Raises:
        ShapeError: as `dcgan_discriminator`, or when `patches` of the discriminator is not the size of the scores.

    Example:
        >>> from pgm import Real
        >>> patchgan(32)([Variable("image", Real(8, 8))], [4, 4])(torch.zeros(5, 8, 8)).shape
        torch.Size([5, 4, 4])

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks.
    """

    def make(given: Sequence[Variable], shape: Sequence[int]) -> nn.Module:
        size = _size("patchgan", given)
        coarse = _coarse("patchgan", size, channels)
        if tuple(shape) != coarse:
            raise ShapeError(f"patchgan: patches is {tuple(shape)}, expected {coarse} for images of {size}.")
        head = Projection(nn.Conv2d(channels[-1], 1, 3, padding=1), channels[-1], _states(given))
        return DcganDiscriminator(given, channels, norm, attention, nn.Identity(), head)

    return make


class DcganGenerator(nn.Module):
    """What `dcgan_generator` makes.

    Args:
        given: parents.
        shape: of the image, `[height, width]` or `[channels, height, width]`.
        channels, norm, attention: as for `dcgan_generator`.
    """

    def __init__(
        self, given: Sequence[Variable], shape: Sequence[int], channels: Sequence[int], norm: Norm, attention: int
    ) -> None:
        super().__init__()
        _require_vectors(given, shape)
        self.given, self.shape = tuple(given), tuple(shape)
        coarse, told = _coarse("dcgan_generator", self.shape[-2:], channels), _states(given)
        widths = [*reversed(channels), prod(shape[:-2])]
        self.first = nn.ConvTranspose2d(columns(given), widths[0], coarse, bias=False)
        self.stages = nn.ModuleList(
            _Doubled(before, after, norm, told, look=max(coarse) * 2**level <= attention)
            for level, (before, after) in enumerate(zip(widths, widths[1:], strict=False))
        )
        self.apply(_begin)

    def forward(self, *values: Tensor) -> Tensor:
        """One tensor a parent to images, `[*batch, *shape]`."""
        batch, rows = as_rows(values, self.given)
        x: Tensor = self.first(torch.cat([each.reshape(len(each), -1) for each in rows], 1)[..., None, None])
        told = _told(rows, self.given)
        for stage in self.stages:
            x = stage(x, told)
        return x.tanh().reshape(*batch, *self.shape)


class _Doubled(nn.Module):
    """A norm, chosen by labels where there are any, and a convolution to twice the sides."""

    def __init__(self, before: int, after: int, norm: Norm, told: int, look: bool) -> None:
        super().__init__()
        self.norm = ConditionalNorm(norm, before, told) if told else normalisation(norm, before)
        self.rest = nn.Sequential(
            nn.ReLU(), *[Gated(Attention(before))] * look, nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
        )

    def forward(self, x: Tensor, told: Tensor | None) -> Tensor:
        found: Tensor = self.rest(self.norm(x) if told is None else self.norm(x, told))
        return found


class DcganDiscriminator(nn.Module):
    """What `dcgan_discriminator` and `patchgan` make.

    Args:
        given: parents, an image or more among them.
        channels, norm, attention: as for `dcgan_discriminator`.
        last: what becomes of the features before the head sees them.
        head: scores of features and labels.
    """

    def __init__(
        self,
        given: Sequence[Variable],
        channels: Sequence[int],
        norm: Norm,
        attention: int,
        last: nn.Module,
        head: Projection,
    ) -> None:
        super().__init__()
        self.given, self.size = tuple(given), _size("dcgan_discriminator", given)
        seen = sum(prod(v.shape[:-2]) if image(v) else prod(v.shape) for v in given if not v.finite)
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(zip([seen, *channels], channels, strict=False)):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), *[normalisation(norm, after)] * (level > 0)]
            layers += [
                nn.LeakyReLU(LEAK),
                *[Gated(Attention(after))] * (max(self.size) / 2 ** (level + 1) <= attention),
            ]
        self.features, self.head = nn.Sequential(*layers, last), head
        self.apply(_begin)

    def forward(self, *values: Tensor) -> Tensor:
        """One tensor a parent to scores, `[*batch]` or `[*batch, *patches]`."""
        batch, rows = as_rows(values, self.given)
        seen = [self._channels(each) for each, v in zip(rows, self.given, strict=True) if not v.finite]
        scores: Tensor = self.head(self.features(torch.cat(seen, 1)), _told(rows, self.given))
        return scores.reshape([*batch, *scores.shape[1:]])

    def _channels(self, rows: Tensor) -> Tensor:
        """One parent as channels of the full size, `[rows, channels, height, width]`."""
        if rows.dim() < 3:
            return rows.reshape(len(rows), -1, 1, 1).expand(-1, -1, *self.size)
        found = rows.reshape(len(rows), -1, *rows.shape[-2:])
        return found if found.shape[-2:] == self.size else interpolate(found, self.size)


class Projection(nn.Module):
    """score = psi(features) + <embedding of the label, features>; for each pixel where features have sides.

    Args:
        psi: what is said without the label, with an axis of one number.
        features: how many there are.
        told: columns of the label, one-hot; 0 for none.

    Example:
        >>> Projection(nn.Linear(6, 1), 6, told=3)(torch.zeros(5, 6), torch.eye(3)[[0, 1, 2, 0, 1]]).shape
        torch.Size([5])

    Reference: Miyato and Koyama (2018), cGANs with projection discriminator.
    """

    def __init__(self, psi: nn.Module, features: int, told: int) -> None:
        super().__init__()
        self.psi = psi
        self.embedding = nn.Linear(told, features, bias=False) if told else None

    def forward(self, features: Tensor, told: Tensor | None) -> Tensor:
        """`[rows, features]` or `[rows, features, height, width]`, and one-hot labels, to scores without that axis."""
        alone: Tensor = self.psi(features).squeeze(1)
        if self.embedding is None:
            return alone
        direction = self.embedding(told).reshape(*features.shape[:2], *[1] * (features.dim() - 2))
        return alone + (direction * features).sum(1)


class Gated(nn.Module):
    """x + gate (f(x) - x), with a gate of 0 at first: what f adds is learned to be used.

    Args:
        f: images to images.
    """

    def __init__(self, f: nn.Module) -> None:
        super().__init__()
        self.f, self.gate = f, nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """`[rows, channels, height, width]` to the same."""
        return x + self.gate * (self.f(x) - x)


def _begin(part: nn.Module) -> None:
    """Weights from N(0, 0.02^2), scales of norms from N(1, 0.02^2), biases 0."""
    if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(part.weight, 0.0, DEVIATION)
    elif isinstance(part, nn.BatchNorm2d | nn.GroupNorm) and part.affine:
        nn.init.normal_(part.weight, 1.0, DEVIATION)
    else:
        return
    if part.bias is not None:
        nn.init.zeros_(part.bias)


def _states(given: Sequence[Variable]) -> int:
    return sum(v.size for v in given if v.finite)


def _told(rows: Sequence[Tensor], given: Sequence[Variable]) -> Tensor | None:
    """All labels side by side, one-hot, `[rows, states]`; None where there are none."""
    found = [each for each, v in zip(rows, given, strict=True) if v.finite]
    return torch.cat(found, 1) if found else None


def _size(subject: str, given: Sequence[Variable]) -> tuple[int, int]:
    """Height and width of the largest image among parents."""
    images = [v for v in given if image(v)]
    if not images:
        raise ShapeError(f"{subject}: no parent of {[v.name for v in given]} is an image [height, width]; use mlp.")
    return max(v.shape[-2] for v in images), max(v.shape[-1] for v in images)


def _coarse(subject: str, size: Sequence[int], channels: Sequence[int]) -> tuple[int, int]:
    """Height and width once they are halved for each number of channels."""
    (height, width), times = size, len(channels)
    if min(channels, default=1) < 1:
        raise ShapeError(f"{subject}: channels are {list(channels)}, expected 1 or more at each size.")
    if times < 1 or height % 2**times or width % 2**times or min(height, width) < 2 ** (times + 1):
        most = min(int(log2(side & -side)) - (side & (side - 1) == 0) for side in (height, width))
        advice = f"name 1 to {most}" if most > 0 else "take images whose sides are, such as 32, or mlp"
        raise ShapeError(
            f"{subject}: there are {times} numbers of channels, and sides of {height} x {width} cannot be halved so "
            f"often to 2 pixels or more; {advice}."
        )
    return height // 2**times, width // 2**times


def _require_vectors(given: Sequence[Variable], shape: Sequence[int]) -> None:
    seen = next((v for v in given if image(v)), None)
    if seen is not None:
        raise ShapeError(f"dcgan_generator: {seen.name!r} is an image, expected vectors and labels; use convolutional.")
    if len(shape) < 2:
        raise ShapeError(f"dcgan_generator: the result has shape {tuple(shape)}, expected [height, width]; use mlp.")
