"""Which held-out codes an edit of an attribute is tried on.

Adding an attribute starts from held-out codes whose image lacks it by the scoring judge, removing
from those that have it. The first of them calibrate the strength, the next ones are scored, and
the codes on the other side are the real ones that edited codes should resemble. No code is in two
of these sets, and all methods and seeds get the same ones.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from benchmark.presets import DIRECTIONS, AttributeConfig
from lwedit.domains import AttributeDomain
from lwedit.domains.base import FEWEST
from lwedit.latents import LatentSet

__all__ = ["EditSet", "edit_set", "resolve_attributes"]


class EditSet(NamedTuple):
    """Held-out codes of one attribute and direction.

    Attributes:
        k: Index of the target attribute.
        wanted: The verdict that the edit should bring about.
        calibration: Codes on which d is found.
        w: Codes that are scored.
        index: Their rows among the held-out codes.
        targets: Held-out codes that have what is wanted.
    """

    k: int
    wanted: bool
    calibration: Float[torch.Tensor, "c layers dim"]
    w: Float[torch.Tensor, "n layers dim"]
    index: Int64[np.ndarray, " n"]  # type: ignore[assignment]  # hides tuple.index
    targets: Float[torch.Tensor, "m layers dim"]

    @property
    def sign(self) -> float:
        """Sign of alpha."""
        return 1.0 if self.wanted else -1.0


def resolve_attributes(domain: AttributeDomain, config: AttributeConfig) -> tuple[str, ...]:
    """The target attributes of a run.

    Raises:
        ValueError: If one is not editable in this domain.
    """
    left_out = getattr(domain, "left_out", {})
    for name in config.attributes:
        if name in left_out:
            raise ValueError(f"attributes must be ones that can be edited, {name!r} cannot: "
                             f"{left_out[name]}.")
        if name not in domain.editable:
            known = ", ".join(domain.editable)
            raise ValueError(f"attributes must be among {known}, got {name!r}.")
    return config.attributes or tuple(domain.editable)


def edit_set(
    heldout: LatentSet, attribute: str, direction: str, config: AttributeConfig
) -> EditSet:
    """Split the held-out codes for one edit.

    Where there are fewer source codes than asked for, calibration and test share what there is in
    the proportion asked for.

    Args:
        heldout: Codes with the scoring judge's labels.
        attribute: Target attribute.
        direction: "add" or "remove".
        config: Sizes.

    Raises:
        ValueError: If fewer than ten codes lack or have the attribute.
    """
    assert direction in DIRECTIONS
    wanted = direction == "add"
    labels = heldout.labels(attribute)
    source = (labels != int(wanted)).nonzero()[:, 0]
    target = (labels == int(wanted)).nonzero()[:, 0]
    if min(len(source), len(target)) < FEWEST:
        raise ValueError(
            f"attribute {attribute!r} must be absent and present in {FEWEST} held-out codes at "
            f"least by the scoring judge's verdicts, got {min(len(source), len(target))} of "
            f"{len(labels)} on one side."
        )
    share = min(1.0, len(source) / (config.calibration + config.test_images))
    first = max(2, int(share * config.calibration))
    tested = source[first : first + config.test_images]
    return EditSet(
        k=heldout.column(attribute),
        wanted=wanted,
        calibration=heldout.w[source[:first]],
        w=heldout.w[tested],
        index=tested.cpu().numpy(),
        targets=heldout.w[target],
    )
