"""Faces: from a seed and edits to pictures and what the judges say of them.

Pure functions behind the tab and the API. A face is z ~ N(0, I) drawn from its seed; both methods
make the same edits; every number under a picture is the scoring judge's, which no editor has seen,
except where it says "latent classifier".
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from demo.studio import LOCK, METHODS_SHOWN, Step, check_steps, is_whole, studio
from lwedit.vocabulary import from_unit_range

__all__ = ["LAST_SEED", "STRIP", "FaceReading", "FaceStrip", "compare", "face", "strip"]

LAST_SEED = 2**31 - 1
STRIP = (-2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0)


class FaceReading(NamedTuple):
    """A face and what is said of it.

    Attributes:
        pixels: The picture.
        judge: Probability of each attribute by the scoring judge.
        latent: Probability of each attribute by the latent classifier.
        identity: Likeness to the unedited face.
        alpha: Signed alpha of each edit.
        milliseconds: Editing and drawing.
    """

    pixels: UInt8[np.ndarray, "3 h w"]
    judge: dict[str, float]
    latent: dict[str, float]
    identity: float
    alpha: tuple[float, ...]
    milliseconds: float


class FaceStrip(NamedTuple):
    """One edit at several strengths.

    Attributes:
        strengths: Of each picture.
        pixels: Pictures.
        judge: Probability of the attribute by the scoring judge.
    """

    strengths: tuple[float, ...]
    pixels: UInt8[np.ndarray, "n 3 h w"]
    judge: tuple[float, ...]


class _Face(NamedTuple):
    w: Float[Tensor, "1 1 dim"]
    x: Float[Tensor, "1 3 h w"]
    reading: FaceReading


def check_seed(seed: float) -> int:
    """A seed as a person or a program may give it.

    Raises:
        ValueError: In plain words.
    """
    if not is_whole(seed, LAST_SEED):
        raise ValueError(
            f"The seed must be a whole number from 0 to {LAST_SEED}, got {seed!r:.40}."
        )
    return int(seed)


def face(seed: int) -> FaceReading:
    """The unedited face of a seed."""
    with LOCK:
        return _face(check_seed(seed)).reading


def compare(seed: int, steps: Sequence[Step]) -> dict[str, FaceReading]:
    """A face edited by both methods.

    Args:
        seed: Whose face.
        steps: Edits, in turn.

    Returns:
        "original" and each method.

    Raises:
        ValueError: In plain words, if an argument is not one that a person may give.
    """
    with LOCK:
        place = studio("faces")
        check_steps(steps, place.domain.editable)
        before = _face(check_seed(seed))
        by_method = dict.fromkeys(METHODS_SHOWN, steps)
        edited = list(place.edit_by_all(before.w, before.x, by_method).values())
        x = torch.cat([one.x for one in edited])
        w = torch.cat([one.w for one in edited])
        judge, latent = place.domain.score(x), place.latent(w)
        repeated = before.x.expand(len(x), -1, -1, -1)
        alike = place.domain.identity(repeated, x, place.domain.identities[-1])
        names = place.domain.attributes
        pixels = from_unit_range(x)
        readings = {"original": before.reading}
        for i, method in enumerate(METHODS_SHOWN):
            readings[method] = FaceReading(
                pixels[i], _named(names, judge[i]), _named(names, latent[i]),
                float(alike[i]), edited[i].alpha, edited[i].milliseconds,
            )
        return readings


def strip(seed: int, steps: Sequence[Step], attribute: str) -> dict[str, FaceStrip]:
    """One more edit at each strength of `STRIP`, by both methods.

    Args:
        seed: Whose face.
        steps: Edits before it.
        attribute: What the last edit adds.
    """
    with LOCK:
        place = studio("faces")
        check_steps([*steps, Step(attribute, 0.0)], place.domain.editable)
        w = _face(check_seed(seed)).w
        last = Step(attribute, 1.0)
        moved = [place.along(w, method, steps, last, STRIP) for method in METHODS_SHOWN]
        x = place.domain.generate(torch.cat(moved))
        column = place.domain.attributes.index(attribute)
        judge = place.domain.score(x)[:, column].tolist()
        pixels, n = from_unit_range(x), len(STRIP)
        return {
            method: FaceStrip(STRIP, pixels[i * n : (i + 1) * n], tuple(judge[i * n : (i + 1) * n]))
            for i, method in enumerate(METHODS_SHOWN)
        }


@lru_cache(maxsize=256)
def _face(seed: int) -> _Face:
    place = studio("faces")
    rng = torch.Generator().manual_seed(seed)
    w = torch.randn(1, place.domain.space.layers, place.domain.space.dim, generator=rng)
    x = place.domain.generate(w)
    names = place.domain.attributes
    reading = FaceReading(
        from_unit_range(x)[0], _named(names, place.domain.score(x)[0]),
        _named(names, place.latent(w)[0]), 1.0, (), 0.0,
    )
    return _Face(w, x, reading)


def _named(names: Sequence[str], values: Float[Tensor, " n"]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
