"""Affine maps of every form, regressed on the moves that the plans ask of the source codes.

    per_layer    one ridge regression a layer (`solvers.ridge`), weight-tied over cells where codes
                 are grids of cells (`solvers.ridge_tied`)
    full         one for all coordinates; its cost grows with (layers dim)^3
    low_rank     one between the coordinates on the principal axes V of all codes:
                 H(w) = V^T M V w + c, where c is free in all directions
    translation  the mean move

Moves of layers that H may not touch are set to 0 first: ridge regression is separate for every
output, so their rows of the map come out as 0.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.editors.affine import AffineMap
from lwedit.editors.problem import Problem
from lwedit.editors.solvers.ridge import RidgeSystem
from lwedit.editors.solvers.ridge_tied import TiedRidgeSystem
from lwedit.vocabulary import flatten_codes

__all__ = ["Regression", "candidates", "prepare_regression"]

_AXES_FROM = 4000  # codes at most that principal axes are computed from


class Regression(NamedTuple):
    """The regression of one shape.

    Attributes:
        ridge: Its left-hand side, None for a translation, which has nothing to regress on.
        axes: Principal axes of the codes, for a low rank only.
    """

    ridge: RidgeSystem | None
    axes: Float[Tensor, "rank flat"] | None


def prepare_regression(problem: Problem, grid: int | None) -> Regression:
    """What does not change from round to round.

    Args:
        problem: Codes, masses, the form of H.
        grid: Cells along a side over which a map per layer is weight-tied, if any.
    """
    shape, source, a = problem.shape, problem.train.source, problem.train.a
    if shape == "translation":
        return Regression(None, None)
    if shape == "per_layer":
        return Regression(
            RidgeSystem(source, a) if grid is None else TiedRidgeSystem(source, a, grid), None
        )
    flat = flatten_codes(source)
    if shape == "full":
        return Regression(RidgeSystem(flat[:, None], a), None)
    axes = _principal_axes(torch.cat([flat, flatten_codes(problem.train.target)]),
                           problem.rank)
    return Regression(RidgeSystem((flat @ axes.T)[:, None], a), axes)


def _principal_axes(x: Float[Tensor, "n flat"], rank: int) -> Float[Tensor, "axes flat"]:
    """The axes of largest variance, by the smaller of the two Gram matrices.

    Args:
        x: Codes.
        rank: How many axes; fewer come back where the codes have fewer.
    """
    x = x[:: max(len(x) // _AXES_FROM, 1)]
    x = x - x.mean(dim=0)
    rank = min(rank, x.shape[1], len(x) - 1)
    if x.shape[1] <= len(x):
        return torch.linalg.eigh(x.T @ x).eigenvectors[:, -rank:].T.contiguous()
    values, left = torch.linalg.eigh(x @ x.T)
    return (left[:, -rank:] / values[-rank:].clamp(min=1e-12).sqrt()).T @ x


def candidates(
    problem: Problem, regression: Regression, aim: Float[Tensor, "n flat"],
    ridges: tuple[float, ...],
) -> Iterator[tuple[float, AffineMap]]:
    """Maps regressed on the moves, one a ridge (a translation has nothing to penalise).

    Args:
        problem: Codes, masses, the form of H.
        regression: From `prepare_regression`.
        aim: Where every source code should move.
        ridges: Penalties.
    """
    train = problem.train
    # Ridge regression is separate for every output: an output without aim has coefficients 0.
    aim = flatten_codes(aim.reshape(train.source.shape) * problem.loss.mask)
    if regression.ridge is None:
        yield 0.0, AffineMap(None, (train.a @ aim).reshape(train.source.shape[1:]))
        return
    axes = regression.axes
    seen = aim if axes is None else aim @ axes.T
    moves = regression.ridge.moves(seen.reshape(regression.ridge.x.shape))
    for ridge in ridges:
        weight, bias = regression.ridge.solve(moves, ridge)
        if axes is not None:
            yield ridge, _low_rank(problem, weight[0], axes, train.a @ aim)
        elif problem.shape == "full":
            yield ridge, AffineMap(weight[0], bias[0])
        else:
            yield ridge, AffineMap(weight, bias)


def _low_rank(
    problem: Problem,
    weight: Float[Tensor, "rank rank"],
    axes: Float[Tensor, "rank flat"],
    mean_move: Float[Tensor, " flat"],
) -> AffineMap:
    """The map whose weight is that of the axes and whose mean move is that of all coordinates."""
    mask = problem.loss.mask.expand(problem.train.source.shape[1:]).flatten()
    left = mask[:, None] * (axes.T @ weight)
    mean = axes @ (problem.train.a @ flatten_codes(problem.train.source))
    return AffineMap(left, mean_move - left @ mean, axes)
