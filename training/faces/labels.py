"""Labels of generated faces, read by eye: codes, who learns from which, and how far to trust them.

2,544 codes are drawn by one seed; `labels.csv` says what two attributes-by-eye annotators' first
pass saw in the image of each, `labels_second.csv` what a second, independent pass saw in 240 of
them. Faces too dark or broken to judge are marked unclear and left out. `split_faces` deals the
rest to the judge that names, the judge that scores, and a part that neither ever sees.

Four other annotators read 2,304 codes of a second seed, `labels_more.csv`, and 192 of the first
seed's again, `labels_check.csv`, which tells how far their eyes agree with the first ones'.
`with_more` deals their faces to the two judges and leaves what `split_faces` dealt as it was: what
is held out stays as it was labelled before.

A third seed's faces were chosen for what a judge and its teacher were unsure of and labelled for
headwear alone, `labels_headwear.csv`; `load_headwear` reads them, for the scoring judge only.

Two more annotators read the held-out faces, `labels_heldout.csv`; with the first pass that makes
three labels a face, and `consensus` is what two of three saw.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = [
    "Agreement",
    "FaceLabels",
    "agreement",
    "by_first_annotators",
    "consensus",
    "face_codes",
    "load_face_labels",
    "load_headwear",
    "load_parts",
    "split_faces",
    "with_more",
]

# Of the first annotators' faces, of those labelled later, of those labelled for headwear alone:
_SEEDS = (20231121, 20261124, 20261125)
_DRAWS = (2560, 2560, 16_000)
_DIM = 100
_SPLIT_SEED = 2026
_SHARES = {"heldout": 0.2, "naming": 0.3, "scoring": 0.5}
_NAMING_OF_MORE = 1 / 3  # the rest is the scoring judge's


class FaceLabels(NamedTuple):
    """Codes of faces and what was seen in their images.

    Attributes:
        index: Row of the face among all that were drawn, those of the second seed after the first.
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


def load_face_labels(
    path: Path, attributes: tuple[str, ...], draw: int = 0, annotator: str = ""
) -> FaceLabels:
    """Clear faces of a table of labels with their codes.

    Args:
        path: A table with columns `index`, `unclear` and one an attribute.
        attributes: Columns wanted, in order.
        draw: Whose rows `index` names: 0 for the first seed, 1 for that of labels_more.csv, 2 for
            that of labels_headwear.csv.
        annotator: Whose rows to read, where the table has them of several; all if empty.

    Raises:
        ValueError: If a column is missing, a label is not 0 or 1, an index is out of range or
            there twice, or there is no such draw.
    """
    z = face_codes(draw)
    try:
        with Path(path).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["unclear"] == "0"]
        if annotator:
            rows = [row for row in rows if row["annotator"] == annotator]
        index = torch.tensor([int(row["index"]) for row in rows])
        y = torch.tensor([[int(row[name]) for name in attributes] for row in rows])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} must label faces with 0 and 1: {error}") from error
    if not len(index) or index.min() < 0 or index.max() >= len(z) or y.min() < 0 or y.max() > 1:
        raise ValueError(f"{path} must label faces 0 to {len(z) - 1} with 0 and 1.")
    if len(index.unique()) < len(index):
        raise ValueError(f"{path} must label faces once each, {len(index)} rows name fewer.")
    return FaceLabels(index + sum(_DRAWS[:draw]), z[index], y)


def face_codes(draw: int) -> Float[Tensor, "drawn dim"]:
    """Codes of the faces that one of the tables labels.

    Args:
        draw: 0 for the first annotators' faces, 1 for those of the four after them, 2 for those
            from which some were chosen to be labelled for headwear.

    Raises:
        ValueError: If there is no such draw.
    """
    if draw not in range(len(_SEEDS)):
        raise ValueError(f"draw must be 0, 1 or 2, got {draw}.")
    rng = torch.Generator().manual_seed(_SEEDS[draw])
    return torch.randn(_DRAWS[draw], _DIM, generator=rng)


def load_headwear(
    path: Path, annotators: tuple[str, ...] | None = None
) -> dict[str, FaceLabels]:
    """Faces labelled for headwear alone: "random" ones, and "chosen" ones, see its column `chosen`.

    Args:
        path: A table with columns `index`, `chosen` (why the face was shown), `headwear` and
            `unclear`, and with `annotator` if some are named.
        annotators: Whose rows to read, all if None.

    Raises:
        ValueError: If the table is not one of labels, or does not say why a face was shown.
    """
    labels = load_face_labels(path, ("headwear",), draw=2)
    with Path(path).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["unclear"] == "0"]
    if annotators is not None:
        mine = [i for i, row in enumerate(rows) if row.get("annotator") in annotators]
        if not mine:
            raise ValueError(f"annotators must be some of {path}'s, got {annotators}.")
        labels, rows = labels.rows(torch.tensor(mine)), [rows[i] for i in mine]
    if not all(row.get("chosen") for row in rows):
        raise ValueError(f"{path} must say in its column chosen why each face was shown.")
    random = torch.tensor([row["chosen"] == "random" for row in rows])
    return {
        "random": labels.rows(random.nonzero()[:, 0]),
        "chosen": labels.rows((~random).nonzero()[:, 0]),
    }


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


def with_more(parts: dict[str, FaceLabels], more: FaceLabels) -> dict[str, FaceLabels]:
    """Further faces behind those of the naming and the scoring part, none for what is held out."""
    order = torch.randperm(len(more.index), generator=torch.Generator().manual_seed(_SPLIT_SEED))
    cut = int(_NAMING_OF_MORE * len(order))
    dealt = {"naming": more.rows(order[:cut]), "scoring": more.rows(order[cut:])}
    return parts | {
        name: FaceLabels(*(torch.cat(pair) for pair in zip(parts[name], part, strict=True)))
        for name, part in dealt.items()
    }


def load_parts(assets: Path, attributes: tuple[str, ...]) -> dict[str, FaceLabels]:
    """What each judge learns from and what is held out, from both tables in a folder.

    Args:
        assets: Folder with labels.csv and labels_more.csv.
        attributes: Columns wanted, in order.
    """
    parts = split_faces(load_face_labels(assets / "labels.csv", attributes))
    return with_more(parts, load_face_labels(assets / "labels_more.csv", attributes, draw=1))


def by_first_annotators(labels: FaceLabels) -> Bool[Tensor, " n"]:
    """Whether each face is one of labels.csv."""
    return labels.index < _DRAWS[0]


def consensus(passes: list[FaceLabels]) -> FaceLabels:
    """What most of an odd number of passes over the same faces saw, on the faces of the first.

    Args:
        passes: Tables of labels; all must hold every face of the first, in any order.

    Raises:
        ValueError: If their number is even, or one lacks a face.
    """
    if len(passes) % 2 == 0:
        raise ValueError(f"passes must be odd in number for a majority, got {len(passes)}.")
    faces = passes[0].index.tolist()
    for number, labels in enumerate(passes):
        missing = set(faces) - set(labels.index.tolist())
        if missing:
            raise ValueError(
                f"passes[{number}] must label every face of the first, lacks {min(missing)}."
            )
    votes = torch.stack([_at(labels, faces) for labels in passes]).sum(dim=0)
    return passes[0]._replace(y=(2 * votes > len(passes)).long())


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
