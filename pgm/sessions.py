"""Where a model keeps its compiled questions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any

KEPT = 64


class Sessions:
    """A small store, least recently used ones forgotten; copies and pickles of a model start with an empty one."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is kept under the key; made when it is not there."""
        found = self.kept.get(key)
        if found is None:
            found = self.kept[key] = make()
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        self.touch(key)
        return found

    def touch(self, key: Hashable) -> None:
        """Count what is kept under the key as used now."""
        with suppress(KeyError):  # another thread may have made it go meanwhile
            self.kept.move_to_end(key)

    def __deepcopy__(self, memo: dict[int, Any]) -> Sessions:
        return Sessions()

    def __reduce__(self) -> tuple[type[Sessions], tuple[()]]:
        return Sessions, ()
