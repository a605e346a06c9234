"""Photos: from an upload to an aligned crop, its code, and edits of it, where FFHQ's weights are.

Pure functions behind the tab, which stands on the page only where `available()` says so. A photo is
aligned as FFHQ is, encoded once, and the code is what gets edited: the reconstruction stands beside
the photo. Editors need fitting on codes that the user brings (`python -m demo.fit_editors ffhq`),
and an image judge is the user's too; without either the page shows what there is.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from demo.bundles import attributes_in
from demo.studio import LOCK, METHODS_SHOWN, Step, check_steps, more_threads, studio
from lwedit.domains.ffhq import default_folder, missing
from lwedit.domains.ffhq.files import EDITORS
from lwedit.inversion.align import FaceFinder, align
from lwedit.vocabulary import from_unit_range, to_unit_range

__all__ = ["SIDE", "Photo", "PhotoReading", "available", "compare", "editable", "receive"]

SIDE = 512  # pixels of the crop and of what is shown; the encoder reads 256


class Photo(NamedTuple):
    """What is kept of an upload, in the state of one visitor's page.

    Attributes:
        crop: Its largest face, aligned.
        code: Its code, (layers, dim).
    """

    crop: UInt8[np.ndarray, "3 side side"]
    code: Float[np.ndarray, "layers dim"]


class PhotoReading(NamedTuple):
    """A picture and what is said of it.

    Attributes:
        pixels: The picture.
        judge: Probability of each attribute by the user's judge; empty without one.
        latent: Probability of each attribute by the latent classifier; empty without editors.
        identity: Likeness to the reconstruction; None without a network for it.
        alpha: Signed alpha of each edit.
        milliseconds: Editing and drawing.
    """

    pixels: UInt8[np.ndarray, "3 side side"]
    judge: dict[str, float]
    latent: dict[str, float]
    identity: float | None
    alpha: tuple[float, ...]
    milliseconds: float


def available() -> bool:
    """Whether the folder holds the generator and the encoder."""
    return not missing()


def editable() -> tuple[str, ...]:
    """Attributes for which there are editors."""
    return attributes_in(default_folder() / EDITORS)


def receive(picture: Image.Image) -> Photo:
    """Align and encode a picture, as `demo.pictures.read_photo` reads it.

    Raises:
        ValueError: In plain words, if it shows no face or weights are missing.
    """
    with LOCK, more_threads():
        crop = align(picture, _finder(), SIDE)
        w = studio("ffhq").domain.encode(to_unit_range(crop[None]))
    return Photo(crop, w[0].numpy())


def compare(photo: Photo, steps: Sequence[Step]) -> dict[str, PhotoReading]:
    """A photo's reconstruction, and its edits by both methods where there are editors.

    Args:
        photo: From `receive`.
        steps: Edits, in turn.

    Returns:
        "original" (the reconstruction) and each method.

    Raises:
        ValueError: In plain words, if an edit is not one that a person may ask for.
    """
    with LOCK, more_threads():
        place = studio("ffhq")
        w = torch.from_numpy(photo.code)[None]
        before = _reconstruction(photo.code.tobytes(), photo.code.shape)
        readings = {"original": _read(w, before, before)[0]}
        if place.bundle is None:
            return readings
        check_steps(steps, tuple(place.bundle.editors[METHODS_SHOWN[0]]))
        edited = place.edit_by_all(w, before, dict.fromkeys(METHODS_SHOWN, steps))
        codes, x = (torch.cat([getattr(one, part) for one in edited.values()])
                    for part in ("w", "x"))
        for (method, one), reading in zip(edited.items(), _read(codes, x, before), strict=True):
            readings[method] = reading._replace(alpha=one.alpha, milliseconds=one.milliseconds)
        return readings


@cache
def _finder() -> FaceFinder:
    return FaceFinder()


@lru_cache(maxsize=8)
def _reconstruction(code: bytes, shape: tuple[int, int]) -> Float[Tensor, "1 3 h w"]:
    w = torch.from_numpy(np.frombuffer(code, np.float32).reshape(1, *shape).copy())
    return studio("ffhq").domain.generate(w)


def _read(
    w: Float[Tensor, "n layers dim"], x: Float[Tensor, "n 3 h w"], before: Float[Tensor, "1 3 h w"]
) -> list[PhotoReading]:
    """What there is to say of images and their codes."""
    place = studio("ffhq")
    domain, names = place.domain, place.domain.attributes
    judge = domain.score(x).tolist() if domain.judge is not None else [()] * len(x)
    latent = place.latent(w).tolist() if place.bundle is not None else [()] * len(x)
    identity: list[float | None] = [None] * len(x)
    if domain.identities:
        same = before.expand(len(x), -1, -1, -1)
        identity = domain.identity(same, x, domain.identities[-1]).tolist()
    pixels = from_unit_range(x)
    return [
        PhotoReading(pixels[i], dict(zip(names, judge[i], strict=False)),
                     dict(zip(names, latent[i], strict=False)), identity[i], (), 0.0)
        for i in range(len(x))
    ]
