"""What codes say of labels that were not used to find them: a linear classifier reads them off."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..data.data import Data
from ..pair import Pair
from .features import share
from .figure import Figure
from .rows import Rows, at_rest, seen

AT_ONCE = 1000  # rows that the guide looks at together


def probed(pair: Pair, train: Data, test: Data) -> tuple[Figure, Figure, Figure]:
    """The share of labels that logistic regression reads off codes; off as many principal components; off the rows.

    Each number is standardised first. All three learn from the same rows.

    Args:
        pair: whose guide infers codes of numbers: their means are taken.
        train: rows with labels that the classifiers learn from.
        test: rows with labels that they are measured on.

    Returns:
        Shares, with Wilson's 95 % intervals.

    Example:
        >>> from deepgen.data.data import arrays
        >>> from deepgen.zoo.autoencoder import linear_autoencoder
        >>> from pgm import Real, Variable
        >>> x, label = torch.linspace(-1, 1, 40)[:, None].expand(40, 3), torch.arange(40) // 20
        >>> data = arrays("a line", x=x, label=label)
        >>> for figure in probed(linear_autoencoder(Variable("x", Real(3)), codes=1), data, data):
        ...     print(figure)
        labels read off z ~ 1 in [0.9124, 1] (1 number, logistic regression, 40 rows of a line)
        labels read off principal components ~ 1 in [0.9124, 1] (1 number, logistic regression, 40 rows of a line)
        labels read off x ~ 1 in [0.9124, 1] (3 numbers, logistic regression, 40 rows of a line)

    Reference: Alain and Bengio (2017), Understanding intermediate layers using linear classifier probes.
    """
    from sklearn.decomposition import PCA

    (x,) = pair.observed
    rows = [data[x.name].flatten(1).cpu() for data in (train, test)]
    codes = [_codes(pair, data) for data in (train, test)]
    principal = PCA(codes[0].shape[1], random_state=0).fit(rows[0].numpy())
    parts = [torch.from_numpy(principal.transform(each.numpy())) for each in rows]
    name = ", ".join(v.name for v in pair.latents if not v.finite)
    return (
        _read(name, codes, train, test),
        _read("principal components", parts, train, test),
        _read(x.name, rows, train, test),
    )


def _read(of: str, numbers: Sequence[Tensor], train: Data, test: Data) -> Figure:
    """Of the numbers of rows to learn from and of rows to be measured on, `[rows, numbers]` each."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, new = numbers
    reader = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    reader.fit(known.numpy(), train["label"].cpu().numpy())
    right = torch.from_numpy(reader.predict(new.numpy())) == test["label"].cpu()
    count = f"{new.shape[1]} number{'s' * (new.shape[1] > 1)}"
    return share(right, f"labels read off {of}", f"{count}, logistic regression, {len(test):,} rows of {test.name}")


@torch.no_grad()
def _codes(pair: Pair, data: Data) -> Tensor:
    """The means of all latent variables of numbers side by side, `[rows, numbers]`."""
    names = [v.name for v in pair.latents if not v.finite]
    with at_rest(pair.model, pair.guide, seed=0) as device:
        rows = Rows(data, AT_ONCE, 0, device)
        found = [pair.infer(seen(pair, rows[number]), mean=True) for number in range(len(rows))]
    return torch.cat([torch.cat([each[name].flatten(1) for name in names], 1) for each in found]).cpu()
