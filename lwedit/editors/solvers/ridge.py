"""Weighted ridge regression of moves on codes, in closed form.

    min over W, c of  sum_i a_i |W x_i + c - t_i|^2 + rho s |W|^2

for many t and rho on the same x: the covariance of x is diagonalised once. The bias c is not
penalised. s is the mean variance of a coordinate of x, so that rho has no unit. Sums and
solutions are float64, codes may be float32. Codes are (n, blocks, width), one regression a
block: blocks = layers for a map per layer, blocks = 1 for a full one.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

__all__ = ["Moves", "RidgeSystem"]

_ROWS = 4096  # codes in float64 at a time


class Moves(NamedTuple):
    """What the regression needs to know of the moves t.

    Attributes:
        mean: Weighted mean.
        cross: sum_i a_i (x_i - mean x) (t_i - mean t)^T.
    """

    mean: Float64[Tensor, "blocks width"]
    cross: Float64[Tensor, "blocks width width"]


class RidgeSystem:
    """The regression's left-hand side."""

    def __init__(self, x: Float[Tensor, "n blocks width"], a: Float[Tensor, " n"]):
        self.x, self.a = x, a
        self.mean = _mean(x, a)
        self.values, self.vectors = torch.linalg.eigh(self._cross(x, self.mean))

    def moves(self, t: Float[Tensor, "n blocks width"]) -> Moves:
        """Summaries of the moves, for any number of penalties."""
        mean = _mean(t, self.a)
        return Moves(mean, self._cross(t, mean))

    def solve(
        self, moves: Moves, ridge: float
    ) -> tuple[Float[Tensor, "blocks width width"], Float[Tensor, "blocks width"]]:
        """Weight and bias in float32; rows of the weight are outputs.

        Args:
            moves: From `moves`.
            ridge: rho.
        """
        level = self.values.mean(dim=1, keepdim=True)
        # Directions without any variance carry no information: their coefficient is 0, not 0/0.
        floor = 1e-12 * self.values.amax(dim=1, keepdim=True).clamp(min=1e-300)
        gain = torch.where(self.values > floor, 1 / (self.values + ridge * level), 0.0)
        right = self.vectors.transpose(1, 2) @ moves.cross
        weight = (self.vectors @ (gain[:, :, None] * right)).transpose(1, 2)
        bias = moves.mean - (weight @ self.mean[:, :, None])[:, :, 0]
        return weight.float().contiguous(), bias.float()

    def _cross(
        self, t: Float[Tensor, "n blocks width"], mean: Float64[Tensor, "blocks width"]
    ) -> Float64[Tensor, "blocks width width"]:
        total = mean.new_zeros(*mean.shape, mean.shape[1])
        for x, t_rows, a in zip(
            self.x.split(_ROWS), t.split(_ROWS), self.a.split(_ROWS), strict=True
        ):
            left = (x.double() - self.mean) * a.double()[:, None, None]
            total += torch.bmm(left.permute(1, 2, 0), (t_rows.double() - mean).transpose(0, 1))
        return total


def _mean(
    x: Float[Tensor, "n blocks width"], a: Float[Tensor, " n"]
) -> Float64[Tensor, "blocks width"]:
    total = x.new_zeros(x.shape[1:], dtype=torch.float64)
    for rows, mass in zip(x.split(_ROWS), a.split(_ROWS), strict=True):
        total += torch.einsum("n,nbw->bw", mass.double(), rows.double())
    return total / a.double().sum()
