"""Ridge regression of moves on codes that fall into the cells of a grid, weight-tied over cells.

    min over K, c of  sum_i a_i sum_p |sum_o K_o x_i[p + o] + c_p - t_i[p]|^2 + rho s P |K|^2

p runs over the P = side^2 cells, o over every offset between two of them, x[q] is the part of a
code that belongs to cell q (zero mean, and zero outside of the grid): H is a convolution over the
grid, with a bias a cell. It is an affine map of the usual form, `weight[p, q] = K_(q - p)`, with
fewer free coefficients: what is to be learned of a digit in one corner tells of the other three.
For a generator whose cells are alike (`Synthesis.localise`, `tie_cells`), and plans of few samples
in many dimensions, whose noise a free map learns.

Only second moments enter, so the pooling over cells is a sum of blocks of what `RidgeSystem`
computes, and no larger data are ever formed.
"""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from lwedit.editors.solvers.ridge import Moves, RidgeSystem

__all__ = ["TiedRidgeSystem"]


class TiedRidgeSystem(RidgeSystem):
    """The regression's left-hand side; each of its blocks is a grid of cells."""

    def __init__(self, x: Float[Tensor, "n blocks width"], a: Float[Tensor, " n"], side: int):
        """Pool the second moments of all cells.

        Args:
            x: Codes, cell after cell, row after row of the grid.
            a: Masses.
            side: Cells along a side.

        Raises:
            ValueError: If a code does not fall into so many equal parts.
        """
        if side < 1 or x.shape[2] % side**2:
            raise ValueError(
                f"grid must split a code of {x.shape[2]} entries into equal cells, got {side} x "
                f"{side} of them; take None for codes without cells."
            )
        super().__init__(x, a)
        self.offsets = _offsets(side).to(x.device)
        self.part = x.shape[2] // side**2
        moments = (self.vectors * self.values[:, None]) @ self.vectors.transpose(1, 2)
        self.level = self.values.mean(dim=1)
        self.pooled = torch.stack([self._pool(block) for block in moments])

    def solve(
        self, moves: Moves, ridge: float
    ) -> tuple[Float[Tensor, "blocks width width"], Float[Tensor, "blocks width"]]:
        """Weight and bias in float32; rows of the weight are outputs.

        Args:
            moves: From `moves`.
            ridge: rho, not 0: some offsets are seen in one corner only.

        Raises:
            ValueError: If there is no penalty.
        """
        if ridge <= 0:
            raise ValueError(f"ridge must be positive for a grid of cells, got {ridge}.")
        weight = torch.zeros_like(moves.cross)
        cells, part = len(self.offsets), self.part
        for block in moves.cross.flatten(1).any(dim=1).nonzero()[:, 0].tolist():
            # What is not to be moved has no cross moments and keeps its zeros.
            penalty = ridge * self.level[block] * cells
            left = self.pooled[block] + penalty * torch.eye(len(self.pooled[block])).to(weight)
            right = self._right(moves.cross[block])
            kernel = torch.cholesky_solve(right, torch.linalg.cholesky(left))
            # (offset, input, output) -> (cell of the output, of the input, output, input)
            spread = kernel.view(-1, part, part)[self.offsets].transpose(2, 3)
            weight[block] = spread.transpose(1, 2).reshape(weight[block].shape)
        bias = moves.mean - (weight @ self.mean[:, :, None])[:, :, 0]
        return weight.float().contiguous(), bias.float()

    def _pool(self, moments: Float64[Tensor, "width width"]) -> Float64[Tensor, "taps taps"]:
        """sum_p of the moments of (p + o, p + o'), where both lie on the grid."""
        cells, part = len(self.offsets), self.part
        apart = moments.view(cells, part, cells, part).transpose(1, 2)
        taps = int(self.offsets.max()) + 1
        total = moments.new_zeros(taps, taps, part, part)
        for seen in self.offsets:  # of one p: the offset of every cell, each a different one
            total[seen[:, None], seen[None]] += apart
        return total.transpose(1, 2).reshape(taps * part, taps * part)

    def _right(self, cross: Float64[Tensor, "width width"]) -> Float64[Tensor, "taps part"]:
        """sum_p of the cross moments of (p + o) with the move of p."""
        cells, part = len(self.offsets), self.part
        apart = cross.view(cells, part, cells, part).permute(2, 0, 1, 3)  # by the cell that moves
        total = cross.new_zeros(int(self.offsets.max()) + 1, part, part)
        for seen, moved in zip(self.offsets, apart, strict=True):
            total[seen] += moved
        return total.reshape(-1, part)


def _offsets(side: int) -> Int64[Tensor, "cells cells"]:
    """Which offset q - p lies between cell p and cell q, as a number from 0."""
    row, column = torch.arange(side**2) // side, torch.arange(side**2) % side
    down, right = row[None] - row[:, None], column[None] - column[:, None]
    return (down + side - 1) * (2 * side - 1) + right + side - 1
