"""Features, distances in them and what is said of samples, beside closed forms and other libraries."""

from dataclasses import replace
from itertools import permutations
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deepgen.data.data import Data
from deepgen.data.images import digits
from deepgen.data.toys import moons, ring
from deepgen.evaluate.beside import memorised, sample_figures
from deepgen.evaluate.features import Features, LeNet, labelled_right, share, train_features
from deepgen.evaluate.frechet import frechet, kernel, lenet_fid, lenet_kid
from deepgen.evaluate.halves import halves
from deepgen.evaluate.samples import coverage, sliced_wasserstein
from deepgen.training.history import History
from pgm.errors import FileError, GraphError, ShapeError

SEEDS = st.integers(0, 1000)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    out = tmp_path_factory.mktemp("features") / "digits.safetensors"
    return train_features(digits(), steps=120, device="cpu", out=out, progress=False)


@settings(max_examples=10)
@given(seed=SEEDS, axes=st.integers(1, 6))
def test_frechet_distance_is_the_closed_form(seed: int, axes: int) -> None:
    x, y = normal(seed, 50, axes), normal(seed + 1, 60, axes) @ normal(seed + 2, axes, axes) + 1
    (m, s), (n, t) = ((z.mean(0).numpy(), np.atleast_2d(np.cov(z.double().numpy().T))) for z in (x, y))
    expected = np.square(m - n).sum() + np.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t).real)
    assert frechet(x, y) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert frechet(x, x) == pytest.approx(0, abs=1e-4)


def test_kernel_distance_is_the_unbiased_estimate_of_each_portion() -> None:
    """U-statistics in plain loops."""
    x, y = normal(0, 40, 3).double(), normal(1, 40, 3).double() + 0.5

    def k(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b / 3 + 1) ** 3

    for found, a, b in zip(kernel(x, y), x.split(20), y.split(20), strict=True):
        own = [sum(k(one, other) for one, other in permutations(z, 2)) / (20 * 19) for z in (a, b)]
        expected = own[0] + own[1] - 2 * k(a, b.T).mean()
        assert found.item() == pytest.approx(expected.item(), rel=1e-9)
    assert len(kernel(normal(0, 2001, 1), normal(1, 2001, 1))) == 3


def test_kernel_distance_says_how_sure_it_is() -> None:
    """Of one distribution it is 0 on average; 40 values are as far from 0 as their errors say."""
    portions = torch.stack([kernel(*normal(seed, 2, 200, 3)) for seed in range(160)]).reshape(40, 8)
    ratios = portions.mean(1) / (portions.std(1) / sqrt(8))
    law = scipy.stats.t(7)  # Student's, where portions are about normal
    assert abs((ratios.abs() < law.ppf(0.9)).double().mean() - 0.8) < 5 * sqrt(0.8 * 0.2 / 40)


def test_samples_farther_from_data_have_larger_distances(features: Features) -> None:
    data = digits().rows(slice(400))
    noise = normal(0, 400, 8, 8)
    near, far, farthest = data["image"], (data["image"] + 0.3 * noise).clamp(0, 1), noise.sigmoid()
    for distance in (lenet_fid, lenet_kid):
        found = [distance(samples, data, features) for samples in (near, far, farthest)]
        assert found[0].value < found[1].value < found[2].value
    own = float(found[0].how.rsplit(" ", 1)[1])
    assert found[1].value > own
    assert "200 samples, digits, features of digits, accuracy" in found[0].how


def test_distance_of_one_half_from_the_other_is_the_floor(features: Features) -> None:
    data = digits()
    parts = halves(data["image"], data["image"], 0)
    direct = frechet(features(parts.one), features(parts.other))
    figure = lenet_fid(data["image"], data, features)
    assert float(figure.how.rsplit(" ", 1)[1]) == pytest.approx(direct, rel=1e-3)


def test_half_a_network_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("deepgen.evaluate.features.fit", lambda *args, **options: History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        train_features(digits(), steps=5, device="cpu", out=tmp_path / "features.safetensors", progress=False)
    assert not list(tmp_path.iterdir())


def test_what_is_kept_in_a_file_is_the_same_network(features: Features, tmp_path: Path) -> None:
    out, images = tmp_path / "some" / "features.safetensors", digits()["image"][:9]
    first = train_features(digits(), steps=5, device="cpu", out=out, progress=False)
    again = train_features(digits(), steps=5, device="cpu", out=out, progress=False)
    torch.testing.assert_close(first(images), again(images), rtol=0, atol=0)
    assert first.accuracy == again.accuracy
    with pytest.raises(FileError, match="it was trained with .*'steps': 5.*, expected .*'steps': 6.*; name another"):
        train_features(digits(), steps=6, device="cpu", out=out, progress=False)
    out.write_bytes(b"no tensors")
    with pytest.raises(FileError, match="this is no file of features"):
        train_features(digits(), steps=5, device="cpu", out=out, progress=False)


def test_accuracy_is_of_rows_that_were_not_trained_on(features: Features) -> None:
    held, train = digits().split(179)
    right = (features.labels(held["image"]) == held["label"]).double().mean().item()
    assert features.accuracy.value == pytest.approx(right)
    assert features.accuracy.value > 0.85
    given_test = train_features(train, held, steps=1, device="cpu", progress=False)
    assert given_test.accuracy.how == "179 other rows of digits"


@settings(max_examples=20)
@given(right=st.integers(0, 50), wrong=st.integers(1, 50))
def test_shares_have_wilsons_interval(right: int, wrong: int) -> None:
    found = share(torch.tensor([True] * right + [False] * wrong), "share", "")
    expected = scipy.stats.binomtest(right, right + wrong).proportion_ci(method="wilson")
    assert found.interval == (pytest.approx(expected.low, abs=1e-6), pytest.approx(expected.high, abs=1e-6))


def test_labels_are_right_where_the_network_sees_them(features: Features) -> None:
    images = digits()["image"][:100]
    seen = features.labels(images)
    asked = torch.where(torch.arange(100) < 25, (seen + 1) % 10, seen)
    assert labelled_right(images, asked, features).value == 0.75
    with pytest.raises(ShapeError, match=r"labelled_right: there are \(3,\) labels of 100 samples"):
        labelled_right(images, asked[:3], features)


def test_new_rows_are_as_near_as_test_rows_and_copies_are_copies() -> None:
    train, test, new = (Data({"x": normal(seed, 400, 3)}) for seed in range(3))
    nearer, copies = memorised(new["x"], train, test)
    distances = [torch.cdist(rows["x"], train["x"]).min(1).values.numpy() for rows in (new, test)]
    statistic = scipy.stats.mannwhitneyu(distances[1], distances[0]).statistic
    assert nearer.value == pytest.approx(statistic / 400**2, abs=1e-6)
    assert nearer.error is not None
    assert nearer.error == pytest.approx(sqrt(801 / (12 * 400 * 400)))
    assert abs(nearer.value - 0.5) < 5 * nearer.error
    copied = torch.cat([train["x"][:100] + 1e-4, new["x"][:300]])
    far, found = memorised(copied, train, test)
    assert found.value - copies.value == pytest.approx(0.25, abs=0.05)
    assert far.value > nearer.value + 5 * nearer.error


def test_one_row_trained_on_has_no_second() -> None:
    with pytest.raises(ShapeError, match="memorised: data has one row, expected two or more"):
        memorised(normal(0, 5, 2), Data({"x": normal(1, 1, 2)}), Data({"x": normal(2, 5, 2)}))


@settings(max_examples=10)
@given(seed=SEEDS, samples=st.integers(20, 100), rows=st.integers(20, 100))
def test_halves_have_no_row_in_common(seed: int, samples: int, rows: int) -> None:
    data = torch.arange(float(rows))[:, None]
    parts = halves(-1 - torch.arange(float(samples))[:, None], data, seed)
    assert len(parts.one) == len(parts.other) == len(parts.samples) == min(samples, rows // 2)
    assert len({*parts.one[:, 0].tolist()} | {*parts.other[:, 0].tolist()}) == 2 * len(parts.one)
    assert len({*parts.samples[:, 0].tolist()}) == len(parts.samples)


def test_the_front_door_measures_what_the_parts_do() -> None:
    data, samples = moons(400), moons(300, seed=1)["x"]
    found = {figure.name: figure for figure in sample_figures(samples, data, test=moons(200, seed=2))}
    assert list(found) == [
        "sliced Wasserstein distance",
        "squared MMD",
        *("precision", "recall", "density", "coverage"),
        *("nearer to training rows than test rows are", "copies of training rows"),
    ]
    parts = halves(samples, data["x"], 0)
    assert found["sliced Wasserstein distance"].value == sliced_wasserstein(parts.samples, parts.one)
    assert found["recall"].value == coverage(parts.samples, parts.one).recall
    assert found["recall"].how.startswith("5 neighbours, 200 samples, moons; of the data themselves ")


def test_modes_are_counted_where_they_are_known() -> None:
    samples = ring(800, seed=1)["x"]
    some = samples[samples[:, 0] > 0.1]  # the three modes on the right
    found = {figure.name: figure for figure in sample_figures(some, ring(2000))}
    assert found["modes captured"].value == 3
    assert abs(found["samples of high quality"].value - 0.98889) < 5 * sqrt(0.98889 * 0.01111 / len(some))  # Rayleigh


def test_with_features_and_labels_more_is_said(features: Features) -> None:
    data = digits().rows(slice(300))
    found = sample_figures(data["image"], data, labels=data["label"], features=features)
    names = [figure.name for figure in found]
    assert names[-3:] == ["LeNet-FID", "LeNet-KID", "labels as asked"]
    assert found[-1].value == (features.labels(data["image"]) == data["label"]).double().mean().item()
    assert "accuracy" in found[names.index("precision")].how


def test_what_does_not_fit_is_named(features: Features) -> None:
    with pytest.raises(ShapeError, match=r"halves: samples have shape \(3,\), data \(2,\)"):
        sample_figures(normal(0, 50, 3), moons(50))
    with pytest.raises(ShapeError, match="halves: of 50 samples and 12 rows that is 6 each, expected 10"):
        sample_figures(normal(0, 50, 2), moons(12))
    with pytest.raises(ShapeError, match=r"Features: images have shape \(3, 3\), expected \(1, 8, 8\)"):
        features(torch.zeros(5, 3, 3))
    with pytest.raises(GraphError, match="there are only labels in it"):
        train_features(Data({"label": torch.arange(50) % 2}), progress=False)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (3, 12, 9)])
def test_networks_fit_images_of_any_shape(shape: tuple[int, ...]) -> None:
    network = LeNet(shape, 4)
    assert network(torch.zeros(2, *shape)).shape == (2, 4)
    assert network.features(torch.zeros(2, *shape)).shape == (2, 84)


@pytest.mark.gpu
def test_features_are_computed_where_the_network_is(features: Features) -> None:
    images = digits()["image"][:20]
    here = features(images)
    there = replace(features, network=features.network.cuda())(images)
    torch.testing.assert_close(here, there, rtol=1e-3, atol=1e-3)
    features.network.cpu()
