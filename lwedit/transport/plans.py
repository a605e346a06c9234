"""Entropic plans between clouds of codes, and the move that they ask of every source code.

The debiased Sinkhorn divergence S (`lwedit.transport.sinkhorn`) of weighted points x', y has

    P = plan x' -> y,   Q = plan x' -> x',   eps = blur^2, cost |x - y|^2 / 2
    -dS/dx'_i = sum_j P_ij y_j - sum_j Q_ij x'_j = a_i delta_i

(envelope theorem; Feydy et al. 2019), so `displacement` is minus the gradient of the loss a
unit of mass. Nothing is differentiated and no plan is stored: a block of rows of the plan
exists while it is summed, and only one cost matrix lives at a time. Potentials go in and come
out, so that solving again after a small move of x' takes a few iterations.

With few samples in many dimensions S has a bias that pulls codes towards their mean: P cannot
find close partners, while Q matches every point with itself at no cost. `own_match=False` bars
Q from the diagonal, as a U-statistic leaves out i = j, so that P and Q are equally noisy and
the bias cancels: for x' and y from the same distribution the expected move is then nearly 0 in
any dimension and at any blur. The gradient of S as the paper has it is `own_match=True`.

`divergence` is S itself from the same iterations, for where no gradient is wanted: it stops
when converged, which at the blurs in use is several times sooner than GeomLoss's schedule.

Must agree with GeomLoss on value and gradient.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.transport.sinkhorn import check_masses

__all__ = ["Potentials", "Step", "displacement", "divergence", "potentials_at_rest"]

_ITERATIONS = 100  # most iterations at the final eps
_RELAXATION = 1.7  # of the g half-step at the final eps; 1 is plain Sinkhorn
_BLOCK = 2**21  # entries of a block of rows: 8 MB of float32 stay in the cache


class Potentials(NamedTuple):
    """Dual variables of the two plans, for a warm start.

    Attributes:
        f: Of the source, plan P.
        g: Of the target, plan P.
        own: Of the source, plan Q (symmetric, so one vector).
    """

    f: Float[Tensor, " n"]
    g: Float[Tensor, " m"]
    own: Float[Tensor, " n"]


class Step(NamedTuple):
    """What one solution of the plans gives.

    Attributes:
        delta: Move of every source point, (n, dim).
        potentials: For the next call.
        error: Total variation by which P misses the target's masses.
    """

    delta: Float[Tensor, "n dim"]
    potentials: Potentials
    error: float


class _Rows(NamedTuple):
    """Some rows of a plan: probabilities given the row, and the row potential that makes them."""

    index: slice
    share: Float[Tensor, "rows m"]
    f: Float[Tensor, " rows"]


def _cost(x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    """|x_i - y_j|^2 / 2, in one matrix."""
    cost = torch.addmm(y.square().sum(dim=1)[None] / 2, x, y.T, alpha=-1)
    return cost.add_(x.square().sum(dim=1)[:, None] / 2).clamp_(min=0)


def _rows(
    cost: Float[Tensor, "n m"], g: Float[Tensor, " m"], log_b: Float[Tensor, " m"], eps: float
) -> Iterator[_Rows]:
    """P_ij / a_i, block by block, for the f that meets the first marginal exactly.

    f_i = -eps log sum_j b_j exp((g_j - C_ij) / eps).
    """
    h = log_b + g / eps
    rows = max(_BLOCK // cost.shape[1], 1)
    for start in range(0, len(cost), rows):
        index = slice(start, start + rows)
        logits = torch.add(h, cost[index], alpha=-1 / eps)
        top = logits.amax(dim=1, keepdim=True)
        # exp(-60) = 9e-27 is nothing beside the 1 of the best match; below, float32 would go
        # through subnormal numbers, which CPUs handle ten times slower.
        share = logits.sub_(top).clamp_(min=-60).exp_()
        total = share.sum(dim=1, keepdim=True)
        yield _Rows(index, share.div_(total), -eps * (top + total.log())[:, 0])


def _plan(
    cost: Float[Tensor, "n m"],
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    schedule: list[float],
    g: Float[Tensor, " m"],
    tolerance: float,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"], float]:
    """Sinkhorn's algorithm, both half-steps in one pass over the cost.

    The f half-step leaves P with columns c_j = sum_i P_ij; the g half-step is then
    g_j += eps log(b_j / c_j). The last half-step is f, so the rows of P sum to a exactly.
    """
    log_b = b.log()
    f, error, last = torch.zeros_like(a), float("inf"), float("inf")
    relaxation = _RELAXATION
    for step in range(len(schedule) + _ITERATIONS):
        eps = schedule[min(step, len(schedule) - 1)]
        column = torch.zeros_like(b)
        for rows in _rows(cost, g, log_b, eps):
            f[rows.index] = rows.f
            column += a[rows.index] @ rows.share
        error = float((column - b).abs().sum() / 2)
        if step >= len(schedule) - 1 and error < tolerance:
            break
        settled = step >= len(schedule)
        relaxation = 1.0 if settled and error > 1.5 * last else relaxation
        last = error
        # Columns out of everybody's reach underflow to 0; the floor lifts them a step at a time.
        lift = (relaxation if settled else 1.0) * eps * (log_b - column.clamp(min=1e-30).log())
        g = g + torch.where(b > 0, lift, 0.0)
    return f, g, error


def _own_plan(
    cost: Float[Tensor, "n n"],
    a: Float[Tensor, " n"],
    schedule: list[float],
    f: Float[Tensor, " n"],
    tolerance: float,
) -> Float[Tensor, " n"]:
    """Potential of a cloud with itself: the symmetric fixed point f <- (f + T f) / 2."""
    log_a = a.log()
    for step in range(len(schedule) + _ITERATIONS):
        eps = schedule[min(step, len(schedule) - 1)]
        new = torch.cat([rows.f for rows in _rows(cost, f, log_a, eps)])
        # The row sums of Q are a exp((f - T f) / eps): half their deviation is the error.
        miss = float((a * ((f - new) / eps).clamp(max=50).expm1().abs()).sum() / 2)
        f = (f + new) / 2
        if step >= len(schedule) - 1 and miss < tolerance:
            break
    return f


def _own_cost(x: Float[Tensor, "n dim"], own_match: bool) -> Float[Tensor, "n n"]:
    """Cost of a cloud with itself, infinite on the diagonal unless points may match themselves."""
    cost = _cost(x, x)
    return cost if own_match else cost.fill_diagonal_(float("inf"))


def _barycentres(
    cost: Float[Tensor, "n m"],
    points: Float[Tensor, "m dim"],
    g: Float[Tensor, " m"],
    b: Float[Tensor, " m"],
    eps: float,
) -> Float[Tensor, "n dim"]:
    """sum_j P_ij y_j / a_i."""
    return torch.cat([rows.share @ points for rows in _rows(cost, g, b.log(), eps)])


def displacement(
    x_edit: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    eps: float,
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    potentials: Potentials | None = None,
    *,
    own_match: bool = True,
    tolerance: float = 1e-4,
) -> Step:
    """delta_i = sum_j P_ij y_j / a_i - sum_j Q_ij x'_j / a_i.

    Args:
        x_edit: Edited source codes x'.
        y: Target codes.
        eps: Regularisation, blur squared.
        a: Masses of the source; where 0, delta is the limit a_i -> 0.
        b: Masses of the target.
        potentials: From an earlier call on nearby points and the same eps. Without them eps is
            annealed from the largest cost.
        own_match: Whether Q may match a point with itself, see the module's text.
        tolerance: Total variation between marginals and masses at which iterations end.

    Returns:
        The moves, with the potentials.

    Raises:
        ValueError: If eps is not positive, masses are no probabilities, or one of them is half of
            all while `own_match` is off.
    """
    _check(x_edit, y, eps, a, b, own_match)
    centre = (a @ x_edit + b @ y) / 2  # float32 loses digits away from the origin
    x, y = x_edit - centre, y - centre
    cold = potentials is None
    start = Potentials(torch.zeros_like(a), torch.zeros_like(b), torch.zeros_like(a))
    start = start if potentials is None else potentials
    cost = _cost(x, y)
    schedule = _schedule(float(cost.max()), eps) if cold else [eps]
    f, g, error = _plan(cost, a, b, schedule, start.g, tolerance)
    delta = _barycentres(cost, y, g, b, eps)
    del cost  # one cost matrix at a time
    cost = _own_cost(x, own_match)
    own = _own_plan(cost, a, schedule, start.own, tolerance)
    delta -= _barycentres(cost, x, own, a, eps)
    return Step(delta, Potentials(f, g, own), error)


def potentials_at_rest(
    x: Float[Tensor, "n dim"], eps: float, a: Float[Tensor, " n"], *, tolerance: float = 1e-4
) -> Potentials:
    """Potentials of a cloud with itself: the warm start for edits that begin at x' = y = x.

    Args:
        x: Points.
        eps: Regularisation, blur squared.
        a: Masses.
        tolerance: As in `displacement`.

    Raises:
        ValueError: If eps is not positive or masses are no probabilities.
    """
    _check(x, x, eps, a, a, True)
    cost = _cost(x - a @ x, x - a @ x)
    schedule = _schedule(float(cost.max()), eps)
    own = _own_plan(cost, a, schedule, torch.zeros_like(a), tolerance)
    return Potentials(own, own, own)


def divergence(
    x: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    eps: float,
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    *,
    own_match: bool = True,
    tolerance: float = 1e-4,
) -> float:
    """S(x, y) = <a, f - own_x> + <b, g - own_y>, from the dual potentials.

    Args:
        x: Source points.
        y: Target points.
        eps: Regularisation, blur squared.
        a: Masses of the source.
        b: Masses of the target.
        own_match: Whether a point may be matched with itself in OT(x, x) and OT(y, y).
        tolerance: Total variation between marginals and masses at which iterations end.

    Raises:
        ValueError: If eps is not positive, masses are no probabilities, or one of them is half of
            all while `own_match` is off.
    """
    _check(x, y, eps, a, b, own_match)
    centre = (a @ x + b @ y) / 2
    x, y = x - centre, y - centre
    cost = _cost(x, y)
    schedule = _schedule(float(cost.max()), eps)
    f, g, _ = _plan(cost, a, b, schedule, torch.zeros_like(b), tolerance)
    own_x = _own_plan(_own_cost(x, own_match), a, schedule, torch.zeros_like(a), tolerance)
    own_y = _own_plan(_own_cost(y, own_match), b, schedule, torch.zeros_like(b), tolerance)
    return float(a.double() @ (f - own_x).double() + b.double() @ (g - own_y).double())


def _check(
    x: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    eps: float,
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    own_match: bool,
) -> None:
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}.")
    check_masses("a", a, x)
    check_masses("b", b, y)
    heaviest = max(float(a.max()), float(b.max()))
    if not own_match and heaviest >= 0.5:
        raise ValueError(
            f"own_match=False needs every mass below 1/2, got {heaviest:.3g}; give more points."
        )


def _schedule(largest: float, eps: float) -> list[float]:
    """From the largest cost down to eps, a quarter each time (half the blur)."""
    schedule = []
    while largest > eps:
        schedule.append(largest)
        largest /= 4
    return [*schedule, eps]
