"""A support vector machine that has only ever seen real rows says what samples show."""

from __future__ import annotations

import torch
from torch import Tensor

from pgm.errors import ShapeError

from ..data.data import Data
from .features import image_column, share
from .figure import Figure

MOST = 5000  # rows that the machine learns from


def judged_right(samples: Tensor, labels: Tensor, train: Data, test: Data) -> Figure:
    """The share of samples in which a support vector machine sees the label that was asked for.

    Args:
        samples: drawn given labels, `[rows, *event]`, in the shades of the data.
        labels: those, `[rows]`.
        train: rows with labels that it learns from; 5,000 of them at most, evenly spaced.
        test: rows with labels that say how good it is: the ceiling.

    Returns:
        A share, with Wilson's 95 % interval.

    Raises:
        ShapeError: when samples are not like the data, there is not one label each, or rows have one label alone.

    Example:
        >>> from deepgen.data.named import named
        >>> train, test = named("digits"), named("digits", "test")
        >>> print(judged_right(test["image"], test["label"], train, test))
        labels as asked ~ 0.99... in [0.97..., 0.99...] (297 samples, an SVC that has 0.99... of 297 real rows right)

    Reference: Cortes and Vapnik (1995), Support-vector networks; Ravuri and Vinyals (2019), Classification accuracy
    score for conditional generative models, for a judge of labels.
    """
    from sklearn.svm import SVC

    column = image_column(train)
    some = torch.linspace(0, len(train) - 1, min(len(train), MOST), dtype=torch.double).round().long()
    told = train["label"].cpu()[some]
    _require(samples, labels, list(train[column].shape[1:]), told)
    machine = SVC(C=10).fit(_flat(train[column].cpu()[some]), told.numpy())
    seen, real = (torch.from_numpy(machine.predict(_flat(rows))) for rows in (samples, test[column]))
    own = (real == test["label"].cpu()).double().mean().item()
    how = f"{len(samples):,} samples, an SVC that has {own:.4g} of {len(test):,} real rows right"
    return share(seen == labels.cpu(), "labels as asked", how)


def _require(samples: Tensor, labels: Tensor, event: list[int], told: Tensor) -> None:
    if [*labels.shape, *event] != list(samples.shape) or not len(samples):
        raise ShapeError(
            f"judged_right: samples have shape {list(samples.shape)} and labels {list(labels.shape)}, expected "
            f"{['rows', *event]} and ['rows'], 1 row or more."
        )
    if len(told.unique()) < 2:
        raise ShapeError(f"judged_right: all rows to learn from have the label {told[0]}, expected two or more labels.")


def _flat(rows: Tensor) -> object:
    return rows.flatten(1).cpu().numpy()
