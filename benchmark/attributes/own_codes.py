"""Codes and labels of the user's own: `--codes FILE.npy --labels FILE.{npy,csv}`.

Codes are float (n, layers, dim), the layout in which Latent Transformer's were published (30000,
18, 512); (n, dim) counts as one layer. Labels are {0, 1}, (n, attributes): an .npy, or a CSV whose
first row names the attributes. There is no generator here, hence no image and no judge of images:
an "image" is the code itself, and edits are scored by a latent classifier trained on a third of
the codes that no editor sees. That says whether an edit convinces a classifier other than its own,
and how real its codes are, not what would be seen.

The first 60 % of the codes train editors, the next 25 % train the scoring classifier, the last
15 % are held out: shuffled codes are assumed, as published ones are.
"""

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.domains.base import Part
from lwedit.latents import LatentSet, Space

__all__ = ["CodesDomain", "read_codes", "read_labels"]

_TRAIN, _JUDGE = 0.60, 0.85  # ends of the two parts
_HIDDEN = (256,)
_RAREST = 0.01  # share of the rarer label below which an attribute is not edited


@dataclass(frozen=True)
class CodesDomain:
    """A domain made of nothing but codes and labels.

    Attributes:
        codes: All codes.
        labels: All labels.
        attributes: Their names.
    """

    codes: Float[Tensor, "n layers dim"]
    labels: Int64[Tensor, "n attributes"]
    attributes: tuple[str, ...]

    name: ClassVar[str] = "codes"
    identities: ClassVar[tuple[str, ...]] = ("code",)

    @classmethod
    def load(cls, codes: Path, labels: Path) -> "CodesDomain":
        """Read the user's files.

        Raises:
            ValueError: If they are not codes and labels that belong together.
        """
        w = read_codes(codes)
        y, names = read_labels(labels)
        if len(w) != len(y):
            raise ValueError(f"labels must be one row a code: {len(w)} codes, {len(y)} rows.")
        if len(w) < 100:
            raise ValueError(f"codes must be 100 at least, to learn and to test, got {len(w)}.")
        if len(names) < 2:
            raise ValueError(f"labels must have two attributes at least, got {len(names)}.")
        domain = cls(w, y, names)
        if not domain.editable:
            raise ValueError("labels must differ in an attribute at least, all are constant.")
        return domain

    @cached_property
    def editable(self) -> tuple[str, ...]:
        """Attributes that are neither constant nor very rare."""
        share = self.labels.double().mean(dim=0)
        rare = torch.minimum(share, 1 - share)
        return tuple(name for name, r in zip(self.attributes, rare, strict=True) if r >= _RAREST)

    @cached_property
    def weights(self) -> dict[str, str]:
        """Hash of codes and labels."""
        arrays = {"codes": self.codes.numpy(), "labels": self.labels.numpy()}
        return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}

    @cached_property
    def space(self) -> Space:
        """The space of these codes."""
        name = "W+" if self.codes.shape[1] > 1 else "W"
        return Space(self.weights["codes"], name, *self.codes.shape[1:])

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:
        """The part for editors, with the labels given; the held-out part, with the scorer's."""
        n = len(self.codes)
        if part == "train":
            return self._set(torch.arange(int(_TRAIN * n)))
        held = self._set(torch.arange(int(_JUDGE * n), n))
        return LatentSet(held.w, (self._judge(held.w) > 0).long(), self.attributes, self.space)

    def generate(
        self, w: Float[Tensor, "n layers dim"], batch: int = 100
    ) -> Float[Tensor, "n 1 layers dim"]:
        """The code itself."""
        return w[:, None]

    @torch.no_grad()
    def score(self, x: Float[Tensor, "n 1 layers dim"]) -> Float[Tensor, "n attributes"]:
        """Probabilities by the scoring classifier."""
        return self._judge(x[:, 0]).sigmoid()

    def identity(
        self, x: Float[Tensor, "n 1 layers dim"], x_edit: Float[Tensor, "n 1 layers dim"],
        measure: str = "code",
    ) -> Float[Tensor, " n"]:
        """Cosine of the codes about their mean."""
        centre = self.codes.mean(dim=0)[None]
        before, after = ((images - centre).flatten(1) for images in (x, x_edit))
        return torch.cosine_similarity(before, after)

    def facts(self) -> Mapping[str, Any]:
        """Accuracy of the scoring classifier on held-out labels."""
        n = len(self.codes)
        accuracy = self._judge.accuracy(self._set(torch.arange(int(_JUDGE * n), n)))
        rows = zip(self.attributes, accuracy.tolist(), strict=True)
        return {"scoring": {"attributes": {name: {"accuracy": value} for name, value in rows}}}

    @cached_property
    def _judge(self) -> LatentClassifier:
        n = len(self.codes)
        part = self._set(torch.arange(int(_TRAIN * n), int(_JUDGE * n)))
        rng = torch.Generator().manual_seed(0)
        return LatentClassifier.fit(part, ClassifierConfig(hidden=_HIDDEN, lr=1e-3), rng)

    def _set(self, index: Int64[Tensor, " m"]) -> LatentSet:
        return LatentSet(self.codes[index], self.labels[index], self.attributes, self.space)


def read_codes(path: Path) -> Float[Tensor, "n layers dim"]:
    """Codes from .npy.

    Raises:
        ValueError: If the file is not an array of finite codes.
    """
    array = _read_npy(path, "codes")
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind != "f":
        raise ValueError(
            f"codes must be floats of shape (n, layers, dim), got {array.dtype} {array.shape}."
        )
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if bad.any():
        raise ValueError(f"codes must be finite, {int(bad.sum())} are not, the first in row "
                         f"{int(bad.argmax())}.")
    return torch.from_numpy(array.astype(np.float32).reshape(len(array), -1, array.shape[-1]))


def read_labels(path: Path) -> tuple[Int64[Tensor, "n attributes"], tuple[str, ...]]:
    """Labels and names from .npy (named attribute_0, ...) or CSV (named by its first row).

    CelebA's -1 counts as 0.

    Raises:
        ValueError: If the file does not hold zeros and ones.
    """
    if path.suffix == ".csv":
        array, names = _read_csv(path)
    else:
        array = _read_npy(path, "labels")
        array = array[:, None] if array.ndim == 1 else array
        names = tuple(f"attribute_{i}" for i in range(array.shape[-1]))
    signed = array.dtype.kind in "if" and array.size and array.min() == -1
    if signed and np.isin(array, (-1, 1)).all():
        array = array > 0  # as CelebA writes them
    if array.ndim != 2 or not np.isin(array, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, (n, attributes), {path} holds something else.")
    if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        raise ValueError(f"labels must have different names of letters and digits, got {names}.")
    return torch.from_numpy(array.astype(np.int64)), names


def _read_npy(path: Path, what: str) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{what} must be .npy without objects, got {path}: {error}") from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{what} must be an .npy file, got an archive: {path}.")
    return array


def _read_csv(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    try:
        with path.open(newline="") as file:
            head, *rows = csv.reader(file)
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(head)), tuple(head)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"labels must be a CSV of 0 and 1 below a row of names, got {path}: "
                         f"{error}") from error
