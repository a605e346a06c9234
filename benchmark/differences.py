"""What a method gains over another on the same images, with a paired bootstrap.

Per image and seed the outcome is 1 if the image is counted by the reading (the latent verdict
flipped; by the judge, always) and the judge counts a digit more, or, for clean changes, exactly
one more with every digit kept; else it is 0. The difference of two methods' outcomes is averaged
over images and seeds, and resampling whole images keeps the pairing. Single intervals that
overlap say little about a difference: the paper's gaps are .01 to .02 on 1,000 images.
"""

from typing import NamedTuple

import numpy as np

from benchmark.bootstrap import Interval, bootstrap_mean
from benchmark.measure import Cell, counted

__all__ = ["Difference", "differences", "to_markdown"]

Cells = dict[tuple[str, str, str], list[Cell]]


class Difference(NamedTuple):
    """Gains of `method` over `other` on the same images.

    Attributes:
        reading: How alpha was chosen.
        task: The edit.
        method: Whose gains they are.
        other: Over which method.
        gain: In the share of images with a digit more.
        clean: In the share of images with exactly one more and every digit kept.
    """

    reading: str
    task: str
    method: str
    other: str
    gain: Interval
    clean: Interval


def differences(
    cells: Cells, method: str, resamples: int, rng: np.random.Generator
) -> list[Difference]:
    """`method` against every other one, a row a reading, task and rival.

    Args:
        cells: Cells of all seeds by (method, task, reading).
        method: Whose gain is measured; without cells of its own there are no rows.
        resamples: Bootstrap samples.
        rng: Their source.
    """
    return [
        Difference(
            reading, task, method, other,
            _gain(_changed(mine, reading), _changed(theirs, reading), resamples, rng),
            _gain(_clean(mine, reading), _clean(theirs, reading), resamples, rng),
        )
        for (name, task, reading), mine in cells.items()
        if name == method
        for (other, same_task, same_reading), theirs in cells.items()
        if (same_task, same_reading) == (task, reading) and other != method
    ]


def _gain(
    mine: np.ndarray, theirs: np.ndarray, resamples: int, rng: np.random.Generator
) -> Interval:
    gap = mine - theirs
    return bootstrap_mean(gap, np.ones_like(gap), resamples, rng)


def _changed(cells: list[Cell], reading: str) -> np.ndarray:
    changed = [counted(cell, reading) & cell.more for cell in cells]
    return np.stack(changed, axis=1).astype(np.float64)


def _clean(cells: list[Cell], reading: str) -> np.ndarray:
    clean = [counted(cell, reading) & cell.exact & cell.kept for cell in cells]
    return np.stack(clean, axis=1).astype(np.float64)


def to_markdown(rows: list[Difference], labels: dict[str, str]) -> list[str]:
    """Lines of a table, one reading after the other."""
    lines = ["| alpha | edit | method | against | gain in images changed "
             "| gain in exactly n+1 and all kept |",
             "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        gain, clean = (
            f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            for found in (row.gain, row.clean)
        )
        mine, other = (labels.get(name, name) for name in (row.method, row.other))
        lines.append(f"| {row.reading} | {row.task} | {mine} | {other} | {gain} | {clean} |")
    return lines
