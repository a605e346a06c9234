"""How strong an edit is: strength selection, over a grid, for all images, or for each.

**Over a grid**, for domains of attributes. The paper evaluates alpha in [d, 2 d], "d chosen such
that the target change for a given alpha is comparable between the different methods". Here d is
where the scoring judge sees the target change in half of the calibration codes: the first strength
of a doubling grid that reaches it, refined by bisection. Half, because [d, 2 d] then covers most of
the way to full change; one strength below d and up to three above 2 d, tried while nine in ten is
not safely reached, let curves be read at 50, 70 and 90 %. Methods that reach half nowhere get the
largest d and the mark "not reached"; they are measured all the same.

**For all images**, for digits:

    chosen         one alpha for all images, the one with most accepted edits of validation codes;
                   every method has the same alphas to choose from
    as fitted      alpha = 1, the transport itself, for the variants of LW
    one for all    global: all codes get the smallest alpha at which the latent classifier says
                   n + 1 of each, or, if the grid holds none, the smallest at which it says so of
                   most
    per image      per sample: each code gets the smallest alpha that flips *its* verdict

The first two count all images. The last two are the two ways to read the paper's Table 2, "actual
change at a latent target change rate of 100 %": only codes whose verdict did flip are counted, so
they say as much of the latent classifier as of the edit.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from benchmark.presets import LEVELS, AttributeConfig

__all__ = ["CHOSEN", "FITTED", "PAPERS", "STRICT", "Hits", "Strengths", "choose_strength",
           "choose_strengths", "find_d", "select_alpha"]

CHOSEN, FITTED = STRICT = ("chosen", "as fitted")
PAPERS = ("one for all", "per image")  # decided by the latent classifier
_DOUBLINGS, _HALVINGS = 5, 4
_BELOW, _BEYOND = 0.8, (2.5, 3.0, 4.0)  # times d
_SAFELY = 0.04  # calibration codes are few


class Strengths(NamedTuple):
    """Strengths of one method on one edit, without their sign.

    Attributes:
        d: The unit of the range.
        reached: Whether the calibration codes reach the agreed change at d.
        alphas: All strengths to be measured, rising.
        in_range: Which of them are the paper's, in [d, 2 d].
    """

    d: float
    reached: bool
    alphas: tuple[float, ...]
    in_range: tuple[bool, ...]


def find_d(change: Callable[[float], float], aim: float, largest: float) -> tuple[float, bool]:
    """The strength at which the target change is `aim`.

    Args:
        change: Target change of the calibration codes at a strength.
        aim: Agreed target change.
        largest: Largest d.

    Returns:
        d and whether `aim` was reached; d is `largest` where it was not.
    """
    low = 0.0
    for step in range(-_DOUBLINGS, 1):
        high = largest * 2.0**step
        if change(high) >= aim:
            break
        low = high
    else:
        return largest, False
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if change(middle) >= aim:
            high = middle
        else:
            low = middle
    return high, True


def choose_strengths(change: Callable[[float], float], config: AttributeConfig) -> Strengths:
    """All strengths of a method on one edit.

    Args:
        change: Target change of the calibration codes at a strength.
        config: Agreed change, largest d and number of strengths.
    """
    d, reached = find_d(change, config.change_at_d, config.largest_d)
    inside = [float(x) for x in np.linspace(d, 2 * d, config.alphas)]
    below, beyond = [], []
    if reached:
        below = [_BELOW * d]
        last = 2 * d
        for times in _BEYOND:
            if change(last) >= max(LEVELS) + _SAFELY:
                break
            last = times * d
            beyond.append(last)
    alphas = (*below, *inside, *beyond)
    in_range = (*[False] * len(below), *[True] * len(inside), *[False] * len(beyond))
    return Strengths(d, reached, alphas, in_range)


def select_alpha(
    flipped: Bool[Tensor, "alphas n"], alphas: Float[Tensor, " alphas"], strategy: str
) -> Float[Tensor, " n"]:
    """The strength of each image by the latent classifier.

    Args:
        flipped: Verdicts over a grid of strengths.
        alphas: The grid, rising.
        strategy: "one for all" or "per image".

    Raises:
        ValueError: If it is another strategy.
    """
    if strategy not in PAPERS:
        raise ValueError(f"strategy must be one of {PAPERS}, got {strategy!r}.")
    if strategy == "one for all":
        share = flipped.float().mean(dim=1)
        best = int((share >= share.max()).int().argmax())  # argmax of a mask: its first True
        return alphas[best].expand(flipped.shape[1]).clone()
    first = flipped.int().argmax(dim=0)
    return torch.where(flipped.any(dim=0), alphas[first], alphas[-1])


class Hits(NamedTuple):
    """Edits of validation codes at one strength.

    Attributes:
        accepted: How many were accepted.
        clean: How many show as many digits as wanted and left the others alone.
    """

    accepted: int
    clean: int


def choose_strength(hits: Mapping[float, Hits]) -> float:
    """The alpha of all images: that with most accepted edits.

    Of those that are equal, the one with most that show as many digits as wanted and left the
    others alone, and then the smallest: a method none of whose edits is accepted is shown at its
    best all the same.

    Args:
        hits: By strength, above 0.
    """
    return max(sorted(hits), key=lambda alpha: hits[alpha])
