"""Distances between two sets of images in the features of a network: FID and KID.

    FID = W_2^2 between the Gaussians of the two sets of features (Heusel et al., NIPS 2017)
    KID = unbiased MMD^2 with k(u, v) = (u . v / dim + 1)^3   (Binkowski et al., ICLR 2018)

Both are 0 for equal distributions and grow from there; KID may be slightly negative, and FID is
biased upwards on small samples, so a table gives both between two halves of real images too.
The features are those of a judge, not Inception's: the numbers compare with each other and with
nothing published. FID must agree with `ot.bures_wasserstein` of POT, squared.
"""

from jaxtyping import Float
from torch import Tensor

from lwedit.transport import bures_wasserstein, moments

__all__ = ["frechet_distance", "kernel_distance"]


def frechet_distance(u: Float[Tensor, "n dim"], v: Float[Tensor, "m dim"]) -> float:
    """FID of two sets of features; 0 is best."""
    return float(bures_wasserstein(moments(u), moments(v)))


def kernel_distance(u: Float[Tensor, "n dim"], v: Float[Tensor, "m dim"]) -> float:
    """KID of two sets of features over all pairs; 0 is best.

    Raises:
        ValueError: If a set holds fewer than two points.
    """
    n, m = len(u), len(v)
    if min(n, m) < 2:
        raise ValueError(f"u and v must hold two points at least, got {n} and {m}.")
    u, v = u.double(), v.double()
    within_u, within_v, between = _kernel(u, u), _kernel(v, v), _kernel(u, v)
    first = (within_u.sum() - within_u.trace()) / (n * (n - 1))
    second = (within_v.sum() - within_v.trace()) / (m * (m - 1))
    return float(first + second - 2 * between.mean())


def _kernel(u: Float[Tensor, "n dim"], v: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    return (u @ v.T / u.shape[1] + 1) ** 3
