"""The strengths of a method: d, ten values in [d, 2 d], and what equal change needs beyond them.

The paper evaluates alpha in [d, 2 d], "d chosen such that the target change for a given alpha is
comparable between the different methods". Here d is where the scoring judge sees the target
change in half of the calibration codes: the first strength of a doubling grid that reaches it,
refined by bisection. Half, because [d, 2 d] then covers most of the way to full change; one
strength below d and up to three above 2 d, tried while nine in ten is not safely reached, let
curves be read at 50, 70 and 90 %. Methods that reach half nowhere get the largest d and the mark
"not reached"; they are measured all the same.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmark.attributes.settings import LEVELS, AttributeConfig

__all__ = ["Strengths", "choose_strengths", "find_d"]

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
