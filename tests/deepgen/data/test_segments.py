"""Digits of a pocket calculator."""

from deepgen.data.segments import seven_segments


def test_digits_differ_by_the_segments_that_they_should() -> None:
    image = seven_segments()["image"]
    assert [int(digit.sum()) for digit in image[[1, 8]]] == [8, 4 * 3 + 2 * 5]  # a line; three bars, two lines
    assert bool((image <= image[8]).all()), "8 has all segments"
    missing = {0: (3, slice(3, 5)), 6: (slice(1, 3), 5), 9: (slice(4, 7), 2)}
    for digit, place in missing.items():
        eight = image[8].clone()
        eight[place] = 0.0
        assert image[digit].equal(eight)


def test_images_and_labels_belong_together() -> None:
    data = seven_segments()
    assert data["label"].tolist() == list(range(10))
    assert set(data["image"].unique().tolist()) == {0.0, 1.0}
