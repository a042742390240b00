"""Whether data fit the models that are to learn from them, said before anything has moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from pgm.domains import Binary
from pgm.errors import PlanError, ShapeError
from pgm.model import Model
from pgm.variable import Variable

from ..conditionals.generated import SOURCES, Generated
from ..data.data import Data

SLACK = 1 + 1e-4  # the largest shade that may be called 1


def require_fitting(data: Data, modules: Mapping[str, nn.Module], subject: str = "fit") -> None:
    """Raise an error that names the first column that does not fit the variable of its name.

    Raises:
        PlanError: when a column has the name of what tells fake rows from real ones.
        ShapeError: when rows are of another shape, state numbers or bits are none, shades are not those that a
            generator makes, or no column is a variable.
    """
    models = {name: module for name, module in modules.items() if isinstance(module, Model)}
    known = {v.name: (name, v) for name, model in models.items() for v in model.variables}
    for column in data.columns.keys() & known.keys():
        _check(data, column, *known[column], subject)
    made = {name for model in models.values() for name, c in model.conditionals.items() if isinstance(c, Generated)}
    for column in data.columns.keys() & made:
        _check_shades(data.columns[column], f"{subject}: column {column!r} of {data.name}")
    if len(models) == len(modules) and not data.columns.keys() & known.keys():
        raise ShapeError(
            f"{subject}: no column of {data!r} is a variable of {', '.join(models)}; expected one or more of "
            f"{', '.join(known)}. Name columns as the variables."
        )


def _check(data: Data, column: str, where: str, variable: Variable, subject: str) -> None:
    values, subject = data.columns[column], f"{subject}: column {column!r} of {data.name}"
    if variable.finite and variable.states == SOURCES:
        raise PlanError(
            f"{subject} has the name of what says whether rows are fake or real in {where}, which data do not hold; "
            "give the column another name, such as 'label'."
        )
    if tuple(values.shape[1:]) != variable.shape:
        raise ShapeError(
            f"{subject} has rows of shape {list(values.shape[1:])}, {where} expects {list(variable.shape)}: "
            f"{variable!r}."
        )
    if variable.finite and (values.is_floating_point() or not _within(values, 0, variable.size - 1)):
        raise ShapeError(
            f"{subject} is {values.dtype} from {values.min().item():g} to {values.max().item():g}, {where} expects the "
            f"numbers of {variable.size} states, 0 to {variable.size - 1}."
        )
    if isinstance(variable.domain, Binary) and column not in data.fresh and not _within(values, 0, 1):
        raise ShapeError(
            f"{subject} goes from {values.min().item():g} to {values.max().item():g}, {where} expects bits: "
            f"{variable!r}. Binarise it, or make the variable Real."
        )


def _check_shades(values: Tensor, subject: str) -> None:
    """Generators of images, which are what has two axes or more, end with a tanh."""
    low, high = values.min().item(), values.max().item()
    if values.dim() > 2 and not -SLACK <= low <= high <= SLACK:
        raise ShapeError(
            f"{subject} has shades from {low:g} to {high:g}, a generator of images makes those from -1 to 1; scale "
            "them to 0 to 1, and take centred(data)."
        )


def _within(values: Tensor, low: float, high: float) -> bool:
    return bool(((values >= low) & (values <= high)).all())


@contextmanager
def missing_columns_named(data: Data, modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """A variable whose value is looked for in vain becomes an error that says so.

    Raises:
        PlanError: in place of a `KeyError` of that name.
    """
    try:
        yield
    except KeyError as error:
        name = next(iter(error.args), None)
        where = [n for n, m in modules.items() if isinstance(m, Model) and name in m.graph.by_name]
        if not where or name in data.columns:
            raise
        raise PlanError(
            f"fit: {' and '.join(where)} need a value of {name!r}, and {data!r} have no such column. Add it, or make "
            f"the models without {name!r}."
        ) from None
