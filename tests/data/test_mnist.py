"""Truths that lwedit.data.mnist must meet: published facts, round trips, refusals by name."""

import contextlib
import gzip
import lzma
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lwedit.data.mnist import MNIST_FOLDER, MNIST_SHA256, load_mnist, parse_idx

# Published facts: classes a split, first labels, and the mean and deviation of the pixels / 255
# that every tutorial normalises the training digits with.
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
NAME = "t10k-labels-idx1-ubyte"


def encode_idx(array):
    header = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


@pytest.fixture(scope="module")
def raw():
    names = [name for name in MNIST_SHA256 if name.startswith("t10k")]
    return {name: lzma.decompress((MNIST_FOLDER / f"{name}.xz").read_bytes()) for name in names}


@pytest.fixture
def folder(tmp_path, raw):
    for name, data in raw.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "counts", "first"),
    [
        ("train", TRAIN_COUNTS, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]),
        ("test", TEST_COUNTS, [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
    ],
)
def test_the_shipped_files_are_mnist(split, counts, first):
    images, labels = load_mnist(split)
    assert images.shape == (sum(counts), 28, 28)
    assert np.bincount(labels).tolist() == counts
    assert labels[:10].tolist() == first
    if split == "train":
        assert images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
        assert images.std() / 255 == pytest.approx(0.3081, abs=5e-5)


@settings(deadline=None, max_examples=50)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)))
def test_an_array_survives_the_round_trip(array):
    np.testing.assert_array_equal(parse_idx(encode_idx(array)), array)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_are_an_array_or_a_value_error(data, with_magic):
    data = b"\x00\x00\x08" + data if with_magic else data
    with contextlib.suppress(ValueError):
        assert encode_idx(parse_idx(data)) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "IDX header"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "IDX header of uint8 values"),
        (b"<!DOCTYPE html>", "IDX header"),
        (b"\x00\x00\x08\x02\x00\x00\x00\x01", "2 axis lengths, got 8 bytes"),
        (encode_idx(np.zeros((2, 3), np.uint8))[:-1], "6 values after its header, got 5"),
        (encode_idx(np.zeros((2, 3), np.uint8)) + b"\x00", "6 values after its header, got 7"),
    ],
)
def test_damaged_idx_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        parse_idx(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("", bytes),
        (".gz", lambda data: gzip.compress(data, compresslevel=1)),
        (".xz", lambda data: lzma.compress(data, preset=0)),
    ],
)
def test_raw_and_compressed_files_give_the_same_digits(tmp_path, raw, suffix, pack):
    for name, data in raw.items():
        (tmp_path / (name + suffix)).write_bytes(pack(data))
    for got, expected in zip(load_mnist("test", tmp_path), load_mnist("test"), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        ("", lambda data: data[:-1]),
        ("", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        ("", lambda data: b"<html><body>404</body></html>"),
        (".gz", lambda data: gzip.compress(data)[:-20]),
        (".gz", lambda data: data),
        (".gz", lambda data: gzip.compress(data)[:10] + b"\xff" * 20),  # no deflate block
        (".xz", lambda data: lzma.compress(data)[:-20]),
        (".xz", lambda data: b"<html><body>404</body></html>"),
        (".xz", lambda data: lzma.compress(b"")),
    ],
)
def test_a_damaged_file_is_refused_by_its_path(folder, raw, suffix, damage):
    (folder / NAME).unlink()
    (folder / (NAME + suffix)).write_bytes(damage(raw[NAME]))
    with pytest.raises(ValueError, match=NAME + suffix):
        load_mnist("test", folder)


def test_a_hash_mismatch_says_what_to_do(folder):
    (folder / NAME).write_bytes(b"other")
    with pytest.raises(ValueError, match=r"must have SHA-256 ff7bcfd4.*fetch the file again"):
        load_mnist("test", folder)


def test_a_missing_file_or_folder_is_named(folder):
    (folder / NAME).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{NAME}.*got {folder}"):
        load_mnist("test", folder)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_mnist("train", folder / "nowhere")
