"""How real edited codes look among held-out real codes of the target class.

    nearest   distance to the k-th nearest real target code / that of a real one      best 1
    Gaussian  W_2^2 between Gaussians fitted to edited and to real target codes       best 0
    norm      |w'| / mean norm of real target codes                                   best 1

Codes that shrink to their mean show up in `nearest` and `norm` below 1, codes pushed out of the
data above. The Gaussian distance is biased upwards on few samples: beside it stands the one
between two halves of the real codes.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.metrics.realism import frechet_distance
from lwedit.vocabulary import flatten_codes

__all__ = ["gaussian_distance", "nearest_ratio", "norm_ratio", "target_spread"]

_FAR = 10  # mean over spread from which distances are taken about the mean
_MOST_DIMS = 512  # of a covariance; a StyleGAN code has 9216


def target_spread(targets: Float[Tensor, "m layers dim"], k: int = 1) -> float:
    """Mean distance of a real target code to the k-th nearest other one.

    Args:
        targets: Held-out real codes of the target class.
        k: Which neighbour.

    Raises:
        ValueError: If there are no k others, or all are the same.
    """
    if len(targets) <= k:
        fewest = "two" if k == 1 else str(k + 1)
        raise ValueError(f"targets must be {fewest} codes at least, got {len(targets)}.")
    v = _centred(targets, targets)
    apart = torch.cdist(v, v).fill_diagonal_(torch.inf)
    spread = apart.kthvalue(k, dim=1).values.mean().item()
    if not spread > 0:
        raise ValueError("targets must differ from each other, their nearest distance is 0.")
    return spread


def nearest_ratio(
    w_edit: Float[Tensor, "n layers dim"],
    targets: Float[Tensor, "m layers dim"],
    spread: float,
    k: int = 1,
) -> Float[Tensor, " n"]:
    """Distance to the k-th nearest real target code in units of `target_spread`; 1 is best.

    Args:
        w_edit: Edited codes.
        targets: Held-out real codes of the target class.
        spread: Their `target_spread` for the same k.
        k: Which neighbour.
    """
    distance = torch.cdist(_centred(w_edit, targets), _centred(targets, targets))
    return distance.kthvalue(k, dim=1).values / spread


def _centred(
    w: Float[Tensor, "n layers dim"], targets: Float[Tensor, "m layers dim"]
) -> Float[Tensor, "n flat"]:
    """Flat codes; about the targets' mean where that is far away, as float32 distances need it."""
    v, y = flatten_codes(w), flatten_codes(targets)
    centre = y.mean(dim=0, dtype=torch.float64)
    spread = (y.double() - centre).norm(dim=1).mean()
    return v if centre.norm() <= _FAR * spread else (v.double() - centre).float()


def norm_ratio(
    w_edit: Float[Tensor, "n layers dim"], targets: Float[Tensor, "m layers dim"]
) -> Float[Tensor, " n"]:
    """Norm of each edited code over the mean norm of real target codes; 1 is best."""
    return flatten_codes(w_edit).norm(dim=1) / flatten_codes(targets).norm(dim=1).mean()


def gaussian_distance(
    w_edit: Float[Tensor, "n layers dim"], targets: Float[Tensor, "m layers dim"]
) -> float:
    """W_2^2 between Gaussians of edited and real target codes, over the real codes' variance.

    Codes of more than 512 numbers are first projected onto the 512 principal axes of the real
    codes; what lies outside them is not seen.

    Args:
        w_edit: Edited codes, two at least.
        targets: Held-out real codes of the target class.
    """
    u, v = flatten_codes(w_edit).double(), flatten_codes(targets).double()
    centre = v.mean(dim=0)
    u, v = u - centre, v - centre
    if v.shape[1] > _MOST_DIMS:
        axes = torch.linalg.svd(v, full_matrices=False).Vh[:_MOST_DIMS]
        u, v = u @ axes.T, v @ axes.T
    return frechet_distance(u, v) / float(v.square().mean(dim=0).sum())
