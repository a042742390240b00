"""Shapes in signatures: `Float[Tensor, "*batch states"]`.

The tests import jaxtyping first, and then the shapes are checked. Otherwise they are notes for the reader and the
type checker, so that the library itself needs no jaxtyping.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "jaxtyping" not in sys.modules:
    from typing import Annotated as Float
    from typing import Annotated as Int
else:
    from jaxtyping import Float, Int

__all__ = ["Float", "Int"]
