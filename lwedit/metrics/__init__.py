"""Metrics: (before, after) to a number, each a pure function with its range and direction."""

from lwedit.metrics.behaviour import commutator, linearity, monotone, round_trip
from lwedit.metrics.catalogue import METRICS, Metric
from lwedit.metrics.codes import gaussian_distance, nearest_ratio, norm_ratio, target_spread
from lwedit.metrics.edits import (
    Worst,
    adversarial_gap,
    changed,
    kept_share,
    rescoring,
    worst_kept,
)
from lwedit.metrics.equal_change import area_under, at_change, reaches
from lwedit.metrics.latent_space import (
    Dci,
    Gap,
    Separability,
    dci,
    distance_gap,
    linear_separability,
    two_afc,
)
from lwedit.metrics.likeness import perceptual_distance
from lwedit.metrics.realism import frechet_distance, kernel_distance
from lwedit.metrics.ssim import ssim
from lwedit.metrics.strict import SURE, as_wanted, fooled, kept, new_class

__all__ = [
    "METRICS",
    "SURE",
    "Dci",
    "Gap",
    "Metric",
    "Separability",
    "Worst",
    "adversarial_gap",
    "area_under",
    "as_wanted",
    "at_change",
    "changed",
    "commutator",
    "dci",
    "distance_gap",
    "fooled",
    "frechet_distance",
    "gaussian_distance",
    "kept",
    "kept_share",
    "kernel_distance",
    "linear_separability",
    "linearity",
    "monotone",
    "nearest_ratio",
    "new_class",
    "norm_ratio",
    "perceptual_distance",
    "reaches",
    "rescoring",
    "round_trip",
    "ssim",
    "target_spread",
    "two_afc",
    "worst_kept",
]
