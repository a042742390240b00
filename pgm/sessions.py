"""Where a model keeps its compiled questions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

KEPT = 64


class Sessions:
    """A small store, least recently used ones forgotten; copies and pickles of a model start with an empty one."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is kept under the key; made when it is not there."""
        if key not in self.kept:
            self.kept[key] = make()
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return self.kept[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> Sessions:
        return Sessions()

    def __reduce__(self) -> tuple[type[Sessions], tuple[()]]:
        return Sessions, ()
