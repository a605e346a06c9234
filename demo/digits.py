"""Digits: from an image and edits to pictures and what is counted in them.

Pure functions behind the tab and the API. An image is a held-out one, by number, or one that a
person drew; both are encoded, and the code is what gets edited, so the reconstruction stands beside
the image. Adding a digit to n is the editor of at_least_{n + 1} forwards, removing one is that of
at_least_n backwards.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from demo.studio import LOCK, METHODS_SHOWN, Step, check_steps, is_whole, studio
from lwedit.vocabulary import from_unit_range, to_unit_range

__all__ = [
    "STRIP",
    "DigitReading",
    "DigitStrip",
    "compare",
    "goal_after",
    "heldout_image",
    "heldout_size",
    "next_step",
    "source_count",
    "strip",
]

STRIP = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
LEAST, MOST = 1, 4
Pixels = UInt8[np.ndarray, "1 size size"]


class DigitReading(NamedTuple):
    """An image and what is counted in it.

    Attributes:
        pixels: The picture, white ink on black.
        judge: Digits by the count judge, which sees the picture only.
        classes: Which digits the classes judge reads, in order.
        latent: Digits by the latent classifier, which sees the code only.
        alpha: Signed alpha of each edit.
        milliseconds: Editing and drawing.
    """

    pixels: Pixels
    judge: int
    classes: str
    latent: int
    alpha: tuple[float, ...]
    milliseconds: float


class DigitStrip(NamedTuple):
    """One edit at several strengths.

    Attributes:
        strengths: Of each picture.
        pixels: Pictures.
        judge: Digits by the count judge.
        latent: Digits by the latent classifier.
    """

    strengths: tuple[float, ...]
    pixels: UInt8[np.ndarray, "n 1 size size"]
    judge: tuple[int, ...]
    latent: tuple[int, ...]


def heldout_size() -> int:
    """How many held-out images there are."""
    return len(_heldout())


def heldout_image(index: float) -> Pixels:
    """A held-out image by number.

    Raises:
        ValueError: In plain words, if there is none of that number.
    """
    with LOCK:
        last = heldout_size() - 1
        if not is_whole(index, last):
            raise ValueError(
                f"The image must be a whole number from 0 to {last}, got {index!r:.40}."
            )
        return _heldout()[int(index)]


def source_count(pixels: Pixels) -> int:
    """Digits in the reconstruction of an image by the count judge, held between 1 and 4."""
    with LOCK:
        return min(max(_source(pixels).reading.judge, LEAST), MOST)


def goal_after(count: int, steps: Sequence[Step]) -> int:
    """How many digits there should be after some steps."""
    return count + sum(1 if step.strength > 0 else -1 for step in steps)


def next_step(count: int, steps: Sequence[Step], *, add: bool, strength: float) -> Step:
    """The edit that adds or removes one digit after the steps already made.

    Args:
        count: Digits in the source.
        steps: Edits before it.
        add: Whether a digit is added or removed.
        strength: At least 0.

    Raises:
        ValueError: In plain words, if there is no such edit.
    """
    now = goal_after(count, steps)
    if add and now >= MOST:
        raise ValueError(f"There are {MOST} digits already, and no editor adds a fifth.")
    if not add and now <= LEAST:
        raise ValueError("There is one digit only, and no editor removes the last.")
    attribute = f"at_least_{now + 1 if add else now}"
    return Step(attribute, strength if add else -strength)


def compare(pixels: Pixels, steps: Sequence[Step]) -> dict[str, DigitReading]:
    """An image edited by both methods.

    Args:
        pixels: The image, white ink on black.
        steps: Edits, in turn.

    Returns:
        "image", "original" (its reconstruction, which is what gets edited) and each method.

    Raises:
        ValueError: In plain words, if an edit is not one that a person may ask for.
    """
    with LOCK:
        place = studio("digits")
        check_steps(steps, tuple(task.attribute for task in place.domain.tasks))
        before = _source(pixels)
        edited = list(place.edit_by_all(before.w, before.x, steps).values())
        x, w = (torch.cat([getattr(one, name) for one in edited]) for name in ("x", "w"))
        readings = _read(x, w)
        return {
            "image": before.image,
            "original": before.reading,
            **{
                method: reading._replace(alpha=one.alpha, milliseconds=one.milliseconds)
                for method, reading, one in zip(METHODS_SHOWN, readings, edited, strict=True)
            },
        }


def strip(pixels: Pixels, steps: Sequence[Step], step: Step) -> dict[str, DigitStrip]:
    """One more edit at each strength of `STRIP`, by both methods.

    Args:
        pixels: The image, white ink on black.
        steps: Edits before it.
        step: The last edit; only its attribute and its sign matter.
    """
    with LOCK:
        place = studio("digits")
        check_steps([*steps, step], tuple(task.attribute for task in place.domain.tasks))
        w = _source(pixels).w
        strengths = tuple(float(np.copysign(size, step.strength)) for size in STRIP)
        codes = torch.cat([
            place.along(w, method, steps, step.attribute, strengths) for method in METHODS_SHOWN
        ])
        readings, n = _read(place.domain.generate(codes), codes), len(STRIP)
        strips = {}
        for i, method in enumerate(METHODS_SHOWN):
            part = readings[i * n : (i + 1) * n]
            strips[method] = DigitStrip(
                strengths, np.stack([one.pixels for one in part]),
                tuple(one.judge for one in part), tuple(one.latent for one in part),
            )
        return strips


class _Source(NamedTuple):
    w: Float[Tensor, "1 layers dim"]
    x: Float[Tensor, "1 1 h w"]
    image: DigitReading
    reading: DigitReading


def _source(pixels: Pixels) -> _Source:
    return _encoded(pixels.tobytes(), pixels.shape)


@lru_cache(maxsize=256)
def _encoded(data: bytes, shape: tuple[int, int, int]) -> _Source:
    place = studio("digits")
    pixels = np.frombuffer(data, np.uint8).reshape(1, *shape).copy()
    x = to_unit_range(pixels)
    w = place.domain.encoder.encode(x)
    drawn = place.domain.generate(w)
    return _Source(w, drawn, _read(x, w)[0], _read(drawn, w)[0])


def _read(
    x: Float[Tensor, "n 1 h w"], w: Float[Tensor, "n layers dim"]
) -> list[DigitReading]:
    """What judges and latent classifier say of images and their codes."""
    place = studio("digits")
    scores = place.domain.score(x)
    names = place.bundle.classifier.attributes
    columns = [i for i, name in enumerate(names) if name.startswith("at_least_")]
    latent = 1 + (place.latent(w)[:, columns] > 0.5).sum(dim=1)
    pixels = from_unit_range(x)
    return [
        DigitReading(
            pixels[i], int(scores.count[i]),
            "".join(str(c) * int(m) for c, m in enumerate(scores.classes[i].tolist())),
            int(latent[i]), (), 0.0,
        )
        for i in range(len(x))
    ]


@lru_cache(maxsize=1)
def _heldout() -> UInt8[np.ndarray, "n 1 size size"]:
    return studio("digits").domain.images("heldout").images
