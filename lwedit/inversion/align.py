"""A photo -> the crop of its largest face that generators of FFHQ expect.

FFHQ (Karras et al., "A Style-Based Generator Architecture for GANs", CVPR 2019, appendix A) turns
and scales every photo by the face's eyes and mouth: with e the vector from the left eye to the
right and m that from the middle of the eyes to the middle of the mouth, the crop is a square

    centre  eyes + 0.1 m,   axis along e - rot90(m),   half a side  max(2 |e|, 1.8 |m|).

FFHQ takes eyes and mouth from dlib's 68 landmarks; here they are the five of MTCNN (Zhang et al.,
2016), whose weights come with facenet-pytorch, so that nothing is downloaded. Where the square
leaves the photo the photo is mirrored, as in FFHQ, without FFHQ's blur there.
"""

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch.nn import functional

from lwedit.vocabulary import from_unit_range, to_unit_range

__all__ = ["FaceFinder", "NoFaceError", "Square", "align", "crop", "square_of"]

Points = Float[np.ndarray, "5 2"]  # left eye, right eye, nose, left and right corner of the mouth
_SIDE = 1024  # of the photo in which a face is looked for
_SURE = 0.9
_LEAST = 20  # pixels of the smallest face that MTCNN looks for
_NO_FACE = (
    "No face was found in this picture. Send a photo in which one face looks towards the camera."
)


class NoFaceError(ValueError):
    """There is no face in a picture; the message is for people."""


class Square(NamedTuple):
    """A turned square in a photo, in pixels, y downwards.

    Attributes:
        x: Centre, from the left.
        y: Centre, from the top.
        across: Half a side, towards the crop's right edge: x part.
        down: Half a side, towards the crop's right edge: y part.
    """

    x: float
    y: float
    across: float
    down: float

    @property
    def side(self) -> float:
        """Pixels of the photo along one side."""
        return 2 * math.hypot(self.across, self.down)


def square_of(points: Points) -> Square:
    """FFHQ's square of a face.

    Args:
        points: Left eye, right eye, nose, left and right corner of the mouth, as seen in the
            picture, (x, y) in pixels.

    Raises:
        ValueError: If the points are not finite or eyes and mouth coincide.
    """
    left, right, _, mouth_left, mouth_right = np.asarray(points, np.float64)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    e, m = right - left, mouth - eyes
    axis = e - np.array([-m[1], m[0]])  # m turned by a quarter points to the left
    length = math.hypot(*axis)
    if not math.isfinite(length) or length < 1e-6:
        raise ValueError(f"points must be those of a face, got {np.round(points, 1).tolist()}.")
    axis *= max(2.0 * math.hypot(*e), 1.8 * math.hypot(*m)) / length
    centre = eyes + 0.1 * m
    return Square(*(float(v) for v in (*centre, *axis)))


def crop(photo: Image.Image, square: Square, size: int) -> UInt8[np.ndarray, "3 size size"]:
    """What a square shows, upright.

    The photo is first made smaller where one of its pixels is less than one of the crop, then
    interpolated by cubics.

    Args:
        photo: RGB.
        square: Where.
        size: Pixels a side of the result.

    Raises:
        ValueError: If the size is not positive.
    """
    if size < 1:
        raise ValueError(f"size must be positive, got {size}.")
    scale = size / square.side
    photo, square = _around(photo, square)
    width, height = photo.size
    if scale < 1:
        small = max(round(width * scale), 1), max(round(height * scale), 1)
        photo = photo.resize(small, Image.Resampling.LANCZOS)
    x = to_unit_range(np.array(photo.convert("RGB")).transpose(2, 0, 1)[None])
    steps = (2 * torch.arange(size) + 1) / size - 1  # middles of the crop's pixels, -1 to 1
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    across = square.x + u * square.across - v * square.down
    down = square.y + u * square.down + v * square.across
    grid = torch.stack([2 * across / width - 1, 2 * down / height - 1], dim=-1)
    return from_unit_range(functional.grid_sample(
        x, grid[None], mode="bicubic", padding_mode="reflection", align_corners=False
    ))[0]


def _around(photo: Image.Image, square: Square) -> tuple[Image.Image, Square]:
    """The part of a photo that a square and what is mirrored into it need, and the square in it."""
    half = abs(square.across) + abs(square.down) + 8  # 8: what the filters reach beyond
    width, height = photo.size
    if not (0 <= square.x <= width and 0 <= square.y <= height):
        return photo, square
    left, top = max(math.floor(square.x - half), 0), max(math.floor(square.y - half), 0)
    right, bottom = math.ceil(square.x + half), math.ceil(square.y + half)
    part = photo.crop((left, top, min(right, width), min(bottom, height)))
    return part, square._replace(x=square.x - left, y=square.y - top)


class FaceFinder:
    """MTCNN, read at first use."""

    @cached_property
    def _network(self) -> Any:  # noqa: ANN401  (facenet-pytorch has no types)
        from facenet_pytorch import MTCNN  # imports torchvision: only if asked for

        return MTCNN(keep_all=True)

    def points(self, photo: Image.Image) -> Points:
        """Landmarks of the largest face.

        Args:
            photo: RGB, of any size.

        Raises:
            NoFaceError: If there is none.
        """
        shrink = min(_SIDE / max(photo.size), 1.0)
        size = [max(round(side * shrink), 1) for side in photo.size]
        if min(size) < _LEAST:
            raise NoFaceError(_NO_FACE)
        boxes, sure, points = self._network.detect(photo.resize(size), landmarks=True)
        if boxes is None:
            raise NoFaceError(_NO_FACE)
        kept = np.array([p is not None and p >= _SURE for p in sure])
        if not kept.any():
            raise NoFaceError(_NO_FACE)
        boxes = np.asarray(boxes, np.float64)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        best = int(np.where(kept, area, -1.0).argmax())
        ratio = np.array(photo.size) / size
        return np.asarray(points[best], np.float64) * ratio


def align(
    photo: Image.Image, finder: FaceFinder, size: int = 1024
) -> UInt8[np.ndarray, "3 size size"]:
    """The largest face of a photo, cropped as in FFHQ.

    Args:
        photo: RGB.
        finder: Looks for the face.
        size: Pixels a side of the result.

    Raises:
        NoFaceError: If there is no face.
    """
    return crop(photo, square_of(finder.points(photo)), size)
