"""A small network that tells labels apart: its features say how alike images are, its verdicts what they show."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pgm.errors import FileError, GraphError, ShapeError

from ..data.data import Data
from ..training.fit import fit
from ..training.phase import Phase
from .figure import Figure
from .rows import at_rest

AT_ONCE = 1000  # images that the network looks at together
SETTINGS = "settings"


class LeNet(nn.Module):
    """Two convolutions with pooling and two linear layers: logits of labels, from 84 features.

    Args:
        shape: of an image, `[height, width]` or `[channels, height, width]`, 4 x 4 pixels or more.
        classes: how many labels there are.

    Example:
        >>> LeNet([8, 8], 10)(torch.zeros(5, 8, 8)).shape
        torch.Size([5, 10])

    Reference: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.
    """

    def __init__(self, shape: Sequence[int], classes: int) -> None:
        super().__init__()
        channels, height, width = (1, *shape) if len(shape) == 2 else shape
        self.shape = (channels, height, width)
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * (height // 4) * (width // 4), 84),
            nn.ReLU(),
        )
        self.head = nn.Linear(84, classes)

    def features(self, images: Tensor) -> Tensor:
        """What the last hidden layer makes of images, `[rows, 84]`."""
        found: Tensor = self.body(images.reshape(-1, *self.shape))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Logits, `[rows, classes]`."""
        found: Tensor = self.head(self.features(images))
        return found


@dataclass(frozen=True, eq=False)
class Features:
    """A trained network, and how good it is.

    Args:
        network: tells labels apart.
        data: the name of what it was trained on.
        accuracy: on rows that it was not trained on.
    """

    network: LeNet
    data: str
    accuracy: Figure

    def __call__(self, images: Tensor) -> Tensor:
        """The features of images `[rows, *event]`, `[rows, 84]`."""
        return looked(self.network, self.network.features, images)

    def labels(self, images: Tensor) -> Tensor:
        """The label that each image most probably has, `[rows]`."""
        return looked(self.network, self.network, images).argmax(1)

    def __str__(self) -> str:
        return f"features of {self.data}, accuracy {100 * self.accuracy.value:.1f} %"


def train_features(
    data: Data,
    test: Data | None = None,
    *,
    steps: int = 1500,
    batch: int = 128,
    out: Path | str | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> Features:
    """A network trained to tell the labels of images apart, for `lenet_fid` and all that compares features.

    Args:
        data: images with a column `label`; in grey when samples will be.
        test: rows to measure its accuracy on; by default a tenth of the data, which it is then not trained on.
        steps: batches to train on; 1,500 take some ten seconds for `digits` and a minute for `mnist` on one core.
        batch: rows a batch.
        out: a file, .safetensors: read when it is there, written otherwise.
        seed: of the network and of the order of rows.
        device: where to train; by default a GPU where there is one.
        progress: whether to show a line on a terminal.

    Raises:
        GraphError: when there are no labels.
        FileError: when the file is of a network that was trained otherwise.

    Example:
        >>> from deepgen.data.images import digits
        >>> features = train_features(digits(), steps=100, device="cpu", progress=False)
        >>> features.accuracy.value > 0.85, features(digits()["image"][:3]).shape
        (True, torch.Size([3, 84]))
    """
    held, train = data.split(max(1, len(data) // 10), seed=seed) if test is None else (test, data)
    column, classes = image_column(data), data.variable("label").size
    settings = {"data": data.name, "rows": len(train), "steps": steps, "batch": batch, "seed": seed}
    with at_rest(seed=seed):
        network = LeNet(data[column].shape[1:], classes)
    if out is not None and Path(out).exists():
        return Features(network, data.name, _read(Path(out), network, settings))

    def objective(rows: Mapping[str, Tensor], moment: object) -> Tensor:
        return cross_entropy(network(rows[column]), rows["label"], reduction="none")

    phase = Phase("features", {"features": network}, objective)
    if fit(phase, train, turns=steps, batch=batch, seed=seed, device=device, progress=progress).interrupted:
        raise KeyboardInterrupt  # half a network would be taken for a whole one, from its file on
    right = looked(network, network, held[column]).argmax(1) == held["label"]
    made = Features(network, data.name, share(right, "accuracy", f"{len(held):,} other rows of {held.name}"))
    if out is not None:
        _write(Path(out), made, settings)
    return made


def looked(network: LeNet, function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """A function of the network at rest, some images at a time, `[rows, ...]`.

    Raises:
        ShapeError: when the images have another shape.
    """
    if images.shape[1:].numel() != torch.Size(network.shape).numel():
        raise ShapeError(f"Features: images have shape {tuple(images.shape[1:])}, expected {network.shape}.")
    with at_rest(network, seed=0) as device, torch.no_grad():
        return torch.cat([function(some.to(device).float()) for some in images.split(AT_ONCE)]).to(images.device)


def labelled_right(samples: Tensor, labels: Tensor, features: Features) -> Figure:
    """The share of samples in which the network sees the label that was asked for.

    Args:
        samples: drawn given labels, `[rows, *event]`.
        labels: those, `[rows]`.
        features: a network trained on labelled data; its own accuracy is the ceiling.

    Returns:
        A share, with Wilson's 95 % interval.

    Raises:
        ShapeError: when there is not one label a sample.

    Reference: Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    if labels.shape != samples.shape[:1]:
        raise ShapeError(f"labelled_right: there are {tuple(labels.shape)} labels of {len(samples)} samples.")
    right = features.labels(samples) == labels.to(samples.device)
    return share(right, "labels as asked", f"{len(samples):,} samples, {features}")


def share(which: Tensor, name: str, how: str) -> Figure:
    """The share of True in `[rows]`, with Wilson's 95 % interval.

    Example:
        >>> print(share(torch.tensor([True] * 9 + [False]), "heads", "10 throws"))
        heads ~ 0.9 in [0.5958, 0.9821] (10 throws)
    """
    n, p, z = len(which), which.double().mean().item(), 1.959964
    middle, half = (p + z**2 / (2 * n)) / (1 + z**2 / n), z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Figure(name, p, "estimate", how, interval=(middle - half, middle + half))


def image_column(data: Data) -> str:
    """The first column that is no label.

    Raises:
        GraphError: when there is none.
    """
    found = next((name for name in data.columns if name != "label"), None)
    if found is None:
        raise GraphError(f"{data.name}: there are only labels in it, expected a column of images or numbers.")
    return found


def _write(path: Path, features: Features, settings: Mapping[str, object]) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"trained": settings, "accuracy": features.accuracy.json()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in features.network.state_dict().items()}
    aside = path.with_name(f"{path.name}.part")
    save_file(tensors, aside, {SETTINGS: json.dumps(facts)})
    aside.replace(path)


def _read(path: Path, network: LeNet, settings: Mapping[str, object]) -> Figure:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()[SETTINGS])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            kept, accuracy = facts["trained"], facts["accuracy"]
            accuracy = Figure(**{**accuracy, "interval": tuple(accuracy["interval"])})
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise FileError(f"{path}: this is no file of features ({type(error).__name__}: {error}).") from None
    if kept != dict(settings):
        raise FileError(f"{path}: it was trained with {kept}, expected {dict(settings)}; name another file.")
    network.load_state_dict(tensors)
    return accuracy
