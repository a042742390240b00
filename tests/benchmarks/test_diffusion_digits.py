"""The benchmark of digits judges as it says, and prints what it promises."""

from itertools import groupby

import pytest
import torch
from sklearn.svm import SVC

from benchmarks.diffusion.digits import RECIPE, Judge, masks, rows


@pytest.fixture(scope="module")
def judge() -> Judge:
    train, test = RECIPE.load("train"), RECIPE.load("test")
    return Judge(train, test, SVC(C=10).fit(train["image"].flatten(1).numpy(), train["label"].numpy()))


def test_who_sees_all_pixels_is_the_judge_and_who_sees_one_hardly_knows(judge: Judge) -> None:
    whole = torch.ones(8, 8, dtype=torch.bool)
    assert judge.of_part(whole) == judge.right(judge.test["image"], judge.test["label"])
    one = torch.zeros(8, 8, dtype=torch.bool)
    one[4, 4] = True
    assert judge.of_part(one) < 0.5


def test_what_is_known_of_a_digit() -> None:
    parts = masks()
    assert [int(parts[name].sum()) for name in ("hole", "half", "crop")] == [48, 32, 16]
    assert torch.equal(parts["hole"] + parts["crop"], torch.ones(8, 8))


def test_all_tables_are_printed() -> None:
    tables = [list(table) for _, table in groupby(rows(smoke=True), tuple)]
    assert [table[0]["name"] for table in tables] == [
        "judge", "learned", "samples", "hole", "edited", "upsampled", "4x4 to 8x8",
    ]  # fmt: skip
    assert all(0 <= row["right"] <= 1 for table in tables for row in table if "right" in row)
    moved = [row["moved"] for row in tables[4]]
    assert moved == sorted(moved), "more noise takes a drawing further away"
