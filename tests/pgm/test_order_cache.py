"""Orders kept on disk: what is written is read, what is damaged is ignored, and answers do not depend on it."""

from pathlib import Path

import pytest

from pgm import Exact, MarkovNetwork, Table, Variable, log_evidence, plan_for
from pgm.order_cache import KEPT, folder, key_of, read_orders, write_orders

ORDERS = [(0b101, (2, 0), 12.0), (0b10, (1,), 3.0)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGM_CACHE", str(tmp_path / "orders"))


def test_what_is_written_is_read() -> None:
    write_orders("one", ORDERS)
    assert read_orders("one") == ORDERS
    assert read_orders("two") is None


@pytest.mark.parametrize(
    "text", ["", "[", "{}x", '[["0x5", [2, 1], 3.0]]', '[["0x5", [2, 0, 0], 3.0]]', "[[1, 2]]", "[3]"]
)
def test_what_is_damaged_is_ignored(text: str, tmp_path: Path) -> None:
    write_orders("one", ORDERS)
    (tmp_path / "orders" / "one.json").write_text(text)
    assert read_orders("one") is None


def test_an_empty_name_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGM_CACHE", "")
    write_orders("one", ORDERS)
    assert folder() is None
    assert read_orders("one") is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PGM_CACHE", str(tmp_path / "file" / "below"))
    write_orders("one", ORDERS)
    assert read_orders("one") is None


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgm.order_cache.KEPT", 3)
    for number in range(5):
        write_orders(key_of(number), ORDERS)
    assert KEPT == 1000
    assert len(list((tmp_path / "orders").iterdir())) == 3


def test_a_plan_found_again_is_the_same_and_answers_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgm.planner.WORTH_KEEPING", 0.0)
    side = 12
    cells = [[Variable(f"x{i}_{j}") for j in range(side)] for i in range(side)]
    pairs = [(cells[i][j], cells[i + 1][j]) for i in range(side - 1) for j in range(side)]
    pairs += [(cells[i][j], cells[i][j + 1]) for i in range(side) for j in range(side - 1)]

    def grid() -> MarkovNetwork:
        return MarkovNetwork(*(Table(pair, [[2, 1], [1, 2]]) for pair in pairs))

    first = plan_for(grid(), task="log_evidence", engine=Exact(seconds=0.3))
    assert len(list((tmp_path / "orders").iterdir())) == 1
    again = plan_for(grid(), task="log_evidence", engine=Exact(seconds=0.3))
    assert again.trees == first.trees
    known = log_evidence(grid(), engine=Exact(seconds=0.3)).item()
    monkeypatch.setenv("PGM_CACHE", "")
    assert log_evidence(grid()).item() == pytest.approx(known, rel=1e-12)
