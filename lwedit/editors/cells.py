"""A displacement that sees where there is room: a small transformer over the cells of a code.

    H(w) = s N((w - m) / s)

The entries of a code that belong to one cell of a grid (`Synthesis.localise`: 4 x 4 of them), over
all layers that H may move, are one token. N embeds the tokens, adds what stands for their place,
lets them attend to each other (`lwedit.generators.attention`) and reads a move off each; m and s
are mean and deviation of a token's entries over all cells. Its last layer starts at 0, hence H = 0
at the start. Codes without a layout are one cell, and N a residual network on it.

An affine map moves every code alike but for what is linear in it: to add a digit where one fits, H
must leave the cells alone that are taken, and which these are depends on the code.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from lwedit.editors.base import Editor
from lwedit.generators.attention import HEAD, AttentionBlock
from lwedit.latents import Space

__all__ = ["CellEditor", "CellMap"]

_BATCH = 1024  # codes at a time, for memory


class CellMap(nn.Module):
    """H.

    Args:
        moved: Layers that H reads and moves, (layers,).
        cells: Into how many equal parts a layer's code falls.
        part: Entries of a part.
        width: Units of a token, a multiple of 32.
        depth: Blocks.

    Raises:
        ValueError: If the width is no such multiple, or there is nothing to move.
    """

    moved: Tensor
    centre: Tensor
    scale: Tensor

    def __init__(
        self, moved: Int64[Tensor, " layers"], cells: int, part: int, width: int, depth: int
    ):
        super().__init__()
        if width < 1 or width % HEAD:
            raise ValueError(f"width must be a multiple of {HEAD}, got {width}.")
        if min(len(moved), cells, part) < 1:
            raise ValueError(
                f"moved, cells and part must not be empty, got {tuple(moved.shape)}, {cells} and "
                f"{part}."
            )
        entries = len(moved) * part
        self.cells, self.part = cells, part
        self.register_buffer("moved", moved.clone())
        self.register_buffer("centre", torch.zeros(entries))
        self.register_buffer("scale", torch.ones(entries))
        self.start = nn.Linear(entries, width)
        self.place = nn.Parameter(0.5 * torch.randn(cells, width))
        self.blocks = nn.ModuleList(AttentionBlock(width) for _ in range(depth))
        self.end = nn.Linear(width, entries)
        nn.init.zeros_(self.end.weight)
        nn.init.zeros_(self.end.bias)

    def forward(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w); layers that are not moved get 0."""
        codes = w.to(self.scale.dtype)
        parts = [self.layered(self.move(self.tokens(part))) for part in codes.split(_BATCH)]
        return torch.zeros_like(w).index_copy(1, self.moved, torch.cat(parts).to(w.dtype))

    def tokens(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n cells entries"]:
        """The moved layers, cell by cell."""
        parts = w[:, self.moved].unflatten(2, (self.cells, self.part))
        return parts.transpose(1, 2).flatten(2)

    def layered(self, h: Float[Tensor, "n cells entries"]) -> Float[Tensor, "n moved dim"]:
        """Inverse of `tokens`."""
        return h.unflatten(2, (len(self.moved), self.part)).transpose(1, 2).flatten(2)

    def move(self, tokens: Float[Tensor, "n cells entries"]) -> Float[Tensor, "n cells entries"]:
        """What H adds to each token."""
        h = self.start((tokens - self.centre) / self.scale) + self.place
        for block in self.blocks:
            h = block(h)
        return self.scale * self.end(functional.layer_norm(h, h.shape[-1:]))

    def standardise(self, codes: Float[Tensor, "n layers dim"]) -> None:
        """Set m and s from codes; entries that never vary get s = 1."""
        tokens = self.tokens(codes).flatten(0, 1)
        self.centre.copy_(tokens.mean(dim=0))
        deviation = tokens.std(dim=0, correction=0)
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0))


class CellEditor(Editor):
    """An editor whose displacement is a `CellMap`.

    Attributes:
        map: H.
    """

    def __init__(self, attribute: str, space: Space, map: CellMap):
        super().__init__(attribute, space)
        inside = 0 <= int(map.moved.min()) <= int(map.moved.max()) < space.layers
        if map.cells * map.part != space.dim or not inside:
            raise ValueError(
                f"map must move codes of shape ({space.layers}, {space.dim}), got {map.cells} "
                f"cells of {map.part} entries and layers {map.moved.tolist()}."
            )
        self.map = map.eval().requires_grad_(False)

    @torch.no_grad()
    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w)."""
        return self.map(w)

    def state(self) -> dict[str, Tensor]:
        """Weights and buffers of the map under their names."""
        return dict(self.map.state_dict())

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "CellEditor":
        """Inverse of `state`.

        Args:
            state: What `state` gave.
            attribute: What the edit adds.
            space: Where its codes live.

        Raises:
            ValueError: If a tensor is missing, unknown, or of another shape or space.
        """
        try:
            if state["moved"].dtype != torch.int64:
                raise TypeError(f"moved must be of int64, got {state['moved'].dtype}.")
            moved, (cells, width) = state["moved"], state["place"].shape
            part = len(state["centre"]) // len(moved)
            depth = sum(name.startswith("blocks.") and name.endswith(".up.bias") for name in state)
            map = CellMap(moved, cells, part, width, depth).to(state["place"].device)
            map.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError, TypeError, ZeroDivisionError) as error:
            raise ValueError(f"state must be that of a map over cells: {error}") from error
        return cls(attribute, space, map)
