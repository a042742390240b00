"""Images in a folder, one size and one number of channels for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pgm.errors import FileError

from .data import Data

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def image_folder(folder: Path | str, size: tuple[int, int] | None = None, grey: bool = False) -> Data:
    """The images below a folder: `image` [channels, height, width], shades from 0 to 1; `label` of folders of them.

    When the folder holds folders, each is a class, a state of the label by its name, in their order.

    Args:
        folder: where the images are.
        size: height and width to which each is cropped in the middle and scaled; as they are when None.
        grey: whether to make one channel of all.

    Raises:
        FileError: when there are no images, one cannot be read, or they differ in size.
    """
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileError(f"{root}: there are no images in it; expected files ending in {', '.join(SUFFIXES)}.")
    images = [_image(path, size, grey) for path in paths]
    odd = next((k for k, image in enumerate(images) if image.shape != images[0].shape), None)
    if odd is not None:
        one, other = (" x ".join(map(str, images[k].shape[1:])) for k in (0, odd))
        raise FileError(
            f"{root}: {paths[0].name} is {one} and {paths[odd].name} {other}; give a size, such as (64, 64)."
        )
    columns = {"image": torch.stack(images)}
    classes = sorted({path.relative_to(root).parts[0] for path in paths if len(path.relative_to(root).parts) > 1})
    if classes:
        columns["label"] = torch.tensor([_class(path.relative_to(root), classes, root) for path in paths])
    return Data(columns, root.name, states={"label": classes} if classes else {})


def _class(path: Path, classes: list[str], root: Path) -> int:
    if path.parts[0] not in classes:
        raise FileError(f"{root}: {path.name} lies beside the folders of classes {', '.join(classes[:6])}, not in one.")
    return classes.index(path.parts[0])


def _image(path: Path, size: tuple[int, int] | None, grey: bool) -> Tensor:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image = file.convert("L" if grey else "RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise FileError(f"{path}: it is no image that can be read ({error}).") from None
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]))
    values = torch.from_numpy(np.asarray(image, np.float32) / 255)
    return values[None] if grey else values.permute(2, 0, 1).contiguous()
