"""The MNIST digits, read from the four IDX files and checked against their SHA-256.

The files are those of LeCun, Cortes and Burges; they ship in `assets/mnist/`, compressed
with xz, and may also be given as a folder of one's own (raw, .gz or .xz). What is checked is
the hash of the *uncompressed* file, so every way of obtaining them ends in the same bytes.
An IDX file is a big-endian header (two zero bytes, a type byte, the number of axes, then one
int32 an axis) followed by the values; type 8 is uint8.
"""

import gzip
import hashlib
import lzma
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8

from lwedit.shipped import assets

__all__ = ["MNIST_FOLDER", "MNIST_SHA256", "MnistDigits", "Split", "load_mnist", "parse_idx"]

Split = Literal["train", "test"]

MNIST_FOLDER = assets("mnist")

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_PREFIX = {"train": "train", "test": "t10k"}
_OPENERS: dict[str, Callable[..., Any]] = {"": open, ".gz": gzip.open, ".xz": lzma.open}


class MnistDigits(NamedTuple):
    """Single digits.

    Attributes:
        images: Ink of each digit, 0 is paper and 255 is full ink.
        labels: Class 0 to 9 of each digit.
    """

    images: UInt8[np.ndarray, "n 28 28"]
    labels: UInt8[np.ndarray, " n"]


def load_mnist(split: Split, folder: Path | None = None) -> MnistDigits:
    """Read the 60,000 training or the 10,000 test digits.

    Args:
        split: "train" or "test".
        folder: Where the IDX files lie, raw or compressed; the shipped files by default.

    Returns:
        Images and labels in the order of the files.

    Raises:
        FileNotFoundError: If a file is in the folder in none of the three forms.
        ValueError: If a file is damaged or is not MNIST's.
    """
    folder = MNIST_FOLDER if folder is None else Path(folder)
    prefix = _PREFIX[split]
    images = parse_idx(_read_checked(folder, f"{prefix}-images-idx3-ubyte"))
    labels = parse_idx(_read_checked(folder, f"{prefix}-labels-idx1-ubyte"))
    return MnistDigits(images, labels)


def parse_idx(data: bytes) -> UInt8[np.ndarray, "..."]:
    """Decode an IDX file of uint8 values.

    Raises:
        ValueError: If the header is not IDX's or the values are not as many as it says.
    """
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"data must begin with an IDX header of uint8 values, got {data[:4]!r}.")
    axes = data[3]
    start = 4 + 4 * axes
    if len(data) < start:
        raise ValueError(f"data must hold {axes} axis lengths, got {len(data)} bytes.")
    shape = struct.unpack(f">{axes}I", data[4:start])
    expected, found = math.prod(shape), len(data) - start
    if found != expected:
        raise ValueError(f"data must hold {expected} values after its header, got {found}.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _read_checked(folder: Path, name: str) -> bytes:
    for suffix, opener in _OPENERS.items():
        path = folder / (name + suffix)
        if not path.is_file():
            continue
        try:
            with opener(path, "rb") as file:
                data = file.read()
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise ValueError(f"{path} must be a whole file, got: {error}.") from error
        digest = hashlib.sha256(data).hexdigest()
        if digest != MNIST_SHA256[name]:
            raise ValueError(
                f"{path} must have SHA-256 {MNIST_SHA256[name]} once unpacked, got {digest}; "
                "fetch the file again."
            )
        return data
    forms = ", ".join(name + suffix for suffix in _OPENERS)
    raise FileNotFoundError(f"folder must hold one of {forms}, got {folder}.")
