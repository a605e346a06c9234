"""Cells as they are compared: every cell of a run with what its target makes of the verdicts."""

from typing import NamedTuple

import numpy as np
import torch

from benchmark.attributes import AttributeRun as Run
from benchmark.cells import Cell
from benchmark.runs import Key
from lwedit.metrics import changed, kept_share, worst_kept

__all__ = ["Measured", "collect", "curve"]


class Measured(NamedTuple):
    """A cell with what its attribute and direction make of it; arrays are float64.

    Attributes:
        key: Which cell.
        cell: Its measurements.
        changed: Target change of each image at each strength.
        kept: Share of the other attributes that each image keeps; empty where there are no others,
            like the next two.
        worst: Share of images that keep the attribute disturbed most, at each strength.
        worst_attribute: Which attribute that is.
    """

    key: Key
    cell: Cell
    changed: np.ndarray
    kept: np.ndarray
    worst: np.ndarray
    worst_attribute: tuple[str, ...]


def collect(run: Run) -> dict[Key, Measured]:
    """Every cell of a run.

    Raises:
        FileNotFoundError: Naming the first cell that is missing.
        ValueError: Naming the first that is damaged or not finite.
    """
    names = run.domain.attributes
    measured = {}
    for key in run.keys:
        cell = run.cell(key)
        k = names.index(key.attribute)
        before, after = torch.from_numpy(cell.present_before), torch.from_numpy(cell.present)
        hit = changed(after, k, wanted=key.direction == "add").double().numpy()
        if len(names) == 1:
            measured[key] = Measured(key, cell, hit, np.zeros((0, hit.shape[1])), np.zeros(0), ())
            continue
        worst = worst_kept(before, after, k)
        measured[key] = Measured(
            key,
            cell,
            hit,
            kept_share(before, after, k).double().numpy(),
            worst.share.double().numpy(),
            tuple(names[i] for i in worst.attribute.tolist()),
        )
    return measured


def curve(values: np.ndarray, start: float) -> torch.Tensor:
    """A quantity over strengths 0, alpha_1, ...; `start` is its value before any edit.

    Args:
        values: Of each strength, or of each strength and image (averaged over images).
        start: 1 for what is kept, 0 for change.
    """
    means = values.mean(axis=-1) if values.ndim > 1 else values
    return torch.from_numpy(np.concatenate([[start], means.astype(np.float64)]))
