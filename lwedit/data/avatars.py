"""Avatars: portraits composed of parts, with exact attributes and an exact mask of every part.

The parts are Pablo Stanley's Avataaars as DiceBear's style file has them, rendered once
(`python -m training.avatars.sprites`); `assets/avatars/README.md` has their licence. A portrait
is one choice for each factor in `FACTORS` (top, mouth, skin colour, ...). A part is drawn over
what is there by one affine map of the colours in each pixel,

    x <- t x + b colour + c,

with the part's sprite (t, b, c) and its colour: every layer of the drawing is blended with some
opacity, and such blends compose to that form. So the composition equals the SVG renderer's up to
its rounding. Sprites have 128 px; images of 64 px are averages over 2 x 2 pixels.

Factors are drawn independently (*balanced*), or *biased* so that chosen pairs of attributes are
correlated (`lwedit.data.biased`). What a choice means for the attributes stands beside it in
`FACTORS`, so labels are exact. Eyes that dark lenses would hide are always plain, hair that a hat
hides has no colour, and parts that blur an attribute (a bun, a wink, bared teeth) are left out,
so that every attribute can be seen.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from lwedit.shipped import assets

__all__ = [
    "ATTRIBUTES",
    "FACTORS",
    "FOLDER",
    "LAYERS",
    "REGIONS",
    "SIDE",
    "Avatars",
    "Choice",
    "Draw",
    "attributes_of",
    "compose",
    "draw_factors",
    "make_avatars",
    "masks_of",
]

FOLDER = assets("avatars")
SIDE = 128  # pixels of a sprite


class Choice(NamedTuple):
    """One value of a factor.

    Attributes:
        name: The artist's name of the part, or a colour.
        share: Probability in the balanced distribution.
        attributes: What a portrait with it has.
    """

    name: str
    share: float
    attributes: tuple[str, ...] = ()


def _alike(share: float, names: str, *attributes: str) -> tuple[Choice, ...]:
    """Choices that share a probability evenly and mean the same."""
    each = names.split()
    return tuple(Choice(name, share / len(each), attributes) for name in each)


FACTORS: dict[str, tuple[Choice, ...]] = {
    "top": (
        *_alike(0.14, "none sides", "bald"),
        *_alike(0.25, "hat turban winterHat02 winterHat1", "headwear"),
        *_alike(0.16, "shortFlat shortRound shortWaved theCaesar theCaesarAndSidePart shaggy"),
        *_alike(0.13, "dreads01 dreads02 fro", "curly"),
        *_alike(0.17, "bob longButNotTooLong miaWallace straight01 straight02 straightAndStrand",
                "long_hair"),
        *_alike(0.15, "bigHair curly curvy dreads", "long_hair", "curly"),
    ),
    "facialHair": (
        Choice("none", 0.6),
        *_alike(0.24, "beardLight beardMedium beardMajestic", "beard"),
        *_alike(0.16, "moustacheFancy moustacheMagnum", "moustache"),
    ),
    "mouth": (
        *_alike(0.27, "default smile tongue", "smiling", "mouth_open"),
        *_alike(0.21, "twinkle", "smiling"),
        *_alike(0.12, "concerned disbelief", "frowning", "mouth_open"),
        *_alike(0.13, "sad", "frowning"),
        *_alike(0.11, "screamOpen", "mouth_open"),
        *_alike(0.16, "serious"),
    ),
    "eyes": (
        *_alike(0.45, "default side squint"),
        *_alike(0.29, "closed happy", "eyes_closed"),
        *_alike(0.26, "surprised", "surprised"),
    ),
    "eyebrows": (
        *_alike(0.30, "raisedExcited raisedExcitedNatural", "raised_brows"),
        *_alike(0.26, "angry angryNatural", "angry_brows"),
        *_alike(0.44, "default defaultNatural flatNatural sadConcerned sadConcernedNatural"),
    ),
    "accessories": (
        Choice("none", 0.55),
        *_alike(0.27, "prescription01 prescription02 round", "eyeglasses"),
        *_alike(0.18, "sunglasses wayfarers", "sunglasses"),
    ),
    "clothes": (
        *_alike(0.36, "shirtCrewNeck shirtScoopNeck shirtVNeck"),
        *_alike(0.08, "overall"),
        *_alike(0.20, "hoodie", "hoodie"),
        *_alike(0.12, "collarAndSweater", "collar"),
        *_alike(0.13, "blazerAndSweater", "collar", "blazer"),
        *_alike(0.11, "blazerAndShirt", "blazer"),
    ),
    "hairColor": (
        *_alike(0.36, "#2c1b18 #4a312c", "dark_hair"),
        *_alike(0.26, "#f0d264 #dfb93f", "light_hair"),
        *_alike(0.18, "#c93305", "red_hair"),
        *_alike(0.20, "#929598", "grey_hair"),
    ),
    "skinColor": (
        *_alike(0.30, "#ffdbb4", "pale_skin"),
        *_alike(0.36, "#edb98a #d08b5b"),
        *_alike(0.34, "#ae5d29 #7b4b35", "dark_skin"),
    ),
    "clothesColor": (
        *_alike(0.34, "#262e33 #25557c", "dark_clothes"),
        *_alike(0.66, "#5199e4 #ff5c5c #ffafb9 #a7ffc4 #ffffb1 #e6e6e6"),
    ),
    "hatColor": _alike(1.0, "#262e33 #25557c #5199e4 #ff5c5c #ffafb9 #a7ffc4 #ffffb1"),
    "accessoriesColor": (Choice("#262e33", 0.6), *_alike(0.4, "#25557c #ff5c5c")),
    "backgroundColor": _alike(1.0, "#b6e3f4 #c0aede #ffd5dc #c9e7cb"),
}

# Parts from the back to the front, with the factor of their colour.
LAYERS: dict[str, str] = {
    "body": "skinColor",
    "clothes": "clothesColor",
    "mouth": "skinColor",
    "eyes": "skinColor",
    "eyebrows": "skinColor",
    "top": "hairColor",
    "facialHair": "hairColor",
    "accessories": "accessoriesColor",
}

# Classes of the masks.
REGIONS = ("background", "skin", "clothes", "mouth", "eyes", "brows", "hair", "headwear",
           "facial_hair", "glasses")

ATTRIBUTES = (
    "eyeglasses", "sunglasses", "headwear", "long_hair", "bald", "curly", "beard", "moustache",
    "dark_hair", "light_hair", "red_hair", "grey_hair", "pale_skin", "dark_skin", "smiling",
    "frowning", "mouth_open", "eyes_closed", "surprised", "raised_brows", "angry_brows", "collar",
    "hoodie", "blazer", "dark_clothes",
)

_COLUMN = {name: i for i, name in enumerate(FACTORS)}
_HAIR_COLOURS = ("dark_hair", "light_hair", "red_hair", "grey_hair")


class Avatars(NamedTuple):
    """Portraits and their truth.

    Attributes:
        images: RGB.
        attributes: Columns as in `ATTRIBUTES`.
        factors: The choice in each factor, columns as in `FACTORS`.
    """

    images: UInt8[np.ndarray, "n 3 size size"]
    attributes: Bool[np.ndarray, "n attributes"]
    factors: Int[np.ndarray, "n factors"]


Draw = Callable[[int, np.random.Generator], Int[np.ndarray, "n factors"]]


class _Sprite(NamedTuple):
    """A part inside its box: x <- t x + b colour + c, and where it hides what is behind."""

    box: tuple[slice, slice]
    t: Float[np.ndarray, "h w"]
    b: Float[np.ndarray, "h w"]
    c: Float[np.ndarray, "3 h w"] | None
    cover: Float[np.ndarray, "h w"]


def make_avatars(
    n: int, rng: np.random.Generator, *, size: int = 64, draw: Draw | None = None
) -> Avatars:
    """Draw n portraits.

    Args:
        n: Number of portraits.
        rng: Source of the choices; the same state gives the same portraits.
        size: Side in pixels, 64 or 128.
        draw: Distribution of the choices: `BiasedAvatars.draw`, the balanced one if None.
    """
    factors = (draw or draw_factors)(n, rng)
    return Avatars(compose(factors, size=size), attributes_of(factors), factors)


def draw_factors(n: int, rng: np.random.Generator) -> Int[np.ndarray, "n factors"]:
    """Choices from the balanced distribution: factors independent, but for hidden eyes."""
    columns = []
    for choices in FACTORS.values():
        bounds = np.cumsum([choice.share for choice in choices])
        columns.append(np.searchsorted(bounds[:-1], rng.random(n), side="right"))
    factors = np.stack(columns, axis=1)
    dark_lenses = _has("sunglasses", "accessories")[factors[:, _COLUMN["accessories"]]]
    factors[dark_lenses, _COLUMN["eyes"]] = 0
    return factors


def attributes_of(factors: Int[np.ndarray, "n factors"]) -> Bool[np.ndarray, "n attributes"]:
    """What each portrait has, columns as in `ATTRIBUTES`."""
    found = np.zeros((len(factors), len(ATTRIBUTES)), bool)
    for column, name in zip(factors.T, FACTORS, strict=True):
        found |= np.stack([_has(attribute, name) for attribute in ATTRIBUTES], axis=1)[column]
    top, beard = (factors[:, _COLUMN[name]] for name in ("top", "facialHair"))
    hidden = (_has("headwear", "top") | _is("none", "top"))[top] & _is("none", "facialHair")[beard]
    for attribute in _HAIR_COLOURS:
        found[hidden, ATTRIBUTES.index(attribute)] = False
    return found


def compose(
    factors: Int[np.ndarray, "n factors"], *, size: int = 64
) -> UInt8[np.ndarray, "n 3 size size"]:
    """Portraits of the given choices.

    Args:
        factors: Columns as in `FACTORS`.
        size: Side in pixels, 64 or 128.

    Raises:
        ValueError: If there is no such size.
    """
    if size not in (SIDE // 2, SIDE):
        raise ValueError(f"size must be {SIDE // 2} or {SIDE}, got {size}.")
    sprites, palette = _sprites(), _palettes()
    images = np.empty((len(factors), 3, size, size), np.uint8)
    canvas = np.empty((3, SIDE, SIDE), np.float32)
    for image, row in zip(images, factors, strict=True):
        canvas[:] = palette["backgroundColor"][row[_COLUMN["backgroundColor"]]]
        for part, colour in _layers_of(row):
            sprite = sprites[part]
            here = canvas[(slice(None), *sprite.box)]
            here *= sprite.t
            here += sprite.b * palette[colour][row[_COLUMN[colour]]]
            if sprite.c is not None:
                here += sprite.c
        image[:] = np.minimum(_averaged(canvas, SIDE // size) + 0.5, 255)
    return images


def masks_of(
    factors: Int[np.ndarray, "n factors"], *, size: int = 64
) -> UInt8[np.ndarray, "n size size"]:
    """The region that is seen most in each pixel, an index into `REGIONS`.

    Args:
        factors: Columns as in `FACTORS`.
        size: Side in pixels, 64 or 128.
    """
    sprites, headwear = _sprites(), _has("headwear", "top")
    masks = np.empty((len(factors), size, size), np.uint8)
    seen = np.empty((len(REGIONS), SIDE, SIDE), np.float32)
    regions = {"body": "skin", "eyebrows": "brows", "top": "hair", "facialHair": "facial_hair",
               "accessories": "glasses"}
    for mask, row in zip(masks, factors, strict=True):
        seen[:] = 0
        seen[0] = 1
        for part, _ in _layers_of(row):
            sprite, slot = sprites[part], part.split("/")[0]
            region = regions.get(slot, slot)
            if slot == "top" and headwear[row[_COLUMN["top"]]]:
                region = "headwear"
            seen[(slice(None), *sprite.box)] *= 1 - sprite.cover
            seen[(REGIONS.index(region), *sprite.box)] += sprite.cover
        mask[:] = _averaged(seen, SIDE // size).argmax(axis=0)
    return masks


def _layers_of(row: Int[np.ndarray, " factors"]) -> list[tuple[str, str]]:
    """The parts of a portrait from back to front, each with the factor of its colour."""
    parts = [("body", "skinColor")]
    for slot, colour in LAYERS.items():
        if slot == "body":
            continue
        choice = FACTORS[slot][row[_COLUMN[slot]]]
        if choice.name != "none":
            colour = "hatColor" if "headwear" in choice.attributes else colour
            parts.append((f"{slot}/{choice.name}", colour))
    return parts


def _averaged(x: Float[np.ndarray, "k h w"], by: int) -> Float[np.ndarray, "k h2 w2"]:
    """Means over by x by pixels."""
    if by == 1:
        return x
    rows = x[:, ::2] + x[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4


@cache
def _has(attribute: str, factor: str) -> Bool[np.ndarray, " choices"]:
    return np.array([attribute in choice.attributes for choice in FACTORS[factor]])


@cache
def _is(name: str, factor: str) -> Bool[np.ndarray, " choices"]:
    return np.array([choice.name == name for choice in FACTORS[factor]])


@cache
def _palettes() -> dict[str, Float[np.ndarray, "choices 3 1 1"]]:
    """The colours of each factor of colours, 0 to 255."""
    return {
        name: np.array([list(bytes.fromhex(choice.name[1:])) for choice in choices], np.float32)[
            :, :, None, None
        ]
        for name, choices in FACTORS.items() if name.endswith("Color")
    }


@cache
def _sprites() -> dict[str, _Sprite]:
    """The shipped parts by name.

    Raises:
        ValueError: If the file is missing or is not the one whose hash stands beside it.
    """
    about = json.loads((FOLDER / "sprites.json").read_text())
    path = FOLDER / "sprites.npz"
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != about["sha256"]:
        raise ValueError(f"{path} must be the file whose SHA-256 is in sprites.json beside it.")
    planes = np.load(path, allow_pickle=False)["planes"]  # (parts, t b c c c cover, SIDE, SIDE)
    return {name: _cropped(part) for name, part in zip(about["parts"], planes, strict=True)}


def _cropped(planes: UInt8[np.ndarray, "6 side side"]) -> _Sprite:
    drawn = (planes[0] < 255) | planes[1:].any(axis=0)
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = planes[(slice(None), *box)].astype(np.float32)
    constant = part[2:5] if part[2:5].any() else None
    return _Sprite(box, part[0] / 255, part[1] / 255, constant, part[5] / 255)
