"""Named sets of images, shades from 0 to 1, with labels."""

from __future__ import annotations

import io
from importlib.metadata import PackageNotFoundError, distribution
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pgm.errors import FileError

from .data import Data
from .fetch import Remote, fetched
from .idx import read_idx

Split = Literal["train", "test"]

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_FASHION = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion"
_SUMS = {
    "mnist/train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "mnist/train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "mnist/t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "mnist/t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "fashion-mnist/train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "fashion-mnist/train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "fashion-mnist/t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "fashion-mnist/t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
STATIC = Remote("mnist_static_binary.npz", None, "df14a884cb4aa7ac6692463fb31798a687c4e762c73c23a8ae3114fbec4e6093")


def mnist(split: Split = "train") -> Data:
    """Handwritten digits: `image` [28, 28], `label`; 60,000 to train on and 10,000 to test.

    The four IDX files are looked for in `mnist/` of the folder that DEEPGEN_DATA names, and downloaded otherwise.

    Args:
        split: 'train' or 'test'.

    Raises:
        FileError: when files are nowhere to be had, or are not those expected.

    Reference: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.
    """
    return _idx("mnist", _MNIST, split)


def fashion_mnist(split: Split = "train") -> Data:
    """Pieces of clothing in the form of MNIST; its files are looked for in `fashion-mnist/`.

    Args, Raises: as for `mnist`.

    Reference: Xiao, Rasul and Vollgraf (2017), Fashion-MNIST.
    """
    return _idx("fashion-mnist", _FASHION, split)


def _idx(name: str, url: str, split: Split) -> Data:
    if split not in ("train", "test"):
        raise FileError(f"{name}: there is no split {split!r}, expected 'train' or 'test'.")
    part = "train" if split == "train" else "t10k"
    paths = [f"{name}/{part}-images-idx3-ubyte", f"{name}/{part}-labels-idx1-ubyte"]
    remotes = [Remote(f"{path}.gz", f"{url}/{path.split('/')[1]}.gz", _SUMS[path]) for path in paths]
    images, labels = (read_idx(fetched(remote), remote.path) for remote in remotes)
    return Data({"image": images.float() / 255, "label": labels.long()}, f"{name} {split}")


def static_mnist(split: Literal["train", "valid", "test"] = "train") -> Data:
    """The statically binarised MNIST on which likelihoods are published: `image` [28, 28] of zeros and ones, no labels.

    Its file `mnist_static_binary.npz` (bits packed along the last axis, rows of 784) has to lie in the folder that
    DEEPGEN_DATA names: 50,000 rows to train on, 10,000 to validate, 10,000 to test.

    Args:
        split: 'train', 'valid' or 'test'.

    Raises:
        FileError: when the file is not there, or is not the one expected.

    Reference: Salakhutdinov and Murray (2008), On the quantitative analysis of deep belief networks; Larochelle and
    Murray (2011), The neural autoregressive distribution estimator.
    """
    if split not in ("train", "valid", "test"):
        raise FileError(f"static mnist: there is no split {split!r}, expected 'train', 'valid' or 'test'.")
    return Data({"image": _packed(split)}, f"static mnist {split}")


def _packed(split: str) -> Tensor:
    with np.load(io.BytesIO(fetched(STATIC)), allow_pickle=False) as file:
        bits = np.unpackbits(file[split], axis=1)[:, :784]
    return torch.from_numpy(bits).float().reshape(-1, 28, 28)


def digits() -> Data:
    """Handwritten digits of 8 x 8 pixels that come with scikit-learn: `image` [8, 8], `label`; 1,797 rows.

    Raises:
        FileError: when scikit-learn is not installed.

    Example:
        >>> digits()
        Data(digits, 1797 rows: image [8, 8], label [])

    Reference: Alpaydin and Kaynak (1998), Optical recognition of handwritten digits.
    """
    try:  # its file alone: to import scikit-learn takes as long as many an example
        file = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
        rows = torch.from_numpy(np.loadtxt(str(file), dtype=np.int64, delimiter=","))
    except (PackageNotFoundError, OSError):
        raise FileError("digits: they come with scikit-learn; pip install scikit-learn.") from None
    return Data({"image": rows[:, :64].reshape(-1, 8, 8).float() / 16, "label": rows[:, 64].clone()}, "digits")
