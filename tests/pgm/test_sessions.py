"""Where compiled questions are kept: the least recently used go, and threads may ask at the same time."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pgm.sessions import KEPT, Sessions


@dataclass(frozen=True, eq=False)
class Thing:
    """Something to keep."""

    name: str = ""
    nbytes: float = 0.0


def test_the_least_recently_used_goes_first() -> None:
    store = Sessions()
    for key in range(KEPT):
        store.get(key, Thing)
    first = store.get(0, lambda: None)
    store.get("new", Thing)
    assert store.get(0, lambda: None) is first
    assert list(store.kept) == [*range(2, KEPT), "new", 0]


def test_what_goes_while_it_is_being_made_is_still_answered() -> None:
    store = Sessions()

    def make() -> Thing:
        """What many other threads would do meanwhile."""
        for key in range(KEPT):
            store.get(key, Thing)
        return Thing("mine")

    def forgetful() -> Thing:
        store.kept.clear()
        return Thing("mine")

    assert store.get("slow", make).name == "mine"
    assert store.get("lost", forgetful).name == "mine"
    store.kept.clear()
    store.touch("lost")
    assert not store.kept


def test_what_weighs_too_much_makes_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgm.sessions.BYTES_KEPT", 10.0)
    store = Sessions()
    for key, weight in enumerate([4.0, 4.0, 4.0, 11.0, 1.0]):
        store.get(key, lambda weight=weight: Thing(nbytes=weight))
        assert sum(each.nbytes for each in store.kept.values()) <= max(10.0, weight)
        assert key in store.kept
    assert list(store.kept) == [4]
