"""A drawing or photo of digits as an image of the digits domain.

The domain's digits are MNIST's: white ink on black, each as large as 20/28 of its patch. A drawing
is therefore taken apart into digits (strokes closer together than a twentieth of the picture are
one digit), each is scaled to that size, thick strokes with it, and laid down where it was drawn,
moved inwards and away from its neighbours as far as the domain's gap asks.
"""

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from scipy import ndimage

from lwedit.data import MultiMnistConfig

__all__ = ["find_digits", "to_domain"]

_JOIN = 0.05  # of the picture's side
_SPECK = 0.002  # of the picture's area; less ink is dust
_PUSHES = 200


def to_domain(
    grey: UInt8[np.ndarray, "h w"], geometry: MultiMnistConfig, nothing: str
) -> UInt8[np.ndarray, "1 size size"]:
    """The digits of a picture, as the domain would have drawn them.

    Args:
        grey: A drawing, dark on bright or bright on dark.
        geometry: Of the domain.
        nothing: What to say where there is no ink: a drawing was not begun, a photo has none.

    Raises:
        ValueError: In plain words, if there is no ink, too much of it, or too many digits.
    """
    ink = _ink(_square(grey), nothing)
    most = geometry.max_digits
    boxes = find_digits(ink > 96)
    if not boxes:
        raise ValueError(nothing)
    if len(boxes) > most:
        raise ValueError(
            f"{len(boxes)} separate drawings were found, at most {most} digits fit: leave more "
            "room between digits and close their strokes."
        )
    height = round(geometry.patch * 20 / 28)
    side = ink.shape[0]
    patches, centres = [], []
    for rows, columns in boxes:
        patches.append(_shrink(ink[rows, columns], height))
        middle = np.array([rows.start + rows.stop, columns.start + columns.stop]) / 2
        centres.append(middle * geometry.size / side)
    return _lay_down(patches, np.array(centres), geometry)


def find_digits(dark: Bool[np.ndarray, "side side"]) -> list[tuple[slice, slice]]:
    """Rows and columns of each group of strokes, dust left out."""
    reach = max(1, round(_JOIN * len(dark) / 2))
    near = ndimage.distance_transform_edt(~dark) <= reach
    groups, _ = ndimage.label(near & ndimage.binary_fill_holes(near))
    groups[~dark] = 0
    areas = np.bincount(groups.ravel())
    return [
        place
        for i, place in enumerate(ndimage.find_objects(groups), start=1)
        if place is not None and areas[i] >= _SPECK * dark.size
    ]


def _square(grey: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "256 256"]:
    """Padded with the colour of its border, at most 256 pixels a side."""
    image = Image.fromarray(grey)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    longest = max(image.size)
    padded = Image.new("L", (longest, longest), int(np.median(border)))
    padded.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    return np.asarray(padded.resize((256, 256), Image.Resampling.LANCZOS))


def _ink(grey: UInt8[np.ndarray, "h w"], nothing: str) -> UInt8[np.ndarray, "h w"]:
    """White on black, stretched to the full range: the border is paper.

    Raises:
        ValueError: If most of the picture is as dark as ink, or nothing is.
    """
    border = np.concatenate([grey[:4].ravel(), grey[-4:].ravel(), grey[:, :4].ravel(),
                             grey[:, -4:].ravel()])
    away = np.abs(grey.astype(np.float32) - np.median(border))
    most = away.max()
    if most < 40:
        raise ValueError(nothing)
    ink = np.clip(255 * away / most, 0, 255).astype(np.uint8)
    if (ink > 96).mean() > 0.5:
        raise ValueError("Most of the picture is ink; send digits on an even background.")
    return ink


def _shrink(ink: UInt8[np.ndarray, "h w"], height: int) -> UInt8[np.ndarray, "a b"]:
    """One digit with its longer side at `height` pixels."""
    scale = height / max(ink.shape)
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX), np.float32)
    return np.clip(small * 255 / max(small.max(), 1), 0, 255).astype(np.uint8)


def _lay_down(
    patches: list[np.ndarray], centres: np.ndarray, geometry: MultiMnistConfig
) -> UInt8[np.ndarray, "1 size size"]:
    sides = np.array([patch.shape for patch in patches])
    corners = _settle(np.round(centres - sides / 2), sides, geometry)
    canvas = np.zeros((1, geometry.size, geometry.size), np.uint8)
    for patch, (top, left) in zip(patches, corners.astype(int), strict=True):
        place = canvas[0, top : top + patch.shape[0], left : left + patch.shape[1]]
        np.maximum(place, patch, out=place)
    return canvas


def _settle(corners: np.ndarray, sides: np.ndarray, geometry: MultiMnistConfig) -> np.ndarray:
    """Boxes pushed apart pixel by pixel, and kept inside."""
    lowest, highest = geometry.gap, geometry.size - geometry.gap - sides
    corners = np.clip(corners, lowest, highest)
    for _ in range(_PUSHES):
        moved = False
        for a in range(len(corners)):
            for b in range(a):
                overlap = np.minimum(corners[a] + sides[a], corners[b] + sides[b]) + geometry.gap
                overlap -= np.maximum(corners[a], corners[b])
                if (overlap > 0).all():
                    axis = int(np.argmin(overlap))
                    sign = 1 if corners[a][axis] >= corners[b][axis] else -1
                    corners[a][axis] += sign
                    corners[b][axis] -= sign
                    moved = True
        corners = np.clip(corners, lowest, highest)
        if not moved:
            break
    return corners
