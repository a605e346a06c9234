"""Whether an edit collapses codes onto the average one, or throws them out of the data.

With y real codes of the target class that no editor saw, m their mean, w' edited codes:

    spread    mean |w' - m| / mean |y - m|                                  1 is a real code's
    distance  mean distance of w' to the nearest y / that of a y to the nearest other y

An edit that drags every code to the mean has a small spread, and a small distance with it, which
is why one number is not enough; an edit that leaves the data has a large distance. An edit is
in-distribution, within 10 %, where spread >= 0.9 and distance <= 1.1.

Codes of the source class may lie tighter than those of the target to begin with, so the spread of
the unedited codes belongs beside that of the edited ones.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from lwedit.metrics.codes import nearest_ratio, target_spread
from lwedit.vocabulary import flatten_codes

__all__ = ["Collapse", "collapse"]

_SLACK = 0.1


class Collapse(NamedTuple):
    """Two ratios, each 1 for real codes of the target class.

    Attributes:
        spread: Distance to the mean; below 1 the codes shrink.
        distance: Distance to the nearest real target code; above 1 they leave the data.
    """

    spread: float
    distance: float

    @property
    def off_manifold(self) -> bool:
        """Whether the codes have left the data, by more than 10 %."""
        return self.distance > 1 + _SLACK

    @property
    def in_distribution(self) -> bool:
        """Whether the codes neither collapse nor are off-manifold, within 10 %."""
        return self.spread >= 1 - _SLACK and not self.off_manifold


def collapse(
    w_edit: Float[Tensor, "n layers dim"], targets: Float[Tensor, "m layers dim"]
) -> Collapse:
    """Spread and distance of edited codes among held-out real target codes.

    Args:
        w_edit: Edited codes.
        targets: Held-out real codes of the target class.

    Raises:
        ValueError: If there are fewer than two targets, or all are the same.
    """
    unit = target_spread(targets)
    mean = flatten_codes(targets).mean(dim=0)
    edited, real = (
        (flatten_codes(w) - mean).norm(dim=1).mean() for w in (w_edit, targets)
    )
    near = nearest_ratio(w_edit - mean.reshape(w_edit.shape[1:]),
                         targets - mean.reshape(w_edit.shape[1:]), unit)
    return Collapse(float(edited / real), float(near.mean()))
