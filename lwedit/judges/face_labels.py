"""Labels of generated faces, read by eye: codes, who learns from which, and how far to trust them.

2,544 codes are drawn by one seed; `labels.csv` says what two attributes-by-eye annotators' first
pass saw in the image of each, `labels_second.csv` what a second, independent pass saw in 240 of
them. Faces too dark or broken to judge are marked unclear and left out. `split_faces` deals the
rest to the judge that names, the judge that scores, and a part that neither ever sees.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["Agreement", "FaceLabels", "agreement", "load_face_labels", "split_faces"]

_SEED, _DRAWN, _DIM = 20231121, 2560, 100
_SPLIT_SEED = 2026
_SHARES = {"heldout": 0.2, "naming": 0.3, "scoring": 0.5}


class FaceLabels(NamedTuple):
    """Codes of faces and what was seen in their images.

    Attributes:
        index: Row of the face among all that were drawn.
        z: Codes.
        y: Labels in {0, 1}.
    """

    index: Int64[Tensor, " n"]
    z: Float[Tensor, "n dim"]
    y: Int64[Tensor, "n attributes"]

    def rows(self, pick: Int64[Tensor, " m"]) -> "FaceLabels":
        """Some of the faces."""
        return FaceLabels(*(field[pick] for field in self))


class Agreement(NamedTuple):
    """How two passes over the same faces agree on one attribute.

    Attributes:
        agree: Share of faces with equal labels.
        kappa: Cohen's kappa.
        balanced: Balanced accuracy of the second pass, the first taken as truth.
    """

    agree: float
    kappa: float
    balanced: float


def load_face_labels(path: Path, attributes: tuple[str, ...]) -> FaceLabels:
    """Clear faces of labels.csv or labels_second.csv with their codes.

    Args:
        path: A table with columns `index`, `unclear` and one an attribute.
        attributes: Columns wanted, in order.

    Raises:
        ValueError: If a column is missing, a label is not 0 or 1, or an index is out of range.
    """
    try:
        with Path(path).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["unclear"] == "0"]
        index = torch.tensor([int(row["index"]) for row in rows])
        y = torch.tensor([[int(row[name]) for name in attributes] for row in rows])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} must label faces with 0 and 1: {error}") from error
    if not len(index) or index.min() < 0 or index.max() >= _DRAWN or y.min() < 0 or y.max() > 1:
        raise ValueError(f"{path} must label faces 0 to {_DRAWN - 1} with 0 and 1.")
    return FaceLabels(index, _codes()[index], y)


def _codes() -> Float[Tensor, "drawn dim"]:
    return torch.randn(_DRAWN, _DIM, generator=torch.Generator().manual_seed(_SEED))


def split_faces(labels: FaceLabels) -> dict[str, FaceLabels]:
    """Deal the faces to "heldout", "naming" and "scoring": disjoint parts, the same every time."""
    order = torch.randperm(len(labels.index), generator=torch.Generator().manual_seed(_SPLIT_SEED))
    parts, start = {}, 0
    for name, share in _SHARES.items():
        last = name == list(_SHARES)[-1]
        stop = len(order) if last else start + int(share * len(order))
        parts[name] = labels.rows(order[start:stop])
        start = stop
    return parts


def agreement(first: FaceLabels, second: FaceLabels) -> list[Agreement]:
    """How the second pass agrees with the first on the faces clear to both, an attribute each."""
    both = sorted(set(first.index.tolist()) & set(second.index.tolist()))
    a, b = (_at(labels, both).double() for labels in (first, second))
    results = []
    for k in range(a.shape[1]):
        p, q = a[:, k], b[:, k]
        agree = (p == q).double().mean()
        chance = p.mean() * q.mean() + (1 - p.mean()) * (1 - q.mean())
        balanced = (q[p == 1].mean() + 1 - q[p == 0].mean()) / 2
        kappa = (agree - chance) / (1 - chance)
        results.append(Agreement(agree.item(), kappa.item(), balanced.item()))
    return results


def _at(labels: FaceLabels, index: list[int]) -> Int64[Tensor, "m attributes"]:
    place = {face: row for row, face in enumerate(labels.index.tolist())}
    return labels.y[torch.tensor([place[face] for face in index])]
