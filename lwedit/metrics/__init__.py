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
from lwedit.metrics.likeness import perceptual_distance
from lwedit.metrics.realism import frechet_distance, kernel_distance
from lwedit.metrics.ssim import ssim

__all__ = [
    "METRICS",
    "Metric",
    "Worst",
    "adversarial_gap",
    "area_under",
    "at_change",
    "changed",
    "commutator",
    "frechet_distance",
    "gaussian_distance",
    "kept_share",
    "kernel_distance",
    "linearity",
    "monotone",
    "nearest_ratio",
    "norm_ratio",
    "perceptual_distance",
    "reaches",
    "rescoring",
    "round_trip",
    "ssim",
    "target_spread",
    "worst_kept",
]
