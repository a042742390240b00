"""Where compiled questions are kept: the least recently used go, and threads may ask at the same time."""

from __future__ import annotations

from pgm.sessions import KEPT, Sessions


def test_the_least_recently_used_goes_first() -> None:
    store = Sessions()
    for key in range(KEPT):
        store.get(key, lambda: object())
    first = store.get(0, lambda: None)
    store.get("new", lambda: "made")
    assert store.get(0, lambda: None) is first
    assert list(store.kept) == [*range(2, KEPT), "new", 0]


def test_what_goes_while_it_is_being_made_is_still_answered() -> None:
    store = Sessions()

    def make() -> str:
        """What many other threads would do meanwhile."""
        for key in range(KEPT):
            store.get(key, lambda: "other")
        return "mine"

    def forgetful() -> str:
        store.kept.clear()
        return "mine"

    assert store.get("slow", make) == "mine"
    assert store.get("lost", forgetful) == "mine"
    store.kept.clear()
    store.touch("lost")
    assert not store.kept
