"""Digits: from an image and edits to pictures and what is counted in them.

Pure functions behind the tab and the API. An image is a held-out one, by number, or one that a
person drew; both are encoded, and the code is what gets edited, so the reconstruction stands beside
the image. Adding a digit to n is the editor of at_least_{n + 1} forwards, removing one is that of
at_least_n backwards. An edit is real by the strict reading (`lwedit.metrics.strict`): the count
judge sees exactly the number of digits there should be, the classes judge finds the other digits as
they were, and both are sure.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from demo.studio import LOCK, STRONGEST, Step, check_steps, is_number, is_whole, studio
from lwedit.metrics.strict import SURE
from lwedit.vocabulary import from_unit_range, to_unit_range

__all__ = [
    "DEFAULT",
    "LAST_DRAW",
    "METHODS",
    "STRIP",
    "DigitReading",
    "DigitStrip",
    "Edit",
    "compare",
    "failed",
    "find_strength",
    "goal_after",
    "heldout_image",
    "heldout_size",
    "next_edit",
    "outcome",
    "random_index",
    "source_count",
    "strip",
]

METHODS = ("lt", "lw_neural", "lw")
DEFAULT = 1.0  # strength of every method: its unit is the best single alpha, or the map as fitted
STRIP = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
LAST_DRAW = 2**31 - 1
_TRIED = tuple(round(0.05 * i, 2) for i in range(1, 61))  # the slider's own steps
LEAST, MOST = 1, 4
Pixels = UInt8[np.ndarray, "1 size size"]
Outcome = Literal["changed", "unsure", "too much", "digit lost", "fooled", "not changed"]


class Edit(NamedTuple):
    """One digit more or one fewer, by every method at its own strength.

    Attributes:
        attribute: Whose editor it is.
        add: Whether a digit is added or removed.
        strengths: By method, at least 0, in the method's own unit.
        draw: Which answer of LW neural.
        digit: Which digit LW neural adds or removes; None leaves it open.
    """

    attribute: str
    add: bool
    strengths: Mapping[str, float]
    draw: int = 0
    digit: int | None = None

    def step(self, method: str) -> Step:
        """What a method is asked for."""
        size = self.strengths[method]
        return Step(self.attribute, size if self.add else -size, self.draw, self.digit)


class DigitReading(NamedTuple):
    """An image and what is counted in it.

    Attributes:
        pixels: The picture, white ink on black.
        judge: Digits by the count judge, which sees the picture only.
        classes: Which digits the classes judge reads, in order.
        sure: Whether both judges are sure (p > .9) and agree on the number.
        latent: Digits by the latent classifier, which sees the code only.
        alpha: Signed alpha of each edit.
        milliseconds: Editing and drawing.
    """

    pixels: Pixels
    judge: int
    classes: str
    sure: bool
    latent: int
    alpha: tuple[float, ...]
    milliseconds: float


class DigitStrip(NamedTuple):
    """One edit at several strengths.

    Attributes:
        strengths: Of each picture.
        readings: What is seen in each.
    """

    strengths: tuple[float, ...]
    readings: list[DigitReading]


def heldout_size() -> int:
    """How many held-out images there are."""
    return len(_heldout())


def heldout_image(index: float | None) -> Pixels:
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


def random_index(rng: random.Random, *, add: bool) -> int:
    """Number of a held-out image to which a digit can be added, or from which one can be removed.

    Images that encoder and generator do not bring back with as many digits are skipped as well.
    """
    with LOCK:
        last = heldout_size() - 1
        while True:
            index = rng.randint(0, last)
            source = _source(heldout_image(index))
            count = source.reading.judge
            if source.image.judge == count and LEAST <= count + (1 if add else -1) <= MOST:
                return index


def source_count(pixels: Pixels) -> int:
    """Digits in the reconstruction of an image by the count judge, held between 1 and 4.

    Raises:
        ValueError: In plain words, if the judge sees no digit in the image.
    """
    with LOCK:
        source = _source(pixels)
        if source.image.judge == 0:
            raise ValueError("The image judge sees no digit in this picture, so there is nothing "
                             "to start from: draw or send one to four digits.")
        return min(max(source.reading.judge, LEAST), MOST)


def goal_after(count: int, edits: Sequence[Edit]) -> int:
    """How many digits there should be after some edits."""
    return count + sum(1 if edit.add else -1 for edit in edits)


def next_edit(
    count: int, edits: Sequence[Edit], *, add: bool, strengths: Mapping[str, float],
    draw: int = 0, digit: int | None = None,
) -> Edit:
    """The edit that adds or removes one digit after those already made.

    Args:
        count: Digits in the source.
        edits: Edits before it.
        add: Whether a digit is added or removed.
        strengths: By method.
        draw: Which answer of LW neural, 0 to `LAST_DRAW`.
        digit: Which digit LW neural adds or removes, if that is asked.

    Raises:
        ValueError: In plain words, if there is no such edit.
    """
    now = goal_after(count, edits)
    for strength in strengths.values():
        if not is_number(strength) or not 0 <= strength <= STRONGEST:
            raise ValueError(f"The strength must be a number from 0 to {STRONGEST:g}.")
    if not is_whole(draw, LAST_DRAW):
        raise ValueError(
            f"The draw must be a whole number from 0 to {LAST_DRAW}, got {draw!r:.40}."
        )
    if digit is not None and not is_whole(digit, 9):
        raise ValueError(f"The digit must be a whole number from 0 to 9, got {digit!r:.40}.")
    if add and now >= MOST:
        raise ValueError(f"There are {MOST} digits already, and no editor adds a fifth.")
    if not add and now <= LEAST:
        raise ValueError("There is one digit only, and no editor removes the last.")
    return Edit(f"at_least_{now + 1 if add else now}", add, dict(strengths), int(draw),
                None if digit is None else int(digit))


def outcome(
    before: DigitReading, after: DigitReading, count: int, edits: Sequence[Edit]
) -> Outcome:
    """What came of some edits.

    Args:
        before: The reconstruction.
        after: The same after the edits.
        count: Digits in the source.
        edits: What was asked for; the last one is judged.

    Returns:
        "changed" where the count judge sees exactly as many digits as there should be, the
        others are as they were and both judges are sure of it (the strict reading accepts it),
        "unsure" where they are not; "digit lost" where another digit changed; "too much" beyond
        that number; short of it "fooled", where the latent classifier is convinced, and else "not
        changed".
    """
    goal, sign = goal_after(count, edits), 1 if edits[-1].add else -1
    if not _kept(before, after, edits):
        return "digit lost"
    if sign * (after.judge - goal) > 0:
        return "too much"
    if after.judge == goal:
        return "changed" if after.sure else "unsure"
    return "fooled" if sign * (after.latent - goal) >= 0 else "not changed"


def failed(
    pixels: Pixels, edits: Sequence[Edit], methods: Sequence[str] = METHODS
) -> dict[str, bool]:
    """Whether an edit before the last one came to nothing, where digits are added and removed.

    Who adds nothing has nothing to remove, and would end with the number of digits wanted.
    """
    lost = dict.fromkeys(methods, False)
    if len({edit.add for edit in edits}) < 2:
        return lost
    count = source_count(pixels)
    for n in range(1, len(edits)):
        readings = compare(pixels, edits[:n], methods)
        for method in lost:
            if method in readings:
                came = outcome(readings["original"], readings[method], count, edits[:n])
                lost[method] |= came not in ("changed", "unsure")
    return lost


def _kept(before: DigitReading, after: DigitReading, edits: Sequence[Edit]) -> bool:
    """`lwedit.metrics.strict.kept` for several edits: each may add one digit or remove one."""
    added = sum(edit.add for edit in edits)
    was, now = Counter(before.classes), Counter(after.classes)
    if edits[-1].add:
        return (was - now).total() <= len(edits) - added
    return (now - was).total() <= added


def compare(
    pixels: Pixels, edits: Sequence[Edit], methods: Sequence[str] = METHODS
) -> dict[str, DigitReading]:
    """An image edited by several methods.

    Args:
        pixels: The image, white ink on black.
        edits: Edits, in turn.
        methods: Which of `METHODS`.

    Returns:
        "image", "original" (its reconstruction, which is what gets edited) and each method that has
        an editor for every edit.

    Raises:
        ValueError: In plain words, if an edit is not one that a person may ask for.
    """
    steps = {method: tuple(edit.step(method) for edit in edits) for method in methods}
    with LOCK:
        for own in steps.values():
            check_steps(own, tuple(task.attribute for task in studio("digits").domain.tasks))
        return dict(_compared(pixels.tobytes(), pixels.shape, tuple(steps.items())))


@lru_cache(maxsize=512)
def _compared(
    data: bytes, shape: tuple[int, int, int], steps: tuple[tuple[str, tuple[Step, ...]], ...]
) -> dict[str, DigitReading]:
    place, before = studio("digits"), _encoded(data, shape)
    able = {method: own for method, own in steps
            if all(place.can(method, step) for step in own)}
    readings = {"image": before.image, "original": before.reading}
    if not able:
        return readings
    edited = place.edit_by_all(before.w, before.x, able)
    x, w = (torch.cat([getattr(one, name) for one in edited.values()]) for name in ("x", "w"))
    for (method, one), reading in zip(edited.items(), _read(x, w), strict=True):
        readings[method] = reading._replace(alpha=one.alpha, milliseconds=one.milliseconds)
    return readings


def strip(
    pixels: Pixels, edits: Sequence[Edit], edit: Edit, methods: Sequence[str] = METHODS,
    strengths: Sequence[float] = STRIP,
) -> dict[str, DigitStrip]:
    """One more edit at several strengths.

    Args:
        pixels: The image, white ink on black.
        edits: Edits before it.
        edit: The last edit; its strengths do not matter.
        methods: Which of `METHODS`; those without an editor for every edit are left out.
        strengths: At least 0.
    """
    with LOCK:
        place, w = studio("digits"), _source(pixels).w
        signed = tuple(strength if edit.add else -strength for strength in strengths)
        codes = {}
        for method in methods:
            steps, last = [one.step(method) for one in edits], edit.step(method)
            check_steps([*steps, last], tuple(task.attribute for task in place.domain.tasks))
            if all(place.can(method, step) for step in (*steps, last)):
                codes[method] = place.along(w, method, steps, last, signed)
        if not codes:
            return {}
        every = torch.cat(list(codes.values()))
        readings, n = _read(place.domain.generate(every), every), len(strengths)
        return {method: DigitStrip(tuple(strengths), readings[i * n : (i + 1) * n])
                for i, method in enumerate(codes)}


def find_strength(
    pixels: Pixels, edits: Sequence[Edit], edit: Edit, method: str
) -> float | None:
    """The least strength at which the strict reading accepts an edit.

    Args:
        pixels: The image, white ink on black.
        edits: Edits before it.
        edit: The last edit; its strengths do not matter.
        method: One of `METHODS`.

    Returns:
        One of the slider's strengths; None if none of them is accepted.
    """
    with LOCK:
        found = strip(pixels, edits, edit, (method,), _TRIED)
        before, count = _source(pixels).reading, source_count(pixels)
        for strength, after in zip(_TRIED, found[method].readings if found else (), strict=False):
            if outcome(before, after, count, [*edits, edit]) == "changed":
                return strength
        return None


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
    image, reading = _read(torch.cat([x, drawn]), w.repeat(2, 1, 1))
    return _Source(w, drawn, image, reading)


def _read(
    x: Float[Tensor, "n 1 h w"], w: Float[Tensor, "n layers dim"]
) -> list[DigitReading]:
    """What judges and latent classifier say of images and their codes."""
    place = studio("digits")
    scores = place.domain.score(x)
    names = place.bundle.classifier.attributes
    columns = [i for i, name in enumerate(names) if name.startswith("at_least_")]
    latent = 1 + (place.latent(w)[:, columns] > 0.5).sum(dim=1)
    sure = ((scores.count_confidence > SURE) & (scores.confidence > SURE)
            & (scores.classes.sum(dim=1) == scores.count))
    pixels = from_unit_range(x)
    return [
        DigitReading(
            pixels[i], int(scores.count[i]),
            "".join(str(c) * int(m) for c, m in enumerate(scores.classes[i].tolist())),
            bool(sure[i]), int(latent[i]), (), 0.0,
        )
        for i in range(len(x))
    ]


@lru_cache(maxsize=1)
def _heldout() -> UInt8[np.ndarray, "n 1 size size"]:
    return studio("digits").domain.images("heldout").images
