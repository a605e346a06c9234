"""MultiMNIST: images with one to four MNIST digits, placed freely without touching.

The paper edits "images with 1 to 4 MNIST digits". An image is made slot by slot: every slot
proposes many positions at once and takes the first whose ink box, grown by `gap` pixels,
misses the boxes already there; an image in which a slot finds no room is begun again. Count
is uniform on [min_digits, max_digits]; digits are drawn from their pool with equal chance, so
classes come in MNIST's own shares (9 to 11 %); a place is uniform among those still free. The
truth (count, classes, boxes) is exact because the images are made from it.

Three pools of digits never mix, so that no judge has seen a digit of the images it judges:
`domain` (MNIST training digits 0-29,999) for the generator, the encoder and the codes,
`judges` (30,000-59,999) for the judges, `heldout` (MNIST's test digits) for evaluation.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int, Integer, UInt8

from lwedit.data.mnist import MnistDigits, load_mnist

__all__ = [
    "Digits",
    "MultiMnist",
    "MultiMnistConfig",
    "Pool",
    "digits_for",
    "make_multimnist",
    "prepare_digits",
]

Pool = Literal["domain", "judges", "heldout"]

_INK = 40  # a pixel fainter than this is the resampling's blur, not ink
_PROPOSALS = 48
_ROUNDS = 1000


@dataclass(frozen=True)
class MultiMnistConfig:
    """Geometry of the images.

    Attributes:
        size: Side of the image in pixels.
        patch: Side to which MNIST's 28-pixel digits are resized; their ink spans about 5/7 of it.
        gap: Least distance in pixels between two ink boxes, and from a box to the border.
        min_digits: Fewest digits in an image.
        max_digits: Most digits in an image.
    """

    size: int = 64
    patch: int = 22
    gap: int = 2
    min_digits: int = 1
    max_digits: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.min_digits <= self.max_digits:
            raise ValueError(
                "min_digits must lie in [0, max_digits], got "
                f"{self.min_digits} with max_digits = {self.max_digits}."
            )
        if self.max_digits * (self.patch + self.gap) ** 2 > self.size**2:
            raise ValueError(
                f"max_digits = {self.max_digits} patches of {self.patch} px must fit into "
                f"{self.size} x {self.size} px; take a smaller patch or a larger size."
            )
        if self.max_digits and self.patch + 2 * self.gap > self.size:
            raise ValueError(
                f"patch = {self.patch} px and a gap of {self.gap} px on both sides must fit into "
                f"{self.size} px; take a smaller patch or a larger size."
            )

    @classmethod
    def paper(cls) -> "MultiMnistConfig":
        """The 128-px preset, every length doubled."""
        return cls(size=128, patch=44, gap=4)


class Digits(NamedTuple):
    """Digits resized to their patch, with the box of their ink.

    Attributes:
        images: Patches.
        labels: Class of each.
        boxes: Ink of each as (top, left, bottom, right) in the patch, ends excluded.
    """

    images: UInt8[np.ndarray, "n patch patch"]
    labels: UInt8[np.ndarray, " n"]
    boxes: Int[np.ndarray, "n 4"]


class MultiMnist(NamedTuple):
    """Images and their truth; slots that are empty hold -1.

    Attributes:
        images: One channel, 0 is paper.
        counts: Digits in each image.
        classes: Class of the digit in each slot.
        boxes: Ink box of each slot as (top, left, bottom, right), ends excluded.
    """

    images: UInt8[np.ndarray, "n 1 size size"]
    counts: Int[np.ndarray, " n"]
    classes: Int[np.ndarray, "n slots"]
    boxes: Int[np.ndarray, "n slots 4"]


def digits_for(pool: Pool, config: MultiMnistConfig, folder: Path | None = None) -> Digits:
    """The digits of one pool, ready to be placed.

    Args:
        pool: Which of the three disjoint pools.
        config: Geometry; only `patch` matters here.
        folder: MNIST's files, the shipped ones by default.
    """
    mnist = load_mnist("test" if pool == "heldout" else "train", folder)
    part = {"domain": slice(0, 30_000), "judges": slice(30_000, 60_000), "heldout": slice(None)}
    return prepare_digits(MnistDigits(mnist.images[part[pool]], mnist.labels[part[pool]]), config)


def prepare_digits(mnist: MnistDigits, config: MultiMnistConfig) -> Digits:
    """Resize digits to their patch (antialiased bilinear) and find their ink.

    Raises:
        ValueError: If a digit is blank once resized.
    """
    ink = torch.from_numpy(mnist.images.copy())[:, None].float()
    ink = torch.nn.functional.interpolate(
        ink, size=(config.patch, config.patch), mode="bilinear", antialias=True
    )
    images = ink[:, 0].round().clamp(0, 255).to(torch.uint8).numpy()
    dark = images >= _INK
    if not (inked := dark.any(axis=(1, 2))).all():
        raise ValueError(
            f"mnist must hold ink of at least {_INK} in every digit once resized to "
            f"{config.patch} px, got none in digit {inked.argmin()}."
        )
    top, bottom = _extent(np.asarray(dark.any(axis=2)))
    left, right = _extent(np.asarray(dark.any(axis=1)))
    boxes = np.stack([top, left, bottom, right], axis=1)
    return Digits(images * _inside(boxes, config.patch), mnist.labels, boxes)


def make_multimnist(
    digits: Digits, n: int, config: MultiMnistConfig, rng: np.random.Generator
) -> MultiMnist:
    """Draw n images.

    Args:
        digits: What to place, from `digits_for` or `prepare_digits`.
        n: Number of images.
        config: Geometry.
        rng: Source of counts, digits and places; the same state gives the same images.

    Returns:
        Images with their truth.

    Raises:
        ValueError: If the digits do not fit into the images, however often they are drawn.
    """
    slots = max(config.max_digits, 1)
    counts = rng.integers(config.min_digits, config.max_digits, size=n, endpoint=True)
    chosen = rng.integers(len(digits.labels), size=(n, slots))
    boxes = np.full((n, slots, 4), -1)
    todo = np.flatnonzero(counts > 0)
    for _ in range(_ROUNDS):
        if not len(todo):
            break
        boxes[todo], placed = _place(digits.boxes[chosen[todo]], counts[todo], config, rng)
        todo = todo[~placed]
        chosen[todo] = rng.integers(len(digits.labels), size=(len(todo), slots))
    if len(todo):
        raise ValueError(
            f"digits must find room in {config.size} x {config.size} px, but {counts[todo].max()} "
            f"of them did not in {_ROUNDS} rounds; take fewer, a smaller patch or a larger size."
        )
    empty = np.arange(slots) >= counts[:, None]
    boxes[empty] = -1
    classes = np.where(empty, -1, digits.labels[chosen].astype(np.int64))
    return MultiMnist(_paint(digits, chosen, boxes, config), counts, classes, boxes)


def _extent(
    hit: Bool[np.ndarray, "n side"],
) -> tuple[Integer[np.ndarray, " n"], Integer[np.ndarray, " n"]]:
    """First and one-past-last true position of each row."""
    return hit.argmax(axis=1), hit.shape[1] - hit[:, ::-1].argmax(axis=1)


def _inside(boxes: Int[np.ndarray, "n 4"], patch: int) -> UInt8[np.ndarray, "n patch patch"]:
    """1 inside each box: what lies outside is faint and would overlap a neighbour."""
    i = np.arange(patch)
    rows = (i >= boxes[:, :1]) & (i < boxes[:, 2:3])
    columns = (i >= boxes[:, 1:2]) & (i < boxes[:, 3:])
    return (rows[:, :, None] & columns[:, None, :]).astype(np.uint8)


def _place(
    ink: Int[np.ndarray, "n slots 4"],
    counts: Int[np.ndarray, " n"],
    config: MultiMnistConfig,
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, "n slots 4"], Bool[np.ndarray, " n"]]:
    """Boxes for every slot in turn, and whether each image found room for all of its digits."""
    n, slots = ink.shape[:2]
    sides = ink[..., 2:] - ink[..., :2]  # (n, slots, 2), height and width of the ink
    boxes = np.full((n, slots, 4), -1)
    fits = np.ones(n, bool)
    for slot in range(slots):
        room = config.size - 2 * config.gap - sides[:, slot]  # (n, 2)
        u = rng.random((n, _PROPOSALS, 2))
        corner = config.gap + np.floor(u * (room[:, None] + 1)).astype(np.int64)
        proposal = np.concatenate([corner, corner + sides[:, slot, None]], axis=2)
        free = np.ones((n, _PROPOSALS), bool)
        for other in range(slot):
            free &= _apart(proposal, boxes[:, other, None], config.gap)
        first = free.argmax(axis=1)
        used = slot < counts
        fits &= free.any(axis=1) | ~used
        boxes[:, slot] = np.where(used[:, None], proposal[np.arange(n), first], -1)
    return boxes, fits


def _apart(
    a: Int[np.ndarray, "n p 4"], b: Int[np.ndarray, "n 1 4"], gap: int
) -> Bool[np.ndarray, "n p"]:
    above = (a[..., 2:] + gap <= b[..., :2]).any(axis=-1)
    below = (b[..., 2:] + gap <= a[..., :2]).any(axis=-1)
    return np.asarray(above | below)


def _paint(
    digits: Digits,
    chosen: Int[np.ndarray, "n slots"],
    boxes: Int[np.ndarray, "n slots 4"],
    config: MultiMnistConfig,
) -> UInt8[np.ndarray, "n 1 size size"]:
    """Lay the ink of each digit into its box."""
    size, patch = config.size, config.patch
    canvas = np.zeros((len(chosen), size + 2 * patch, size + 2 * patch), np.uint8)
    steps = np.arange(patch)
    for slot in range(chosen.shape[1]):
        image = np.flatnonzero(boxes[:, slot, 0] >= 0)
        digit = chosen[image, slot]
        origin = patch + boxes[image, slot, :2] - digits.boxes[digit, :2]  # corner of the patch
        rows = origin[:, 0, None, None] + steps[:, None]
        columns = origin[:, 1, None, None] + steps[None, :]
        here = (image[:, None, None], rows, columns)
        canvas[here] = np.maximum(canvas[here], digits.images[digit])
    return canvas[:, None, patch:-patch, patch:-patch].copy()
