"""LatentSet: codes with labels, the only form in which data reaches an editor.

A set knows where its codes come from (`Space`: which generator, by the hash of its weights,
and which latent space), so that an editor fitted on one generator is never applied to
another. Files are .npz without pickled objects; what users hand in is checked at the door.
"""

import hashlib
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from lwedit.vocabulary import flatten_codes

__all__ = ["LatentSet", "Pair", "Space", "check_cloud", "hash_state"]

_MIDDLE_FROM = 1000  # codes at most whose median is the middle of a cloud
_ROWS = 4096  # codes whose distances are computed at a time
_FARTHEST = 30  # times the distance that 95 % of the codes stay within


@dataclass(frozen=True)
class Space:
    """Where codes live.

    Attributes:
        generator: SHA-256 over the generator's weights, from `hash_state`.
        name: "Z", "W" or "W+".
        layers: Codes an image.
        dim: Length of each.
    """

    generator: str
    name: str
    layers: int
    dim: int

    def require(self, other: "Space") -> None:
        """Refuse codes or editors of another space.

        Raises:
            ValueError: Naming the first property that differs.
        """
        for field in ("name", "layers", "dim", "generator"):
            mine, theirs = getattr(self, field), getattr(other, field)
            if mine != theirs:
                raise ValueError(f"space must have {field} = {mine}, got {theirs}.")


class Pair(NamedTuple):
    """Codes without and with an attribute.

    Attributes:
        source: Codes whose label is 0.
        target: Codes whose label is 1.
    """

    source: Float[Tensor, "n_s layers dim"]
    target: Float[Tensor, "n_t layers dim"]


@dataclass(frozen=True)
class LatentSet:
    """Codes and binary labels.

    Attributes:
        w: Codes, (n, layers, dim), float32, finite.
        y: Labels in {0, 1}, (n, attributes), int64.
        attributes: Name of each column of y.
        space: Where the codes live.
    """

    w: Float[Tensor, "n layers dim"]
    y: Int64[Tensor, "n attributes"]
    attributes: tuple[str, ...]
    space: Space

    def __post_init__(self) -> None:
        if self.w.ndim != 3 or self.w.shape[1:] != (self.space.layers, self.space.dim):
            raise ValueError(
                f"w must have shape (n, {self.space.layers}, {self.space.dim}), "
                f"got {tuple(self.w.shape)}."
            )
        if self.y.ndim != 2:
            raise ValueError(f"y must have shape (n, attributes), got {tuple(self.y.shape)}.")
        if len(self.w) != len(self.y):
            raise ValueError(f"y must label every code: {len(self.w)} codes, {len(self.y)} rows.")
        if self.y.shape[1] != len(self.attributes) or len(set(self.attributes)) != self.y.shape[1]:
            raise ValueError(
                f"attributes must name the {self.y.shape[1]} columns of y, got {self.attributes}."
            )
        for name, dtype in (("w", torch.float32), ("y", torch.int64)):
            if getattr(self, name).dtype != dtype:
                raise ValueError(f"{name} must be {dtype}, got {getattr(self, name).dtype}; give "
                                 f"{name}.{'float' if name == 'w' else 'long'}().")
        bad = ~self.w.isfinite().flatten(1).all(dim=1)
        if bad.any():
            raise ValueError(
                f"w must be finite, got {int(bad.sum())} bad codes, the first in row "
                f"{int(bad.nonzero()[0])}."
            )
        if not ((self.y == 0) | (self.y == 1)).all():
            raise ValueError(f"y must hold 0 and 1 only, got {self.y.unique().tolist()[:8]}.")

    def __len__(self) -> int:
        return len(self.w)

    def to(self, device: torch.device | str) -> "LatentSet":
        """The same codes and labels on another device."""
        w, y = self.w.to(device), self.y.to(device)
        return LatentSet(w, y, self.attributes, self.space)

    def column(self, attribute: str) -> int:
        """Index k of an attribute.

        Raises:
            ValueError: If there is no such attribute.
        """
        if attribute not in self.attributes:
            raise ValueError(f"attribute must be one of {self.attributes}, got {attribute!r}.")
        return self.attributes.index(attribute)

    def labels(self, attribute: str) -> Int64[Tensor, " n"]:
        """Labels of one attribute."""
        return self.y[:, self.column(attribute)]

    def labels_of(self, attributes: tuple[str, ...]) -> Int64[Tensor, "n some"]:
        """Labels of some attributes, in their order."""
        columns = [self.labels(name) for name in attributes]
        return torch.stack(columns, dim=1) if columns else self.y[:, :0]

    def subset(self, index: Int64[Tensor, " m"] | Bool[Tensor, " n"]) -> "LatentSet":
        """The codes picked by an index or a mask."""
        return LatentSet(self.w[index], self.y[index], self.attributes, self.space)

    def pair(self, attribute: str) -> Pair:
        """Codes without and with an attribute.

        Raises:
            ValueError: If all codes have the same label.
        """
        y = self.labels(attribute)
        seen = y.unique().tolist()
        if len(seen) != 2:
            raise ValueError(
                f"attribute {attribute!r} must have both labels, {len(y)} codes have {seen}."
            )
        return Pair(self.w[y == 0], self.w[y == 1])

    def save(self, path: Path) -> None:
        """Write to .npz (aside, then renamed)."""
        path = Path(path)
        temporary = path.with_name(path.name + ".tmp")
        with temporary.open("wb") as file:
            np.savez(
                file,
                w=self.w.cpu().numpy(),
                y=self.y.cpu().numpy().astype(np.uint8),
                attributes=np.array(self.attributes),
                space=np.array([self.space.generator, self.space.name]),
            )
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "LatentSet":
        """Read what `save` wrote.

        Raises:
            ValueError: If the file is damaged, holds pickled objects or lacks an array.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                w = torch.from_numpy(file["w"]).float()
                y = torch.from_numpy(file["y"].astype(np.int64, casting="safe"))
                attributes = tuple(str(name) for name in file["attributes"])
                generator, name = (str(part) for part in file["space"])
                space = Space(generator, name, *w.shape[1:])
        # TypeError: an .npy file, labels that are not whole numbers, codes that are not (n, l, d).
        except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            message = f"{path} must be an .npz written by LatentSet.save: {error}"
            raise ValueError(message) from error
        return cls(w, y, attributes, space)


def check_cloud(w: Float[Tensor, "n layers dim"]) -> None:
    """Refuse codes that are all the same, or of which one lies far outside the others.

    One such code decides means, scales and plans, and is a mistake in the file more often than not.

    Raises:
        ValueError: Naming the code that is farthest out.
    """
    v = flatten_codes(w)
    middle = v[:: max(len(v) // _MIDDLE_FROM, 1)].median(dim=0).values
    far = torch.cat([(part - middle).norm(dim=1) for part in v.split(_ROWS)])
    rank = max(1, math.ceil(0.95 * len(far)))
    within = float(far.kthvalue(rank).values)
    most, row = far.max(dim=0)
    if not float(most) > 0:
        raise ValueError(f"w must hold codes that differ, all {len(w)} are the same.")
    if rank < len(far) and float(most) > _FARTHEST * within > 0:
        raise ValueError(
            f"w must hold one cloud of codes, the code in row {int(row)} lies {float(most):.3g} "
            f"from its middle where 95 % lie within {within:.3g}; leave it out."
        )


def hash_state(state: dict[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values of weights, independent of file format and order."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu()
        digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype}".encode())
        # A copy: contiguous() keeps odd strides of axes of length 1, which view() refuses.
        flat = tensor.flatten().clone(memory_format=torch.contiguous_format)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
