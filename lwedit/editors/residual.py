"""A displacement that need not be affine: an affine map plus a small network.

    H(w) = A(w) + s V^T N(V (flat(w) - m) / s)

N is a multi-layer perceptron (two hidden layers, leaky ReLU 0.2) that reads and writes the
coordinates on the principal axes V of the codes, so that its size does not grow with W+; m and s
are the codes' mean and overall deviation on the axes. Its last layer starts at 0: H starts at A.
The edit is w + alpha H(w) as for every editor, hence none at alpha = 0.

The paper restricts H to affine maps. What that costs, in digits kept above all, is what this
shows: to add a digit where there is room, H must look where there is room.
"""

from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lwedit.editors.affine import AffineMap
from lwedit.editors.base import Editor
from lwedit.latents import Space
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["ResidualEditor", "ResidualMap"]


@dataclass(frozen=True)
class ResidualMap:
    """H, as tensors.

    Attributes:
        affine: A.
        axes: V, (rank, flat).
        centre: m on the axes, (rank,).
        scale: s, one number.
        first: Weight of N's first layer, (hidden, rank).
        first_bias: Its bias.
        second: Weight of the second layer, (hidden, hidden).
        second_bias: Its bias.
        last: Weight of the last layer, (rank, hidden).
        last_bias: Its bias.
        mask: 1 for the coordinates that H may move, (flat,).
    """

    affine: AffineMap
    axes: Float[Tensor, "rank flat"]
    centre: Float[Tensor, " rank"]
    scale: Float[Tensor, ""]
    first: Float[Tensor, "hidden rank"]
    first_bias: Float[Tensor, " hidden"]
    second: Float[Tensor, "hidden hidden"]
    second_bias: Float[Tensor, " hidden"]
    last: Float[Tensor, "rank hidden"]
    last_bias: Float[Tensor, " rank"]
    mask: Float[Tensor, " flat"]

    def __call__(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w)."""
        bent = self.bend(self.read(w)) @ self.axes * (self.scale * self.mask)
        return self.affine(w) + unflatten_codes(bent, w.shape[1])

    def read(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n rank"]:
        """N's input."""
        return (flatten_codes(w) @ self.axes.T - self.centre) / self.scale

    def bend(self, v: Float[Tensor, "n rank"]) -> Float[Tensor, "n rank"]:
        """N, in units of `scale`."""
        v = functional.leaky_relu(functional.linear(v, self.first, self.first_bias), 0.2)
        v = functional.leaky_relu(functional.linear(v, self.second, self.second_bias), 0.2)
        return functional.linear(v, self.last, self.last_bias)

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """What is learned of N."""
        return (self.first, self.first_bias, self.second, self.second_bias, self.last,
                self.last_bias)

    @classmethod
    def start(
        cls,
        affine: AffineMap,
        axes: Float[Tensor, "rank flat"],
        codes: Float[Tensor, "n layers dim"],
        mask: Float[Tensor, "layers 1"],
        hidden: int,
        rng: torch.Generator,
    ) -> "ResidualMap":
        """The map that is still A.

        Args:
            affine: A.
            axes: V, orthonormal rows.
            codes: Codes that set m and s.
            mask: 1 for the layers that H may move.
            hidden: Width of N's hidden layers.
            rng: Source of N's first weights.
        """
        v = flatten_codes(codes) @ axes.T
        centre, rank = v.mean(dim=0), len(axes)
        widths = [rank, hidden, hidden]
        first, second = (
            torch.randn(b, a, generator=rng).to(v) * (2 / a) ** 0.5 for a, b in pairwise(widths)
        )
        return cls(
            affine, axes, centre, (v - centre).square().mean().sqrt(),
            first, v.new_zeros(hidden), second, v.new_zeros(hidden),
            v.new_zeros(rank, hidden), v.new_zeros(rank),
            mask.expand(codes.shape[1:]).flatten().clone(),
        )


class ResidualEditor(Editor):
    """An editor whose displacement is a `ResidualMap`.

    Attributes:
        map: H.
    """

    def __init__(self, attribute: str, space: Space, map: ResidualMap):
        super().__init__(attribute, space)
        if not map.affine.fits(space) or map.axes.shape[1] != space.layers * space.dim:
            raise ValueError(
                f"map must move codes of shape ({space.layers}, {space.dim}), got axes of length "
                f"{map.axes.shape[1]}."
            )
        self.map = map

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w)."""
        return self.map(w)

    def state(self) -> dict[str, Tensor]:
        """Tensors of A under "affine.", of N under their names."""
        affine = {
            f"affine.{field.name}": getattr(self.map.affine, field.name)
            for field in fields(AffineMap)
        }
        return {name: part for name, part in (affine | self._own()).items() if part is not None}

    def _own(self) -> dict[str, Tensor]:
        names = [field.name for field in fields(ResidualMap) if field.name != "affine"]
        return {name: getattr(self.map, name) for name in names}

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "ResidualEditor":
        """Inverse of `state`.

        Args:
            state: What `state` gave.
            attribute: What the edit adds.
            space: Where its codes live.

        Raises:
            ValueError: If a tensor is missing, unknown, or of another space.
        """
        needed = {field.name for field in fields(ResidualMap)} - {"affine"} | {"affine.bias"}
        if not needed <= set(state) <= needed | {"affine.weight", "affine.right"}:
            raise ValueError(f"state must hold {sorted(needed)}, got {sorted(state)}.")
        own = {name: part for name, part in state.items() if not name.startswith("affine.")}
        affine = {name.removeprefix("affine."): part for name, part in state.items()
                  if name.startswith("affine.")}
        map = AffineMap(affine.get("weight"), affine["bias"], affine.get("right"))
        return cls(attribute, space, ResidualMap(affine=map, **own))
