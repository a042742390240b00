"""Images in colours and places."""

from itertools import combinations

import pytest
import torch

from deepgen.data.data import Data
from deepgen.data.named import named
from deepgen.data.painted import COLOURS, PLACES, painted
from pgm.errors import PlanError, ShapeError

GREY = Data({"image": torch.arange(1, 61.0).reshape(10, 2, 3) / 60, "label": torch.arange(10)}, "ten")


def test_each_picture_is_its_image_in_its_colour_at_its_place_and_black_elsewhere():
    found = painted(GREY, 300)
    for image, label, colour, place in zip(*(found[name] for name in found.columns), strict=True):
        down, right = divmod(int(place), 2)
        wanted = torch.zeros(3, 4, 6)
        for channel, share in enumerate(COLOURS[tuple(COLOURS)[colour]]):
            wanted[channel, 2 * down : 2 * down + 2, 3 * right : 3 * right + 3] = share * GREY["image"][label]
        assert torch.equal(image, wanted)
    assert (found.variable("place").states, found.variable("label").size) == (PLACES, 10)


def test_what_is_unseen_is_the_rest_and_every_two_words_are_seen():
    names = ("label", "colour", "place")
    kinds = {
        captions: {tuple(row) for row in torch.stack([data[n] for n in names], 1).tolist()}
        for captions in ("all", "seen", "unseen")
        for data in [painted(GREY, 4000, captions)]
    }
    assert kinds["all"] == {(d, c, p) for d in range(10) for c in range(4) for p in range(4)}
    assert kinds["unseen"] == {caption for caption in kinds["all"] if sum(caption) % 5 == 0}
    assert kinds["seen"] == kinds["all"] - kinds["unseen"]
    for one, two in combinations(range(3), 2):
        assert {(row[one], row[two]) for row in kinds["seen"]} == {(row[one], row[two]) for row in kinds["all"]}


def test_by_name_digits_that_are_kept_for_testing_are_painted_for_testing_alone():
    parts = {split: named("painted_digits", split) for split in ("train", "test")}
    for split, data in parts.items():
        assert len(data) == 10_000
        assert bool(((data["label"] + data["colour"] + data["place"]) % 5 != 0).all())
        held = {tuple(row) for row in (16 * named("digits", split)["image"]).flatten(1).int().tolist()}
        red = data["image"][(data["colour"] == 0) & (data["place"] == 0)][:50, 0, :8, :8]
        assert {tuple(row) for row in (16 * red).round().flatten(1).int().tolist()} <= held


def test_a_seed_gives_the_same_rows():
    assert torch.equal(painted(GREY, 50, seed=3)["image"], painted(GREY, 50, seed=3)["image"])
    assert not torch.equal(painted(GREY, 50, seed=3)["image"], painted(GREY, 50, seed=4)["image"])


def test_refusals():
    with pytest.raises(PlanError, match="captions are 'some', expected 'all', 'seen' or 'unseen'"):
        painted(GREY, 5, "some")
    with pytest.raises(ShapeError, match=r"images are \[3, 2, 2\] and n is 5, expected \[H, W\]"):
        painted(Data({"image": torch.zeros(2, 3, 2, 2), "label": torch.zeros(2).long()}), 5)
