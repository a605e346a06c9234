"""Bootstrap over images: the interval of a mean.

One row an image, one column a seed: resampling whole rows keeps what the seeds have in common
and what two methods see of the same image.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["Interval", "bootstrap_mean"]


class Interval(NamedTuple):
    """A mean and its 95 % percentile interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: Float[np.ndarray, "images seeds"],
    counted: Float[np.ndarray, "images seeds"],
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Ratio of sums values / counted, resampled over images.

    Args:
        values: What is averaged; ignored where `counted` is 0.
        counted: 1 where an image belongs to the average.
        resamples: Number of bootstrap samples.
        rng: Source of the samples.

    Returns:
        The ratio on all images and its interval; NaN where nothing is counted, the interval also
        where nothing is in any sample.
    """
    values = np.where(counted > 0, values * counted, 0.0)
    rows = np.stack([values.sum(axis=1), counted.sum(axis=1)], axis=1)
    if rows[:, 1].sum() == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    picks = rng.integers(len(rows), size=(resamples, len(rows)))
    sums = rows[picks].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = sums[:, 0] / sums[:, 1]
    known = ratios[np.isfinite(ratios)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return Interval(float(rows[:, 0].sum() / rows[:, 1].sum()), float(low), float(high))
