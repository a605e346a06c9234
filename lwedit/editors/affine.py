"""The affine displacement H of Eq. 1, and editors that consist of one.

    per_layer    H(w)_l = W_l w_l + c_l      weight (layers, dim, dim), bias (layers, dim)
    full         H(w)   = W flat(w) + c      weight (flat, flat), bias (flat,)
    low_rank     H(w)   = W V flat(w) + c    weight (flat, rank), right V (rank, flat), bias (flat,)
    translation  H(w)_l = c_l                no weight, bias (layers, dim)

The paper says "affine" and not which; LT, its rival, is per layer. Which one of the four a map
is, follows from the shapes of its tensors, so a saved editor needs no flag.

A map may hold a constant move besides, c, which alpha < 0 runs backwards in place of H.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.editors.base import Editor
from lwedit.latents import Space
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["AffineEditor", "AffineMap", "Shape"]

Shape = Literal["per_layer", "full", "low_rank", "translation"]


@dataclass(frozen=True)
class AffineMap:
    """H, as tensors.

    Attributes:
        weight: (layers, dim, dim), (flat, flat), (flat, rank), or None for a translation. Rows are
            outputs.
        bias: (layers, dim), or (flat,) beside a full or low-rank weight.
        right: (rank, flat) beside a low-rank weight, else None.
        back: What alpha < 0 runs backwards, H itself if None.
    """

    weight: Float[Tensor, "layers dim dim"] | Float[Tensor, "flat width"] | None
    bias: Float[Tensor, "layers dim"] | Float[Tensor, " flat"]
    right: Float[Tensor, "rank flat"] | None = None
    back: Float[Tensor, "layers dim"] | None = None

    @property
    def shape(self) -> Shape:
        """Which of the four forms this is."""
        if self.weight is None:
            return "translation"
        if self.right is not None:
            return "low_rank"
        return "full" if self.weight.ndim == 2 else "per_layer"

    def __call__(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w)."""
        if self.weight is None:
            return self.bias.expand(len(w), -1, -1)
        if self.weight.ndim == 2:
            v = flatten_codes(w)
            v = v if self.right is None else v @ self.right.T
            move = v @ self.weight.T + self.bias
            return unflatten_codes(move, w.shape[1])
        move = torch.bmm(w.transpose(0, 1), self.weight.transpose(1, 2))  # (layers, n, dim)
        return move.transpose(0, 1) + self.bias

    def backwards(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """What alpha < 0 multiplies."""
        return self(w) if self.back is None else self.back.expand(len(w), -1, -1)

    @classmethod
    def zero(cls, shape: Shape, layers: int, dim: int, rank: int = 1) -> "AffineMap":
        """The map that moves nothing, where the paper starts.

        Args:
            shape: Form of the map.
            layers: Codes an image.
            dim: Length of each.
            rank: Of a low-rank map, whose right factor is 0 too.
        """
        flat = layers * dim
        if shape == "low_rank":
            return cls(torch.zeros(flat, rank), torch.zeros(flat), torch.zeros(rank, flat))
        if shape == "full":
            return cls(torch.zeros(flat, flat), torch.zeros(flat))
        weight = torch.zeros(layers, dim, dim) if shape == "per_layer" else None
        return cls(weight, torch.zeros(layers, dim))

    @classmethod
    def of(cls, state: dict[str, Tensor]) -> "AffineMap":
        """The map whose tensors these are, by the names of the attributes.

        Raises:
            ValueError: If a tensor is missing or unknown.
        """
        forms = ({"bias"}, {"bias", "weight"}, {"bias", "weight", "right"})
        if set(state) - {"back"} not in forms:
            raise ValueError(
                "state must hold bias, perhaps weight, perhaps right, perhaps back, got "
                f"{sorted(state)}."
            )
        return cls(state.get("weight"), state["bias"], state.get("right"), state.get("back"))

    def to(self, device: torch.device | str) -> "AffineMap":
        """The same map for codes on another device."""
        weight, right, back = (
            None if part is None else part.to(device)
            for part in (self.weight, self.right, self.back)
        )
        return AffineMap(weight, self.bias.to(device), right, back)

    def fits(self, space: Space) -> bool:
        """Whether the map moves codes of this space."""
        rank = 1 if self.right is None else len(self.right)
        expected = AffineMap.zero(self.shape, space.layers, space.dim, rank)
        mine, theirs = (
            [None if part is None else part.shape for part in (map.weight, map.bias, map.right)]
            for map in (self, expected)
        )
        back = None if self.back is None else self.back.shape
        return mine == theirs and back in (None, (space.layers, space.dim))


class AffineEditor(Editor):
    """An editor whose displacement is one affine map.

    Attributes:
        map: H.
    """

    def __init__(self, attribute: str, space: Space, map: AffineMap):
        super().__init__(attribute, space)
        if not map.fits(space):
            raise ValueError(
                f"map must move codes of shape ({space.layers}, {space.dim}), got a bias of "
                f"{tuple(map.bias.shape)}."
            )
        self.map = map

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w)."""
        return self.map(w)

    def displacement_back(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w), or the constant move that alpha < 0 runs backwards."""
        return self.map.backwards(w)

    def state(self) -> dict[str, Tensor]:
        """Bias, weight and right factor of H, and the move back, those that it has."""
        parts = {"bias": self.map.bias, "weight": self.map.weight, "right": self.map.right,
                 "back": self.map.back}
        return {name: part for name, part in parts.items() if part is not None}

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "AffineEditor":
        """Inverse of `state`.

        Args:
            state: What `state` gave.
            attribute: What the edit adds.
            space: Where its codes live.

        Raises:
            ValueError: If a tensor is missing, unknown, or of another space.
        """
        return cls(attribute, space, AffineMap.of(state))
