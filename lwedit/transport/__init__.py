"""Optimal transport between clouds of codes: losses, plans, sample weights, closed forms."""

from lwedit.transport.gaussian import (
    GaussianMap,
    Moments,
    bures_wasserstein,
    gaussian_map,
    moments,
    shrink,
)
from lwedit.transport.plans import (
    Potentials,
    Step,
    displacement,
    divergence,
    potentials_at_rest,
)
from lwedit.transport.sinkhorn import blur_from_fraction, median_distance, sinkhorn_divergence
from lwedit.transport.weights import WeightMode, sample_weights

__all__ = [
    "GaussianMap",
    "Moments",
    "Potentials",
    "Step",
    "WeightMode",
    "blur_from_fraction",
    "bures_wasserstein",
    "displacement",
    "divergence",
    "gaussian_map",
    "median_distance",
    "moments",
    "potentials_at_rest",
    "sample_weights",
    "shrink",
    "sinkhorn_divergence",
]
