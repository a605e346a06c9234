"""How an edit behaves as its strength varies, as it is undone, and beside another edit.

    monotone      share of images whose target score never falls as alpha rises     [0, 1], best 1
    linearity     squared correlation of the target logit with alpha, an image      [0, 1], best 1
    round trip    |w - w''| / |w' - w|, w'' = w' edited back                        >= 0, best 0
    commutator    |w_ab - w_ba| / |w_ab - w|, two edits in either order             >= 0, best 0

All of them say how an edit behaves as a control, none whether it does what it should: no edit at
all is monotone, and its round trip perfect.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.vocabulary import flatten_codes

__all__ = ["commutator", "linearity", "monotone", "round_trip"]

_TOLERANCE = 0.01  # a saturated probability wavers
_CLAMP = 1e-3  # probabilities nearer to 0 and 1 say nothing about strength


def monotone(score: Float[Tensor, "strengths n"]) -> Float[Tensor, " n"]:
    """1 for images whose score never falls by more than .01 from one strength to the next.

    Args:
        score: Probability of what is wanted (1 - p when removing) at rising strengths.
    """
    return (score.diff(dim=0) >= -_TOLERANCE).all(dim=0).float()


def linearity(
    score: Float[Tensor, "strengths n"], alpha: Float[Tensor, " strengths"]
) -> Float[Tensor, " n"]:
    """R^2 of a straight line through each image's target logits; 0 where nothing moves.

    Args:
        score: Probability of what is wanted at each strength.
        alpha: The strengths.
    """
    logit = score.double().clamp(_CLAMP, 1 - _CLAMP).logit()
    x = alpha.double() - alpha.double().mean()
    y = logit - logit.mean(dim=0)
    total = x.square().sum() * y.square().sum(dim=0)
    squared = (x @ y).square() / total.clamp(min=torch.finfo(torch.float64).tiny)
    return torch.where(total > 0, squared, 0.0).float()


def round_trip(
    w: Float[Tensor, "n layers dim"],
    w_edit: Float[Tensor, "n layers dim"],
    w_back: Float[Tensor, "n layers dim"],
) -> Float[Tensor, " n"]:
    """Error of an edit that was undone, over the length of the edit; 0 where nothing was edited.

    Args:
        w: Codes.
        w_edit: Edited by alpha.
        w_back: Those edited by -alpha.
    """
    return _relative(w_back - w, w_edit - w)


def commutator(
    w: Float[Tensor, "n layers dim"],
    w_ab: Float[Tensor, "n layers dim"],
    w_ba: Float[Tensor, "n layers dim"],
) -> Float[Tensor, " n"]:
    """How far the order of two edits matters, over the length of both; 0 where nothing moved.

    Args:
        w: Codes.
        w_ab: First edit, then second.
        w_ba: Second edit, then first.
    """
    return _relative(w_ab - w_ba, w_ab - w)


def _relative(
    gap: Float[Tensor, "n layers dim"], move: Float[Tensor, "n layers dim"]
) -> Float[Tensor, " n"]:
    top, base = flatten_codes(gap).norm(dim=1), flatten_codes(move).norm(dim=1)
    return torch.where(base > 0, top / base.clamp(min=torch.finfo(base.dtype).tiny), top)
