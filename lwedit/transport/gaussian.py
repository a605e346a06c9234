"""Transport between Gaussians, where everything is a formula.

For N(m, S) and N(m', S') (Gelbrich 1990; Peyre and Cuturi, "Computational Optimal Transport",
remark 2.31), with r = S^(1/2):

    W_2^2 = |m - m'|^2 + tr(S + S' - 2 (r S' r)^(1/2))
    T(x)  = m' + A (x - m),    A = r^-1 (r S' r)^(1/2) r^-1

T is the exact optimum of an affine map between Gaussians, hence a floor for every learned map
and the truth in the tests. float64 inside; must agree with POT's `ot.gaussian`.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

__all__ = ["GaussianMap", "Moments", "bures_wasserstein", "gaussian_map", "moments", "shrink"]

_ROUNDING = 1e-24  # of squared lengths: 1e-12 of lengths


class Moments(NamedTuple):
    """Mean and covariance of a cloud."""

    mean: Float64[Tensor, " dim"]
    covariance: Float64[Tensor, "dim dim"]


class GaussianMap(NamedTuple):
    """T(x) = weight x + bias."""

    weight: Float64[Tensor, "dim dim"]
    bias: Float64[Tensor, " dim"]


def moments(x: Float[Tensor, "n dim"], a: Float[Tensor, " n"] | None = None) -> Moments:
    """Weighted mean and (biased) covariance.

    Args:
        x: Points.
        a: Masses, uniform if left out.
    """
    x = x.double()
    mass = torch.full_like(x[:, 0], 1 / len(x)) if a is None else a.double()
    mean = mass @ x
    centred = x - mean
    return Moments(mean, centred.T @ (centred * mass[:, None]))


def shrink(covariance: Float64[Tensor, "dim dim"], share: float) -> Float64[Tensor, "dim dim"]:
    """(1 - share) S + share (tr S / dim) I.

    Raises:
        ValueError: If the share is outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}.")
    level = covariance.trace() / len(covariance)
    eye = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return (1 - share) * covariance + share * level * eye


def bures_wasserstein(source: Moments, target: Moments) -> Float64[Tensor, ""]:
    """W_2^2 between Gaussians; singular covariances are fine."""
    root = _power(source.covariance, 0.5)
    cross = _power(root @ target.covariance @ root, 0.5)
    bures = (source.covariance.trace() + target.covariance.trace() - 2 * cross.trace()).clamp(min=0)
    return (source.mean - target.mean).square().sum() + bures


def gaussian_map(source: Moments, target: Moments, *, floor: float = 1e-8) -> GaussianMap:
    """The optimal map from one Gaussian to another.

    Args:
        source: Moments of the source.
        target: Moments of the target.
        floor: Smallest eigenvalue of the source's covariance that is believed, relative to the
            largest; smaller ones are raised to it, because they are divided by.

    Raises:
        ValueError: If the source has no spread at all.
    """
    values, vectors = torch.linalg.eigh(source.covariance)
    # Equal points have a mean that rounds, hence a variance of some 1e-32 of its square.
    extent = source.mean.square().sum() + target.covariance.trace()
    if not values[-1] > _ROUNDING * extent or not values[-1] > 0:
        raise ValueError("source must have a positive variance, its points are all the same to "
                         "rounding.")
    values = values.clamp(min=floor * float(values[-1]))
    root = (vectors * values.sqrt()) @ vectors.T
    inverse = (vectors / values.sqrt()) @ vectors.T
    weight = inverse @ _power(root @ target.covariance @ root, 0.5) @ inverse
    weight = (weight + weight.T) / 2
    return GaussianMap(weight, target.mean - weight.mv(source.mean))


def _power(matrix: Float64[Tensor, "dim dim"], exponent: float) -> Float64[Tensor, "dim dim"]:
    """Power of a positive semi-definite matrix; rounding below 0 counts as 0."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * values.clamp(min=0).pow(exponent)) @ vectors.T
