"""Metrics: (before, after) to a number, each a pure function with its range and direction."""

from lwedit.metrics.ssim import ssim

__all__ = ["ssim"]
