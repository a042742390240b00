"""Eight rows at a time: a vector of eight doubles as a type that compiled loops can hold in registers.

The compiler does not vectorise loops over a short last axis by itself, because it cannot know that two rows of one
array do not overlap; these five operations say so.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

WIDTH = 8
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)


class Lanes(types.Type):
    """The compile-time type of eight doubles."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES = Lanes()


@register_model(Lanes)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """Pointer to one row of a contiguous `[rows, 8]` array, as a vector."""
    data = context.make_array(kind)(context, builder, array).data
    wide = builder.mul(row, ir.Constant(row.type, WIDTH))
    return builder.bitcast(builder.gep(data, [wide]), _VECTOR.as_pointer())


@intrinsic
def load(typing: Any, array: Any, row: Any) -> Any:
    """The eight doubles of one row of a `[rows, 8]` array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        row = context.cast(builder, args[1], signature.args[1], types.intp)
        return builder.load(_address(context, builder, signature.args[0], args[0], row), align=8)

    return LANES(array, row), code


@intrinsic
def store(typing: Any, array: Any, row: Any, value: Any) -> Any:
    """Write the eight doubles of one row."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        row = context.cast(builder, args[1], signature.args[1], types.intp)
        builder.store(args[2], _address(context, builder, signature.args[0], args[0], row), align=8)
        return context.get_dummy_value()

    return types.void(array, row, value), code


@intrinsic
def zeros(typing: Any) -> Any:
    """Eight zeros."""
    return LANES(), lambda context, builder, signature, args: ir.Constant(_VECTOR, [0.0] * WIDTH)


@intrinsic
def madd(typing: Any, total: Any, one: Any, two: Any) -> Any:
    """total + one * two, lane by lane."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        product = builder.fmul(args[1], args[2], flags=("contract",))
        return builder.fadd(args[0], product, flags=("contract",))

    return LANES(total, one, two), code


@intrinsic
def larger(typing: Any, one: Any, two: Any) -> Any:
    """The larger of two, lane by lane; the second where it is not a number."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<=", args[1], args[0]), args[0], args[1])

    return LANES(one, two), code
