"""Distractors: marks in MultiMNIST images that a person would not count as a digit.

A generator that is pushed along a direction leaves scraps: short strokes, shadows of digits,
smears. A judge that has seen digits and clean paper only takes many of them for a 1. Here they
are made from real digits and drawn lines and laid into real images, whose truth stays what it
was. A digit is about 5/7 of its patch high (16 px at 64 px an image); contrast is the darkest
pixel over full ink. Six kinds, each with equal chance:

    kind      what it is                                      height           contrast
    fragment  piece of a digit seen through an oval window    at most a third  .4 to 1
    stroke    drawn line, .5 to 1 of its window long          at most a third  .4 to 1
    scratch   drawn curve, a third to a whole digit long      any              .1 to .35
    faint     whole digit                                     any              .1 to .35
    smear     piece of a digit, at most a third high, drawn   at most a half   .15 to .5
              out sideways over a third to a whole digit's
              height, rising or falling by at most a sixth
    ghost     whole digit under a Gaussian blur whose sigma   any              .1 to .35
              is 1/7 to 1/4 of the patch

Windows of fragments and strokes are at most a third of a digit high and twice that wide. Half
of the distractors lie apart, `gap` pixels from every digit where there is room; the others are
laid against the outermost ink of a digit in a direction drawn at random, as are those for which
there is no room. A vertical line as long as a digit at full contrast is a 1 and is never drawn.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d

from lwedit.data.multimnist import Digits, MultiMnist, MultiMnistConfig

__all__ = ["KINDS", "Distracted", "add_distractors", "draw_distractor"]

KINDS = ("fragment", "stroke", "scratch", "faint", "smear", "ghost")
_FAINT, _STRONG, _SMEARED = (0.10, 0.35), (0.4, 1.0), (0.15, 0.5)
_PROPOSALS = 32

Patch = Float[np.ndarray, "_ _"]  # ink from 0 to 1, cut to its box


class Distracted(NamedTuple):
    """Images with distractors; the slots of images that have fewer hold -1 and false.

    Attributes:
        images: The images with ink added; counts, classes and boxes are those that were given.
        kinds: Index into `KINDS` of each distractor.
        touching: Whether it was laid against a digit.
    """

    images: MultiMnist
    kinds: Int[np.ndarray, "n most"]
    touching: Bool[np.ndarray, "n most"]


def add_distractors(
    images: MultiMnist,
    digits: Digits,
    config: MultiMnistConfig,
    rng: np.random.Generator,
    *,
    share: float = 1.0,
    most: int = 1,
) -> Distracted:
    """Lay distractors into a share of the images.

    Args:
        images: Images with their truth; not changed.
        digits: What distractors are made from.
        config: Geometry of both.
        rng: Source of which, where and how many; the same state gives the same distractors.
        share: Chance of an image to get any.
        most: Most distractors in an image; their number is uniform on [1, most].

    Raises:
        ValueError: If share is no chance or most is less than one.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}.")
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    n = len(images.counts)
    numbers = rng.integers(1, most, size=n, endpoint=True) * (rng.random(n) < share)
    kinds, touching = np.full((n, most), -1), np.zeros((n, most), bool)
    pixels = images.images.copy()
    for i in np.flatnonzero(numbers):
        taken = list(images.boxes[i, : images.counts[i]])
        for slot in range(numbers[i]):
            kinds[i, slot] = rng.integers(len(KINDS))
            ink = draw_distractor(KINDS[kinds[i, slot]], digits, config, rng)
            corner = _apart(ink, taken, config, rng) if rng.random() < 0.5 else None
            touching[i, slot] = corner is None and images.counts[i] > 0
            if touching[i, slot]:
                digit = images.boxes[i, rng.integers(images.counts[i])]
                corner = _against(ink, images.images[i, 0], digit, rng)
            elif corner is None:
                corner = rng.integers(0, _room(ink, config))
            _lay(ink, pixels[i, 0], corner)
            taken.append(np.concatenate([corner, corner + ink.shape]))
    return Distracted(images._replace(images=pixels), kinds, touching)


def draw_distractor(
    kind: str, digits: Digits, config: MultiMnistConfig, rng: np.random.Generator
) -> Patch:
    """Ink of one distractor, from 0 to 1, cut to the box that it fills.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    height = config.patch * 5 // 7
    third = height // 3
    digit = digits.images[rng.integers(len(digits.images))] / 255.0
    low, high = _FAINT
    if kind == "fragment":
        low, high = _STRONG
        ink = _piece(digit, third, rng)
    elif kind == "stroke":
        low, high = _STRONG
        window = (third, int(rng.integers(third, 2 * third, endpoint=True)))
        ink = _line(window, rng.uniform(0.5, 1.0), rng.uniform(1, 2.2) * config.patch / 22, rng)
    elif kind == "scratch":
        length = rng.uniform(1 / 3, 1)
        ink = _line((height, height), length, rng.uniform(1, 3) * config.patch / 22, rng)
    elif kind == "smear":
        low, high = _SMEARED
        rise = rng.uniform(-1, 1) * (height // 2 - third)
        ink = _smeared(_piece(digit, third, rng), rng.uniform(1 / 3, 1) * height, rise, rng)
    elif kind == "ghost":
        sigma = rng.uniform(1 / 7, 1 / 4) * config.patch
        blurred = gaussian_filter(np.pad(digit, config.patch // 2), sigma, truncate=3)
        ink = np.maximum(blurred - 0.08 * blurred.max(), 0)  # fades out before its patch ends
    else:
        ink = digit
    return _cut(ink * rng.uniform(low, high) / ink.max())


def _piece(digit: Patch, third: int, rng: np.random.Generator) -> Patch:
    """What an oval window around a pixel of full ink shows of a digit."""
    sides = rng.integers(third // 2 + 1, [third, 2 * third], endpoint=True)
    full = np.argwhere(digit > 0.6 * digit.max())
    row, column = full[rng.integers(len(full))]
    top, left = row - sides[0] // 2, column - sides[1] // 2
    rows, columns = np.ogrid[: sides[0], : sides[1]]
    v, u = (rows + 0.5) / sides[0] - 0.5, (columns + 0.5) / sides[1] - 0.5
    inside = np.clip((0.5 - np.hypot(u, v)) * sides.min() + 0.5, 0, 1)
    padded = np.pad(digit, 2 * third)
    top, left = top + 2 * third, left + 2 * third
    return padded[top : top + sides[0], left : left + sides[1]] * inside


def _line(
    window: tuple[int, int], length: float, width: float, rng: np.random.Generator
) -> Patch:
    """A slightly bent line of any direction, `length` of the window's way through its middle."""
    sides = np.array(window)
    angle = rng.uniform(0, np.pi)
    way = np.array([np.sin(angle), np.cos(angle)])
    reach = (sides / np.maximum(np.abs(way), 1e-6)).min() * length / 2 - width / 2
    bend = rng.uniform(-0.3, 0.3) * reach * way[::-1] * [1, -1]
    t = np.linspace(-1, 1, 15)[:, None]
    path = sides / 2 + t * max(reach, 0.5) * way + (1 - t**2) * bend
    grid = np.moveaxis(np.indices(window), 0, -1)[:, :, None] + 0.5
    distance = np.sqrt(((grid - path) ** 2).sum(axis=-1).min(axis=2))
    return np.clip(width / 2 - distance + 0.5, 0, 1)


def _smeared(piece: Patch, length: float, rise: float, rng: np.random.Generator) -> Patch:
    """A piece drawn out over `length` columns and `rise` rows, perhaps wiped off at one end."""
    t = np.linspace(0, 1, 4 * int(length))
    rows, columns = np.rint(t * abs(rise)).astype(int), np.rint(t * length).astype(int)
    way = np.zeros((rows[-1] + 1, columns[-1] + 1))
    np.add.at(way, (rows, columns), np.linspace(1, rng.uniform(0, 1), len(t)))
    if rise < 0:
        way = way[::-1]
    return convolve2d(piece, way[:, :: rng.choice([-1, 1])])


def _cut(ink: Patch) -> Patch:
    """Without the rows and columns in which no pixel would be printed."""
    seen = ink * 255 >= 0.5
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _room(ink: Patch, config: MultiMnistConfig) -> Int[np.ndarray, " 2"]:
    """How many corners there are at which the ink lies in the image, down and across."""
    return np.maximum(config.size - np.array(ink.shape) + 1, 1)


def _apart(
    ink: Patch,
    taken: list[Int[np.ndarray, " 4"]],
    config: MultiMnistConfig,
    rng: np.random.Generator,
) -> Int[np.ndarray, " 2"] | None:
    """A corner at which the ink keeps `gap` pixels from all boxes, if one is found."""
    corners = rng.integers(0, _room(ink, config), size=(_PROPOSALS, 2))
    free = np.ones(_PROPOSALS, bool)
    for box in taken:
        below = (corners >= box[2:] + config.gap).any(axis=1)
        above = (corners + ink.shape + config.gap <= box[:2]).any(axis=1)
        free &= below | above
    return corners[free.argmax()] if free.any() else None


def _against(
    ink: Patch,
    image: UInt8[np.ndarray, "size size"],
    box: Int[np.ndarray, " 4"],
    rng: np.random.Generator,
) -> Int[np.ndarray, " 2"]:
    """The corner at which the ink meets the outermost ink of a digit in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    way = np.array([np.sin(angle), np.cos(angle)])
    digit = image[box[0] : box[2], box[1] : box[3]]
    outer = np.argwhere(digit >= 128 * (digit.max() / 255))
    inner = np.argwhere(ink >= 0.5 * ink.max())
    there = box[:2] + outer[(outer @ way).argmax()]
    here = inner[(inner @ way).argmin()]
    return there - here + np.rint(way).astype(np.int64)


def _lay(
    ink: Patch, image: UInt8[np.ndarray, "size size"], corner: Int[np.ndarray, " 2"]
) -> None:
    """Add ink to an image in place: the darker of both, what lies outside is lost."""
    low = np.maximum(corner, 0)
    high = np.minimum(corner + ink.shape, image.shape)
    part = ink[low[0] - corner[0] : high[0] - corner[0], low[1] - corner[1] : high[1] - corner[1]]
    here = image[low[0] : high[0], low[1] : high[1]]
    np.maximum(here, np.rint(part * 255).astype(np.uint8), out=here)
