"""Files of images: read in full, or refused with one line that says why."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from deepgen.data.binarise import dynamic
from deepgen.data.folder import image_folder
from deepgen.data.idx import read_idx, unpacked
from deepgen.data.images import digits, mnist, static_mnist
from pgm.errors import FileError

needs_data = pytest.mark.skipif(not os.environ.get("DEEPGEN_DATA"), reason="DEEPGEN_DATA is not set")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_idx_files_come_back_as_written(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx(array)))
    np.testing.assert_array_equal(read_idx(unpacked(path), path).numpy(), array)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    raw = idx(np.zeros((3, 4), np.uint8))
    with pytest.raises(FileError, match="11 bytes of data, expected 12 = 3 x 4"):
        read_idx(raw[:-1], "short")
    with pytest.raises(FileError, match="ends within its header"):
        read_idx(raw[:6], "short")
    with pytest.raises(FileError, match="expected an IDX file"):
        read_idx(b"P5 28 28", "picture")
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(raw * 100)[:-20])
    with pytest.raises(FileError, match="cut.gz: it cannot be read"):
        unpacked(path)


def test_other_bytes_than_expected_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros((2, 28, 28), np.uint8))))
    monkeypatch.setenv("DEEPGEN_DATA", str(tmp_path))
    with pytest.raises(FileError, match="SHA-256 sum .* expected ba891046e650"):
        mnist()


def test_a_file_that_is_nowhere_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPGEN_DATA", str(tmp_path))
    with pytest.raises(FileError, match="mnist_static_binary.npz: it is not in the folder that DEEPGEN_DATA names"):
        static_mnist()
    with pytest.raises(FileError, match="no split 'all'"):
        mnist("all")  # type: ignore[arg-type]


@needs_data
def test_mnist_has_the_published_counts() -> None:
    test = mnist("test")
    assert test["image"].shape == (10_000, 28, 28)
    # LeCun, Cortes and Burges (1998): digits of each kind among the 10,000
    assert test["label"].bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert float(test["image"].min()) == 0.0
    assert float(test["image"].max()) == 1.0


@needs_data
def test_static_mnist_is_black_and_white() -> None:
    valid = static_mnist("valid")
    assert valid["image"].shape == (10_000, 28, 28)
    assert set(valid["image"].unique().tolist()) == {0.0, 1.0}
    assert valid["image"].mean().item() == pytest.approx(0.13113, abs=5e-6)  # as published with the file


def test_digits_need_no_download() -> None:
    data = digits()
    found = load_digits()
    assert torch.equal(data["image"], torch.from_numpy(found.images / 16).float())
    assert torch.equal(data["label"], torch.from_numpy(found.target).long())


def picture(path: Path, shade: int, size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("L", size, shade).save(path)


def test_folders_of_images_are_classes(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "a.png", 0)
    picture(tmp_path / "dog" / "b.png", 255)
    data = image_folder(tmp_path, grey=True)
    assert data["image"].shape == (2, 1, 4, 6)
    assert data["image"].mean((1, 2, 3)).tolist() == [0.0, 1.0]
    assert data["label"].tolist() == [0, 1]
    parts = [data, *data.split(1), dynamic(data), data.to("cpu")]
    assert {part.variable("label").states for part in parts} == {("cat", "dog")}  # the rare ones too
    assert image_folder(tmp_path, size=(8, 8))["image"].shape == (2, 3, 8, 8)


def test_folders_that_do_not_do_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there are no images"):
        image_folder(tmp_path)
    picture(tmp_path / "a.png", 0)
    picture(tmp_path / "b.png", 0, (5, 5))
    with pytest.raises(FileError, match="a.png is 4 x 6 and b.png 5 x 5; give a size"):
        image_folder(tmp_path)
    (tmp_path / "c.png").write_text("no picture")
    with pytest.raises(FileError, match="c.png: it is no image"):
        image_folder(tmp_path)
    (tmp_path / "c.png").unlink()
    picture(tmp_path / "cat" / "d.png", 0)
    with pytest.raises(FileError, match="lies beside the folders"):
        image_folder(tmp_path, size=(4, 4))


def test_pixels_are_where_they_were(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    torch.testing.assert_close(image_folder(tmp_path)["image"][0], expected)
