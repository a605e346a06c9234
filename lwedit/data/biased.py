"""Avatars from a joint distribution by request: means and correlations of attributes.

Among all distributions of the choices with the requested moments, the one drawn from is closest
to the balanced one p (Kullback-Leibler; Csiszar, Annals of Probability 3, 1975): the exponential
tilt

    q(choices) ~ p(choices) exp(theta . phi(y)),

phi the attributes that the request names and the products of its pairs. So nothing else changes
than the request needs. theta solves E_q[phi] = target, a convex problem in as many unknowns as
there are moments; draws from q are draws from p, accepted with probability q / (p max q/p).
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from lwedit.data.avatars import ATTRIBUTES, attributes_of, draw_factors

__all__ = ["BIASES", "BiasedAvatars"]

# Correlations like CelebA's: |rho| between .3 and .6, in pairs that the paper's attributes form.
BIASES: dict[tuple[str, str], float] = {
    ("smiling", "mouth_open"): 0.6,
    ("sunglasses", "headwear"): 0.5,
    ("pale_skin", "light_hair"): 0.5,
    ("blazer", "dark_clothes"): 0.5,
    ("eyeglasses", "grey_hair"): 0.4,
    ("long_hair", "raised_brows"): 0.4,
    ("long_hair", "beard"): -0.3,
    ("hoodie", "headwear"): 0.3,
    ("eyes_closed", "smiling"): 0.3,
}

_POOL = 100_000  # draws from p that stand for it while theta is fitted
_STEPS = 100
_TOLERANCE = 1e-6


class BiasedAvatars:
    """The distribution closest to the balanced one that has the requested moments.

    Args:
        correlations: Pearson's correlation of pairs of attributes.
        means: Shares of attributes; what the pairs name and this does not keeps its balanced share.

    Raises:
        ValueError: If a name is no attribute, or no distribution of portraits has these moments.
    """

    def __init__(
        self,
        correlations: Mapping[tuple[str, str], float],
        means: Mapping[str, float] | None = None,
    ):
        means = dict(means or {})
        named = dict.fromkeys([*means, *(name for pair in correlations for name in pair)])
        for name in named:
            if name not in ATTRIBUTES:
                raise ValueError(f"name must be one of {', '.join(ATTRIBUTES)}, got {name!r}.")
        self._columns = np.array([ATTRIBUTES.index(name) for name in named], np.int64)
        order = {name: i for i, name in enumerate(named)}
        self._pairs = np.array([[order[a], order[b]] for a, b in correlations], np.int64)
        self._pairs = self._pairs.reshape(-1, 2)
        pool = attributes_of(draw_factors(_POOL, np.random.default_rng(0)))
        patterns, counts = np.unique(pool[:, self._columns], axis=0, return_counts=True)
        phi, p = self._moments(patterns), counts / _POOL
        mean = p @ patterns
        mean = np.array([means.get(name, mean[i]) for name, i in order.items()])
        deviation = np.sqrt(mean * (1 - mean))
        a, b = self._pairs.T
        rho = np.array(list(correlations.values()))
        target = np.concatenate([mean, mean[a] * mean[b] + rho * deviation[a] * deviation[b]])
        self._theta = _tilt(phi, p, target)
        if self._theta is None:
            raise ValueError(
                "correlations must be ones that portraits can have together with their means, "
                f"got {dict(correlations)} with means {means}."
            )
        self._highest = float((phi @ self._theta).max())

    def draw(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, "n factors"]:
        """Choices of n portraits, independent draws from q.

        Args:
            n: Number of portraits.
            rng: Source of the choices; the same state gives the same portraits.
        """
        kept, count = [draw_factors(0, rng)], 0
        while count < n:
            factors = draw_factors(max(4 * (n - count), 1000), rng)
            phi = self._moments(attributes_of(factors)[:, self._columns])
            accepted = np.log(rng.random(len(factors))) < phi @ self._theta - self._highest
            kept.append(factors[accepted])
            count += int(accepted.sum())
        return np.concatenate(kept)[:n]

    def _moments(self, y: Bool[np.ndarray, "n named"]) -> Float[np.ndarray, "n moments"]:
        """phi: the attributes, then the products of the pairs."""
        a, b = self._pairs.T
        return np.concatenate([y, y[:, a] & y[:, b]], axis=1).astype(np.float64)


def _tilt(
    phi: Float[np.ndarray, "n moments"],
    p: Float[np.ndarray, " n"],
    target: Float[np.ndarray, " moments"],
) -> Float[np.ndarray, " moments"] | None:
    """theta with E_q[phi] = target by Newton's method on the dual, None if there is none.

    The dual log sum p exp(theta . phi) - theta . target has gradient E_q[phi] - target and
    Hessian Cov_q[phi]; a step is halved until the dual falls.
    """
    theta = np.zeros(phi.shape[1])

    def dual(t: Float[np.ndarray, " moments"]) -> float:
        s = phi @ t
        return float(s.max() + np.log(p @ np.exp(s - s.max())) - t @ target)

    for _ in range(_STEPS):
        s = phi @ theta
        q = p * np.exp(s - s.max())
        q /= q.sum()
        gap = q @ phi - target
        if np.abs(gap).max() < _TOLERANCE:
            return theta
        centred = phi - q @ phi
        hessian = centred.T @ (q[:, None] * centred) + 1e-9 * np.eye(len(theta))
        step, length = np.linalg.solve(hessian, gap), 1.0
        while dual(theta - length * step) >= dual(theta) and length > 1e-6:
            length /= 2
        theta = theta - length * step
    return None
