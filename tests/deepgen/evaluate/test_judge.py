"""The judge of labels counts as scikit-learn does."""

import pytest
import torch
from sklearn.svm import SVC

from deepgen import judged_right, named
from pgm.errors import ShapeError


def test_the_share_is_that_of_scikit_learn():
    """Half of the labels asked for are wrong on purpose."""
    train, test = named("digits"), named("digits", "test")
    asked = torch.where(torch.arange(len(test)) % 2 == 0, test["label"], (test["label"] + 1) % 10)
    machine = SVC(C=10).fit(train["image"].flatten(1).numpy(), train["label"].numpy())
    found = judged_right(test["image"], asked, train, test)
    assert found.value == pytest.approx(machine.score(test["image"].flatten(1).numpy(), asked.numpy()))
    assert f"{machine.score(test['image'].flatten(1).numpy(), test['label'].numpy()):.4g} of 297" in found.how


def test_of_many_rows_it_learns_from_some_of_all_kinds(monkeypatch):
    """In the order of their labels too, of which the first thirty rows are all zeros."""
    train, test = named("digits"), named("digits", "test")
    order = train["label"].argsort(stable=True)
    monkeypatch.setattr("deepgen.evaluate.judge.MOST", 30)
    some = order[[round(n * (len(train) - 1) / 29) for n in range(30)]]
    machine = SVC(C=10).fit(train["image"][some].flatten(1).numpy(), train["label"][some].numpy())
    found = judged_right(test["image"], test["label"], train.rows(order), test)
    assert found.value == pytest.approx(machine.score(test["image"].flatten(1).numpy(), test["label"].numpy()))
    assert found.value > 0.5


def test_there_is_a_label_for_each_sample_and_something_to_tell_apart():
    rows = named("digits", "test")
    image, label = rows["image"], rows["label"]
    for samples, asked in ((image, label[:3]), (image[:, :4], label), (image[:0], label[:0])):
        with pytest.raises(
            ShapeError, match=r"judged_right: samples have shape .*, expected \['rows', 8, 8\] and \['r"
        ):
            judged_right(samples, asked, rows, rows)
    with pytest.raises(ShapeError, match="all rows to learn from have the label 3, expected two or more"):
        judged_right(image, label, rows.rows(label == 3), rows)
