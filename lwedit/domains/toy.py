"""The toy domain: every attribute, image, judge and best edit is a formula.

A code of two layers is a standard Gaussian in twelve dimensions, and twelve factors are linear
in it, f = A flat(w). The first four are attributes, present where f_k > t_k; "ring" correlates
with "disc" (rho = 1/2), as attributes of faces do. The other eight are who is shown.

    f_1..4    brightness of a disc, ring, cross and bar in the first channel
    f_5..12   brightness of four tiles in each of the other two channels

Brightness is f / (1 + |f|), so an image can be read back without error: the judges are exact and
identity is the cosine of the last eight factors. The best edit of attribute k moves f_k alone,
by the optimal transport map between the two halves of its Gaussian (`TrueEdit`).

A photo of a code shows who is shown as f + e, e ~ N(0, .3^2): what an encoder would lose. Two
networks compare images: "judge" sees the attributes' factors, "pixels" all twelve.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from lwedit.domains.base import ImageNetwork, Part
from lwedit.editors import Editor, FitData
from lwedit.latents import LatentSet, Space
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["CORRELATION", "LOST", "THRESHOLDS", "ToyDomain", "TrueEdit", "mixing"]

ATTRIBUTES = ("disc", "ring", "cross", "bar")
THRESHOLDS = (0.0, 0.4, 0.0, 0.8)
CORRELATION = 0.5
_LAYERS, _DIM, _SIDE = 2, 6, 16
_FACTORS = _LAYERS * _DIM
_STEEPNESS = 4.0  # of the judge's probability; its verdict is exact whatever this is
_SEEDS: dict[Part, int] = {"train": 21, "heldout": 22}
LOST, _PHOTOS = 0.3, 23  # deviation of what a code lacks of its photo; its seed


def mixing() -> Float[Tensor, "factors factors"]:
    """A: rows of unit length, orthogonal but for the first two."""
    a = torch.eye(_FACTORS, dtype=torch.float64) - 2 / _FACTORS  # a Householder reflection
    a[1] = CORRELATION * a[0] + (1 - CORRELATION**2) ** 0.5 * a[1]
    return a.float()


_SPACE = Space(hashlib.sha256(mixing().numpy().tobytes()).hexdigest(), "W+", _LAYERS, _DIM)


def _stencils() -> Bool[Tensor, "factors channels h w"]:
    """Where each factor is drawn: no two places overlap."""
    half = _SIDE // 2
    row, column = torch.meshgrid(torch.arange(half), torch.arange(half), indexing="ij")
    down, right = row - (half - 1) / 2, column - (half - 1) / 2
    radius = (down**2 + right**2).sqrt()
    tile = torch.ones(half, half, dtype=torch.bool)
    cross = (down.abs() < 1) | (right.abs() < 1)
    shapes = [radius < 3, (radius > 2) & (radius < 4), cross, down.abs() < 2, *[tile] * 8]
    stencils = torch.zeros(_FACTORS, 3, _SIDE, _SIDE, dtype=torch.bool)
    for i, shape in enumerate(shapes):
        top, left = half * (i % 4 // 2), half * (i % 2)
        stencils[i, i // 4, top : top + half, left : left + half] = shape
    return stencils


@dataclass(frozen=True)
class ToyDomain:
    """Codes, images and judges by formula.

    Attributes:
        sizes: Number of training and of held-out codes.
    """

    sizes: tuple[int, int] = (4000, 3000)
    stencils: Bool[Tensor, "factors channels h w"] = field(
        default_factory=_stencils, repr=False, compare=False
    )

    name: ClassVar[str] = "toy"
    space: ClassVar[Space] = _SPACE
    attributes: ClassVar[tuple[str, ...]] = ATTRIBUTES
    editable: ClassVar[tuple[str, ...]] = ATTRIBUTES
    weights: ClassVar[dict[str, str]] = {"generator": _SPACE.generator}
    identities: ClassVar[tuple[str, ...]] = ("formula",)

    def factors(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n factors"]:
        """f = A flat(w)."""
        return flatten_codes(w) @ mixing().to(w.device).T

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:  # noqa: ARG002
        """Gaussian codes and their exact labels."""
        rng = torch.Generator().manual_seed(_SEEDS[part])
        n = self.sizes[0] if part == "train" else self.sizes[1]
        w = torch.randn(n, _LAYERS, _DIM, generator=rng)
        present = self.factors(w)[:, : len(ATTRIBUTES)] > torch.tensor(THRESHOLDS)
        return LatentSet(w, present.long(), ATTRIBUTES, _SPACE)

    def generate(
        self, w: Float[Tensor, "n layers dim"], batch: int = 100  # noqa: ARG002
    ) -> Float[Tensor, "n channels h w"]:
        """w -> x, differentiable; black where nothing is drawn."""
        return self._draw(self.factors(w))

    def photos(self, index: Int64[np.ndarray, " m"]) -> Float[Tensor, "m channels h w"]:
        """Photos of held-out codes: who is shown is what the code holds and a little more."""
        rng = torch.Generator().manual_seed(_PHOTOS)
        lost = LOST * torch.randn(self.sizes[1], _FACTORS, generator=rng)
        lost[:, : len(ATTRIBUTES)] = 0
        rows = torch.from_numpy(index)
        return self._draw(self.factors(self.latents("heldout").w[rows]) + lost[rows])

    def networks(self) -> tuple[ImageNetwork, ...]:
        """What the judge reads, and what all of the image says."""
        def judged(x: Tensor) -> Tensor:
            return self.read(x)[:, : len(ATTRIBUTES)]

        return (ImageNetwork("judge", judged, lambda x: [judged(x)[:, :, None, None]]),
                ImageNetwork("pixels", self.read, lambda x: [x]))

    def _draw(self, f: Float[Tensor, "n factors"]) -> Float[Tensor, "n channels h w"]:
        ink = (f / (1 + f.abs()) + 1) @ self.stencils.flatten(1).to(f)
        return ink.unflatten(1, self.stencils.shape[1:]) - 1

    def read(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n factors"]:
        """The factors that were drawn, by formula: the inverse of `generate`."""
        places = self.stencils.flatten(1).to(x.device).double()
        brightness = x.flatten(1).double() @ places.T / places.sum(dim=1)
        return (brightness / (1 - brightness.abs())).to(x)

    def score(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n attributes"]:
        """Probabilities whose verdict at 1/2 is exact."""
        f = self.read(x)[:, : len(ATTRIBUTES)]
        return (_STEEPNESS * (f - torch.tensor(THRESHOLDS).to(x.device))).sigmoid()

    def identity(
        self,
        x: Float[Tensor, "n channels h w"],
        x_edit: Float[Tensor, "n channels h w"],
        measure: str = "formula",
    ) -> Float[Tensor, " n"]:
        """Cosine of who is shown before and after.

        Args:
            x: Images.
            x_edit: Edited images.
            measure: One of `identities`.

        Raises:
            ValueError: If there is no such measure.
        """
        if measure not in self.identities:
            raise ValueError(f"measure must be one of {self.identities}, got {measure!r}.")
        before, after = (self.read(images)[:, len(ATTRIBUTES) :] for images in (x, x_edit))
        return torch.cosine_similarity(before, after)

    def facts(self) -> Mapping[str, Any]:
        """Judges by formula do not err."""
        judge = {"attributes": {name: {"accuracy": 1.0, "auc": 1.0} for name in ATTRIBUTES}}
        return {"naming": judge, "scoring": judge}


class TrueEdit(Editor):
    """The best edit there is: f_k crosses its threshold along the optimal map, nothing else moves.

    With Phi the distribution of f_k, codes without the attribute go, at alpha = 1, where
    Phi(f') = Phi(t) + (1 - Phi(t)) Phi(f) / Phi(t); codes with it come back at alpha = -1.
    """

    method: ClassVar[str] = "true"
    uses_seed: ClassVar[bool] = False

    @classmethod
    def fit(cls, data: FitData) -> "TrueEdit":
        """Nothing to learn.

        Args:
            data: Gives the space and the attribute's name.
        """
        return cls(data.attribute, data.train.space)

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w)."""
        a = mixing().to(w.device).double()
        k = ATTRIBUTES.index(self.attribute)
        f = flatten_codes(w).double() @ a[k]
        below = torch.special.ndtr(torch.tensor(THRESHOLDS[k]).to(a))
        rank = torch.special.ndtr(f)
        lacks = rank <= below
        share = torch.where(lacks, rank / below, (rank - below) / (1 - below)).clamp(1e-3, 1 - 1e-3)
        aim = torch.where(lacks, below + (1 - below) * share, below * share)
        move = (torch.special.ndtri(aim) - f) * torch.where(lacks, 1.0, -1.0)
        only_k = torch.linalg.inv(a)[:, k]
        return unflatten_codes(move[:, None] * only_k, w.shape[1]).to(w)

    def state(self) -> dict[str, Tensor]:
        """Nothing but a mark: the edit is a formula."""
        return {"threshold": torch.tensor([THRESHOLDS[ATTRIBUTES.index(self.attribute)]])}

    @classmethod
    def restore(
        cls, state: dict[str, Tensor], attribute: str, space: Space  # noqa: ARG003
    ) -> "TrueEdit":
        """Inverse of `state`.

        Args:
            state: What `state` gave, in which nothing is to be read.
            attribute: What the edit adds.
            space: Where its codes live.
        """
        return cls(attribute, space)
