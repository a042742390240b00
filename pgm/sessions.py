"""Where a model keeps its compiled questions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any

KEPT, BYTES_KEPT = 64, 2.0**30


class Sessions:
    """A small store, least recently used ones forgotten; copies and pickles of a model start with an empty one."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is kept under the key; made when it is not there. Things kept say in `nbytes` what they weigh."""
        found = self.kept.get(key)
        if found is None:
            found = self.kept[key] = make()
            self._forget()
        self.touch(key)
        return found

    def _forget(self) -> None:
        """Let the oldest go until number and memory are within bounds; the newest one stays."""
        while len(self.kept) > KEPT or (len(self.kept) > 1 and sum(self._weights()) > BYTES_KEPT):
            self.kept.popitem(last=False)

    def _weights(self) -> list[float]:
        return [each.nbytes for each in list(self.kept.values())]

    def touch(self, key: Hashable) -> None:
        """Count what is kept under the key as used now."""
        with suppress(KeyError):  # another thread may have made it go meanwhile
            self.kept.move_to_end(key)

    def __deepcopy__(self, memo: dict[int, Any]) -> Sessions:
        return Sessions()

    def __reduce__(self) -> tuple[type[Sessions], tuple[()]]:
        return Sessions, ()
