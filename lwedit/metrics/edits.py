"""What an edit did to the attributes of an image, by any judge's verdicts before and after.

Yao et al. (ICCV 2021) and the LW paper, section 4.2: the target attribute change rate is the
share of images whose target attribute was changed, and attribute preservation the average share
of the other attributes whose verdict (p > 1/2) is the same before and after. Functions give one
number an image, so that a bootstrap can resample images; their mean over images is the rate.

Leading axes of `after` are free: strengths, seeds or none.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["Worst", "adversarial_gap", "changed", "kept_share", "rescoring", "worst_kept"]


class Worst(NamedTuple):
    """The attribute that an edit of another one disturbs most.

    Attributes:
        share: Share of images in which it is kept, in [0, 1], higher is better.
        attribute: Its index.
    """

    share: Float[Tensor, "*strengths"]
    attribute: Int64[Tensor, "*strengths"]


def changed(
    after: Bool[Tensor, "*strengths n attributes"], k: int, *, wanted: bool
) -> Bool[Tensor, "*strengths n"]:
    """Whether the verdict on attribute k is the wanted one; more is better.

    Images must have had the other verdict before.

    Args:
        after: Verdicts on edited images.
        k: Target attribute.
        wanted: True for adding, False for removing.
    """
    return after[..., k] == wanted


def kept_share(
    before: Bool[Tensor, "n attributes"], after: Bool[Tensor, "*strengths n attributes"], k: int
) -> Float[Tensor, "*strengths n"]:
    """Share of the attributes other than k whose verdict is unchanged, in [0, 1], 1 is best.

    Raises:
        ValueError: If k is the only attribute.
    """
    others = _others(before, k)
    return (after == before)[..., others].float().mean(dim=-1)


def worst_kept(
    before: Bool[Tensor, "n attributes"], after: Bool[Tensor, "*strengths n attributes"], k: int
) -> Worst:
    """The attribute other than k that the fewest images keep.

    Args:
        before: Verdicts on the images.
        after: Verdicts on edited images.
        k: Target attribute.
    """
    others = _others(before, k)
    kept = (after == before)[..., others].float().mean(dim=-2)
    least = kept.min(dim=-1)
    return Worst(least.values, others[least.indices])


def rescoring(
    before: Float[Tensor, "n attributes"], after: Float[Tensor, "*strengths n attributes"]
) -> Float[Tensor, "*strengths attributes"]:
    """Mean change of every attribute's probability, in [-1, 1]; a row of the K x K matrix.

    The entry of the target is best at +1 (adding) or -1 (removing), all others at 0.
    """
    return (after - before).mean(dim=-2)


def adversarial_gap(
    latent: Bool[Tensor, "*strengths n"], image: Bool[Tensor, "*strengths n"]
) -> Float[Tensor, "*strengths"]:
    """Change seen by the latent classifier minus change seen in the image, in [-1, 1].

    0 is best; above 0 are codes that convince the classifier and change nothing to be seen.
    """
    return latent.float().mean(dim=-1) - image.float().mean(dim=-1)


def _others(before: Bool[Tensor, "n attributes"], k: int) -> Int64[Tensor, " others"]:
    if before.shape[1] < 2:
        raise ValueError("before must hold an attribute besides the target, got one column.")
    index = torch.arange(before.shape[1], device=before.device)
    return index[index != k]
