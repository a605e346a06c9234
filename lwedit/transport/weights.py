"""Masses of the source codes on a biased data set (section 3.2 of the paper).

If the target is, say, mostly female and the source mostly male, the plan must send men to
women, and the edit learns to change both. The paper therefore weighs every source code by how
many similar codes the target has: with A the code's combination of the selected attributes,
n_s^A and n_t^A the source and target codes that share it,

    "prose"    a_i = n_t^A / (n_t n_s^A)    what the text asks: group A gets the target's share
    "printed"  a_i = 1 / (n_t^A n_s^A)      what the formula says: group A gets 1 / n_t^A, so
                                            less mass where the target has more
    "none"     a_i = 1 / n_s

all divided by their sum. A source group without any target code gets mass 0 in both weighted
modes: there is nothing that it could be moved to without changing an attribute in A (the
printed formula divides by zero there). Target groups without source codes keep their uniform
mass b_j; the paper weighs the source only.
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["WeightMode", "sample_weights"]

WeightMode = Literal["none", "prose", "printed"]


def sample_weights(
    source: Int64[Tensor, "n_s attributes"],
    target: Int64[Tensor, "n_t attributes"],
    mode: WeightMode,
) -> Float[Tensor, " n_s"]:
    """a_i of section 3.2, summing to 1.

    Args:
        source: Labels of the source codes, the selected attributes only.
        target: Labels of the target codes, the same columns.
        mode: "prose", "printed" or "none".

    Raises:
        ValueError: If the mode is unknown, or no source code shares its combination of labels
            with any target code.
    """
    if mode not in get_args(WeightMode):
        raise ValueError(f"mode must be one of {get_args(WeightMode)}, got {mode!r}.")
    if mode == "none":
        return torch.full((len(source),), 1 / len(source), device=source.device)
    both = torch.cat([source, target])
    group = torch.unique(both, dim=0, return_inverse=True)[1]
    groups = int(group.max()) + 1
    n_s = torch.bincount(group[: len(source)], minlength=groups).double()
    n_t = torch.bincount(group[len(source) :], minlength=groups).double()
    mass = n_t / n_s if mode == "prose" else 1 / (n_t * n_s)
    mass = torch.where((n_s > 0) & (n_t > 0), mass, 0.0)[group[: len(source)]]
    if not mass.sum() > 0:
        raise ValueError(
            "source and target must share a combination of the selected attributes; "
            "select fewer of them."
        )
    return (mass / mass.sum()).float()
