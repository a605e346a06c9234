"""What a method gains over another on the same images, with a paired bootstrap.

Per image and seed the outcome is 1 if the edit was accepted, or, under the paper's readings, if the
latent verdict flipped and the judge counts a digit more; for clean changes, if it counts exactly as
many as wanted and the other digits were left alone; else it is 0. The difference of two methods'
outcomes, seeds averaged, is averaged over images, and resampling whole images keeps the pairing.
Single intervals that overlap say little about a difference: the paper's gaps are .01 to .02 on
1,000 images.
"""

from typing import NamedTuple

import numpy as np

from benchmark.bootstrap import Interval, bootstrap_mean
from benchmark.measure import READINGS, Cell, counted
from benchmark.summary import Cells, generator_of

__all__ = ["Difference", "differences"]


class Difference(NamedTuple):
    """Gains of `method` over `other` on the same images.

    Attributes:
        strategy: How alpha was chosen.
        task: The edit.
        method: Whose gains they are.
        other: Over which method.
        gain: In the share of accepted edits, or of images that changed.
        clean: In the share of images with exactly as many digits as wanted, the others left alone.
    """

    strategy: str
    task: str
    method: str
    other: str
    gain: Interval
    clean: Interval


def differences(cells: Cells, method: str, resamples: int) -> list[Difference]:
    """`method` against every other one, a row a strategy, task and rival.

    Args:
        cells: Cells of all seeds by (method, task, strategy).
        method: Whose gain is measured; without cells of its own there are no rows.
        resamples: Bootstrap samples.
    """
    return [
        Difference(
            strategy, task, method, other,
            *(_gain(outcome(mine, strategy) - outcome(theirs, strategy), resamples,
                    generator_of(method, other, task, strategy, outcome.__name__))
              for outcome in (_gained, _clean)),
        )
        for (name, task, strategy), mine in cells.items()
        if name == method
        for (other, same_task, same_strategy), theirs in cells.items()
        if (same_task, same_strategy) == (task, strategy) and other != method
    ]


def _gain(gap: np.ndarray, resamples: int, rng: np.random.Generator) -> Interval:
    return bootstrap_mean(gap[:, None], np.ones((len(gap), 1)), resamples, rng)


def _gained(cells: list[Cell], strategy: str) -> np.ndarray:
    hits = [counted(cell, strategy) & cell.changed if strategy in READINGS else cell.accepted
            for cell in cells]
    return np.stack(hits).mean(axis=0)


def _clean(cells: list[Cell], strategy: str) -> np.ndarray:
    hits = [counted(cell, strategy) & cell.exact & cell.kept for cell in cells]
    return np.stack(hits).mean(axis=0)
