"""Comparing edits at equal target change: a strength means something else to every method.

A method's curve is (target change, quantity) over strengths that rise from 0. A quantity at
change c is read where the curve first reaches c, linearly between the two strengths around that
point; a curve that never reaches c has no value there (NaN), and the caller must say "not
reached". First crossing rather than sorting: a curve that falls back at large strengths (edits
that leave the data) is judged on its way up.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["area_under", "at_change", "reaches"]

_STEPS = 18  # of the area's trapezoids


def reaches(change: Float[Tensor, "*batch strengths"], level: float) -> Bool[Tensor, "*batch"]:
    """Whether a curve gets to a target change of `level` at any strength."""
    return (change >= level).any(dim=-1)


def at_change(
    change: Float[Tensor, "*batch strengths"],
    value: Float[Tensor, "*batch strengths"],
    level: float,
) -> Float[Tensor, "*batch"]:
    """Value of a quantity where the target change first reaches `level`.

    Args:
        change: Target change at rising strengths, the first of them 0.
        value: The quantity at the same strengths.
        level: Target change in [0, 1].

    Returns:
        Interpolated values; NaN where the level is not reached.
    """
    after = (change >= level).int().argmax(dim=-1, keepdim=True)  # argmax of a mask: first True
    before = (after - 1).clamp(min=0)
    x0, x1 = change.gather(-1, before), change.gather(-1, after)
    y0, y1 = value.gather(-1, before), value.gather(-1, after)
    share = torch.where(x1 > x0, (level - x0) / (x1 - x0), 1.0).clamp(0, 1)
    found = (y0 + share * (y1 - y0)).squeeze(-1)
    return torch.where(reaches(change, level), found, torch.nan)


def area_under(
    change: Float[Tensor, "*batch strengths"],
    value: Float[Tensor, "*batch strengths"],
    level: float,
) -> Float[Tensor, "*batch"]:
    """Mean of a quantity over target changes from 0 to `level`.

    In the quantity's own range and direction: an area divided by its base. NaN where the level is
    not reached, because a shorter base is another, easier question.

    Args:
        change: Target change at rising strengths, the first of them 0.
        value: The quantity at the same strengths.
        level: Target change up to which the curve counts.
    """
    levels = torch.linspace(0, level, _STEPS + 1)
    heights = torch.stack([at_change(change, value, float(c)) for c in levels])
    return torch.trapezoid(heights, dx=1 / _STEPS, dim=0)
