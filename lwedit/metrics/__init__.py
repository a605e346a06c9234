"""Metrics: (before, after) to a number, each a pure function with its range and direction."""

from lwedit.metrics.realism import frechet_distance, kernel_distance
from lwedit.metrics.ssim import ssim

__all__ = ["frechet_distance", "kernel_distance", "ssim"]
