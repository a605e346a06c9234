"""What a solver is given and what it gives back.

A solver returns the map with the lowest loss on held-out codes, where the loss is always measured
with the same blur, so that candidates of different blur compare.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lwedit.editors.affine import AffineMap, Shape
from lwedit.editors.loss import Clouds, Loss, Sides
from lwedit.transport import divergence

__all__ = ["Displacement", "Problem", "Solution"]

Displacement = Callable[[Tensor], Tensor]  # H, (n, layers, dim) -> (n, layers, dim)


class Solution(NamedTuple):
    """What a solver found.

    Attributes:
        map: H.
        loss: Its held-out loss.
        blur: The candidate it was fitted with.
        ridge: The penalty of its last regression, 0 for Adam.
        steps: Rounds or steps that led to it.
    """

    map: AffineMap
    loss: float
    blur: float
    ridge: float
    steps: int


@dataclass(frozen=True)
class Problem:
    """Everything a solver needs.

    Attributes:
        train: Sides to fit on.
        held_out: Sides to choose on.
        loss: Eq. 4 and 5 of this attribute.
        shape: Form of H.
        rank: Of a low-rank H.
        blur: Candidates, as fractions of the median distance.
        blur_held_out: Fraction at which the held-out loss is measured.
    """

    train: Sides
    held_out: Sides
    loss: Loss
    shape: Shape
    rank: int
    blur: tuple[float, ...]
    blur_held_out: float

    @torch.no_grad()
    def held_out_loss(self, map: Displacement) -> float:
        """L of a map on held-out codes, at the blur that all candidates share."""
        sides = self.held_out
        edited = sides.source + map(sides.source)
        return self.loss(sides, edited, self.blur_held_out, _converged)


def _converged(clouds: Clouds) -> float:
    return divergence(clouds.x, clouds.y, clouds.blur**2, clouds.a, clouds.b,
                      exclude_self_matches=clouds.exclude_self_matches)
