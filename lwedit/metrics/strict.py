"""The strict reading of "a digit was added": would a person accept the edit?

Judges of an image give the number of digits and the number of each class, each with the probability
of its most probable value. An edit that adds a digit to an image of n is *accepted* where

    the count judge sees exactly n + 1, with p > .9
    the classes judge is sure of every class (the least certain of the ten has p > .9)
    the ten class counts sum to n + 1
    no digit of the image before the edit is missing

(`as_wanted` and `kept`), and one that removes a digit from n + 1 where the same holds of n and what
is left is a part of what was there. Nothing here looks at the latent classifier but `fooled`, which
counts the edits that convince it and no one else. All functions give one verdict an image.
"""

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

__all__ = ["SURE", "as_wanted", "fooled", "kept", "new_class"]

SURE = 0.9  # probability above which a judge is sure


def as_wanted(
    count: Int64[Tensor, " n"],
    count_confidence: Float[Tensor, " n"],
    classes: Int64[Tensor, "n 10"],
    confidence: Float[Tensor, " n"],
    wanted: int,
) -> Bool[Tensor, " n"]:
    """Whether both judges are sure of `wanted` digits; of real images of so many, the ceiling.

    Args:
        count: Most probable number of digits.
        count_confidence: Its probability.
        classes: Most probable number of digits of each class.
        confidence: Probability of the least certain of the ten.
        wanted: Number of digits that the image should show.
    """
    sure = (count_confidence > SURE) & (confidence > SURE)
    return sure & (count == wanted) & (classes.sum(dim=1) == wanted)


def kept(
    before: Int[Tensor, "n 10"], after: Int[Tensor, "n 10"], *, adding: bool
) -> Bool[Tensor, " n"]:
    """Whether an edit left the other digits alone.

    Args:
        before: Number of digits of each class before the edit.
        after: The same of the edited image.
        adding: Whether a digit was to be added: then every digit is still there. Else nothing is
            there that was not there before.
    """
    return ((after >= before) if adding else (after <= before)).all(dim=1)


def fooled(
    flipped: Bool[Tensor, " n"], count: Int64[Tensor, " n"], wanted: int, *, adding: bool
) -> Bool[Tensor, " n"]:
    """Whether the latent classifier believes in an edit that the count judge does not see.

    Args:
        flipped: The latent classifier says that the digit was added, or removed.
        count: Most probable number of digits in the edited image.
        wanted: Number of digits after a true edit.
        adding: Whether a digit was to be added.
    """
    return flipped & ((count < wanted) if adding else (count > wanted))


def new_class(
    before: Int[Tensor, "n 10"], after: Int[Tensor, "n 10"], edits: Bool[Tensor, " n"]
) -> Int64[Tensor, " n"]:
    """The class of the digit that an accepted edit added or removed.

    Args:
        before: Number of digits of each class before the edit.
        after: The same of the edited image.
        edits: The images whose edit was accepted; there one class differs, by one.

    Returns:
        A class, or -1 for the other images.
    """
    return torch.where(edits, (after - before).abs().argmax(dim=1), -1)
