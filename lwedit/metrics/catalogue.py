"""Every metric of the benchmark in one table: what it is called, its range, and what is best.

The functions stand in the modules beside this one; how many images, codes or pairs are behind a
number is said by whoever measures, in the words of `counted`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from lwedit.metrics.behaviour import commutator, linearity, monotone, round_trip
from lwedit.metrics.codes import gaussian_distance, nearest_ratio, norm_ratio
from lwedit.metrics.edits import adversarial_gap, changed, kept_share, rescoring, worst_kept
from lwedit.metrics.likeness import perceptual_distance
from lwedit.metrics.realism import frechet_distance, kernel_distance
from lwedit.metrics.ssim import ssim
from lwedit.metrics.strict import as_wanted, fooled, kept

__all__ = ["METRICS", "Metric"]

_INF = float("inf")


class Metric(NamedTuple):
    """What is known of a metric before anything is measured.

    Attributes:
        name: As in results.csv.
        title: In words.
        low: Least possible value.
        high: Largest possible value, which may be infinite.
        best: The value that an edit should have; of the target's own change, see `edits`.
        counted: What the sample size counts.
        function: The pure function, None where it is a domain's own network.
    """

    name: str
    title: str
    low: float
    high: float
    best: float
    counted: str
    function: Callable[..., Any] | None


METRICS: tuple[Metric, ...] = (
    Metric("target_change", "target change, by the scoring judge", 0, 1, 1, "images", changed),
    Metric("preservation", "other attributes preserved, mean", 0, 1, 1, "images", kept_share),
    Metric("worst", "other attributes preserved, worst", 0, 1, 1, "images", worst_kept),
    Metric("moved", "re-scoring: change of another attribute's probability", -1, 1, 0, "images",
           rescoring),
    Metric("identity", "identity, against the reconstruction", -1, 1, 1, "images", None),
    Metric("identity_photo", "identity, against the photo", -1, 1, 1, "images", None),
    Metric("gap", "adversarial gap: latent change − image change", -1, 1, 0, "images",
           adversarial_gap),
    Metric("nearest", "distance to the nearest real target code", 0, _INF, 1, "codes",
           nearest_ratio),
    Metric("knn", "distance to the fifth nearest real target code", 0, _INF, 1, "codes",
           nearest_ratio),
    Metric("gaussian", "Gaussian distance to real target codes", 0, _INF, 0, "codes",
           gaussian_distance),
    Metric("norm", "norm, over that of real target codes", 0, _INF, 1, "codes", norm_ratio),
    Metric("fid", "FID to real target images", 0, _INF, 0, "images", frechet_distance),
    Metric("kid", "KID to real target images", -_INF, _INF, 0, "images", kernel_distance),
    Metric("ssim", "SSIM with the unedited image", -1, 1, 1, "images", ssim),
    Metric("perceptual", "perceptual distance to the unedited image", 0, 4, 0, "images",
           perceptual_distance),
    Metric("monotone", "share of images whose score never falls", 0, 1, 1, "images", monotone),
    Metric("linearity", "R² of the target logit with α", 0, 1, 1, "images", linearity),
    Metric("round_trip", "error of undoing the edit", 0, _INF, 0, "codes", round_trip),
    Metric("as_wanted", "digits: exactly as many as wanted, both judges sure", 0, 1, 1, "images",
           as_wanted),
    Metric("others_kept", "digits: the other digits left alone", 0, 1, 1, "images", kept),
    Metric("fooled", "digits: the latent classifier believes in an edit that is not there", 0, 1, 0,
           "images", fooled),
    Metric("commutator", "how far the order of two edits matters", 0, _INF, 0, "codes",
           commutator),
)
