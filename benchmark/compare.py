"""Methods at equal target change, with a bootstrap over images that keeps pairs together.

Every method edits the same test images, so one resample of the images is applied to all of
them: in each, the curves are averaged again and read again where they first reach the level,
seeds averaged last. The difference of two methods is taken resample by resample. Single
intervals that overlap say little about a difference: the paper's gaps are .01 to .02.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import torch

from benchmark.bootstrap import Interval
from benchmark.collect import Measured
from benchmark.presets import LEVELS
from benchmark.runs import Key
from lwedit.metrics import area_under, at_change

__all__ = [
    "QUANTITIES",
    "Edit",
    "Sampled",
    "Samples",
    "difference",
    "interval",
    "mean_over",
    "resample",
]

QUANTITIES = ("preservation", "identity")


class Edit(NamedTuple):
    """An attribute and a direction."""

    attribute: str
    direction: str


class Sampled(NamedTuple):
    """A number on all images, and on each resample of them; NaN where not reached.

    Attributes:
        point: On all images, seeds averaged.
        samples: On resampled images.
    """

    point: float
    samples: np.ndarray


Samples = dict[tuple[str, Edit, str, str], Sampled]


def resample(measured: Mapping[Key, Measured], resamples: int, seed: int = 0) -> Samples:
    """Every method, edit, level and quantity on the same resamples.

    Args:
        measured: All cells.
        resamples: Bootstrap samples.
        seed: Seed of the samples.

    Returns:
        By (method, edit, "50", "70", "90" or "area", quantity).
    """
    found: Samples = {}
    edits = dict.fromkeys(Edit(key.attribute, key.direction) for key in measured)
    for number, edit in enumerate(edits):
        cells: dict[str, list[Measured]] = {}
        for key, one in measured.items():
            if (key.attribute, key.direction) == edit:
                cells.setdefault(key.method, []).append(one)
        n = len(next(iter(cells.values()))[0].cell.index)
        rng = np.random.default_rng([seed, number])
        picks = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
        shares = np.concatenate([np.full((1, n), 1 / n), picks])  # first of all: every image once
        for method, seeds in cells.items():
            for name, values in _read(seeds, torch.from_numpy(shares)).items():
                found[method, edit, *name] = Sampled(float(values[0]), values[1:])
    return found


def _read(seeds: list[Measured], shares: torch.Tensor) -> dict[tuple[str, str], np.ndarray]:
    """Quantities at each level for each resample, seeds averaged."""
    read: dict[tuple[str, str], list[torch.Tensor]] = {}
    for one in seeds:
        change = _curves(one.changed, shares, 0.0)
        for name, values in (("preservation", one.kept), ("identity", one.cell.identity)):
            if not len(values):
                continue
            heights = _curves(values, shares, 1.0)
            for level in LEVELS:
                at = at_change(change, heights, level)
                read.setdefault((str(round(100 * level)), name), []).append(at)
            read.setdefault(("area", name), []).append(area_under(change, heights, LEVELS[-1]))
    return {name: torch.stack(values).mean(dim=0).numpy() for name, values in read.items()}


def _curves(values: np.ndarray, shares: torch.Tensor, start: float) -> torch.Tensor:
    """(strengths, images) -> (resamples, 1 + strengths)."""
    means = shares @ torch.from_numpy(values.astype(np.float64)).T
    means = torch.round(means, decimals=12)  # 0.9 is reached at 0.9, whatever the order of the sum
    return torch.cat([torch.full((len(means), 1), start, dtype=means.dtype), means], dim=1)


def difference(a: Sampled, b: Sampled) -> Sampled:
    """a - b on the same resamples."""
    return Sampled(a.point - b.point, a.samples - b.samples)


def mean_over(sampled: Iterable[Sampled]) -> Sampled | None:
    """Mean over edits that were reached; None where none was.

    Resamples in which an edit falls short of the level leave it out.
    """
    reached = [one for one in sampled if np.isfinite(one.point)]
    if not reached:
        return None
    stacked = np.stack([one.samples for one in reached])
    counts = np.isfinite(stacked).sum(axis=0)
    with np.errstate(invalid="ignore"):
        samples = np.where(counts > 0, np.nansum(stacked, axis=0) / counts.clip(min=1), np.nan)
    return Sampled(float(np.mean([one.point for one in reached])), samples)


def interval(sampled: Sampled) -> Interval:
    """A 95 % percentile interval."""
    held = sampled.samples[np.isfinite(sampled.samples)]
    if not len(held):
        return Interval(sampled.point, sampled.point, sampled.point)
    low, high = np.percentile(held, [2.5, 97.5])
    return Interval(sampled.point, float(low), float(high))
