"""Sinkhorn's iterations: the potentials of entropic plans, from one matrix of costs.

Costs are |x - y|^2 / 2. The plan itself is never stored: a block of its rows exists while it is
summed. eps is annealed from the largest cost to its final value unless the potentials come from an
earlier solution. Rows of a plan always meet their marginal exactly; the error is that of the
columns, in total variation.
"""

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "Rows",
    "annealing",
    "barycentres",
    "cost_matrix",
    "own_cost",
    "rows_of",
    "solve_own_plan",
    "solve_plan",
]

_ITERATIONS = 100  # most iterations at the final eps
_RELAXATION = 1.7  # of the g half-step at the final eps; 1 is plain Sinkhorn
_ASTRAY = 0.02  # mass that a plan may miss without being continued
_BLOCK = 2**21  # entries of a block of rows: 8 MB of float32 stay in the cache


class Rows(NamedTuple):
    """Some rows of a plan: probabilities given the row, and the row potential that makes them."""

    span: slice
    share: Float[Tensor, "rows m"]
    f: Float[Tensor, " rows"]


def cost_matrix(x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    """|x_i - y_j|^2 / 2, in one matrix."""
    cost = torch.addmm(y.square().sum(dim=1)[None] / 2, x, y.T, alpha=-1)
    return cost.add_(x.square().sum(dim=1)[:, None] / 2).clamp_(min=0)


def rows_of(
    cost: Float[Tensor, "n m"], g: Float[Tensor, " m"], log_b: Float[Tensor, " m"], eps: float
) -> Iterator[Rows]:
    """P_ij / a_i, block by block, for the f that meets the first marginal exactly.

    f_i = -eps log sum_j b_j exp((g_j - C_ij) / eps).
    """
    h = log_b + g / eps
    rows = max(_BLOCK // cost.shape[1], 1)
    for start in range(0, len(cost), rows):
        span = slice(start, start + rows)
        logits = torch.add(h, cost[span], alpha=-1 / eps)
        top = logits.amax(dim=1, keepdim=True)
        # exp(-60) = 9e-27 is nothing beside the 1 of the best match; below, float32 would go
        # through subnormal numbers, which CPUs handle ten times slower.
        share = logits.sub_(top).clamp_(min=-60).exp_()
        total = share.sum(dim=1, keepdim=True)
        yield Rows(span, share.div_(total), -eps * (top + total.log())[:, 0])


def solve_plan(
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

    Where a plan is far from done after that, which is where clusters far apart hold different
    shares of both clouds, eps is annealed again with every of its values iterated to the end.
    """
    f, g, error = _iterate(cost, a, b, schedule, g, tolerance)
    if error > _ASTRAY:
        slow = annealing(float(cost.max()), schedule[-1], ratio=2.0)
        g = torch.zeros_like(g)
        for eps in slow:
            f, g, error = _iterate(cost, a, b, [eps], g, tolerance)
    if error > _ASTRAY:
        warnings.warn(
            f"a plan is not converged: {error:.0%} of the mass is not where it should go after "
            f"{len(slow) * _ITERATIONS} iterations. Use a larger blur, or look for codes that lie "
            "in clusters far apart.", RuntimeWarning, stacklevel=3)
    return f, g, error


def _iterate(
    cost: Float[Tensor, "n m"],
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    schedule: list[float],
    g: Float[Tensor, " m"],
    tolerance: float,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"], float]:
    """One pass through a schedule, and up to 100 iterations more at its last eps."""
    log_b = b.log()
    f, error, last = torch.zeros_like(a), float("inf"), float("inf")
    relaxation = _RELAXATION
    for step in range(len(schedule) + _ITERATIONS):
        eps = schedule[min(step, len(schedule) - 1)]
        column = torch.zeros_like(b)
        for rows in rows_of(cost, g, log_b, eps):
            f[rows.span] = rows.f
            column += a[rows.span] @ rows.share
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


def solve_own_plan(
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
        new = torch.cat([rows.f for rows in rows_of(cost, f, log_a, eps)])
        # The row sums of Q are a exp((f - T f) / eps): half their deviation is the error.
        miss = float((a * ((f - new) / eps).clamp(max=50).expm1().abs()).sum() / 2)
        f = (f + new) / 2
        if step >= len(schedule) - 1 and miss < tolerance:
            break
    return f


def own_cost(x: Float[Tensor, "n dim"], exclude_self_matches: bool) -> Float[Tensor, "n n"]:
    """Cost of a cloud with itself, infinite on the diagonal where self-matches are excluded."""
    cost = cost_matrix(x, x)
    return cost.fill_diagonal_(float("inf")) if exclude_self_matches else cost


def barycentres(
    cost: Float[Tensor, "n m"],
    points: Float[Tensor, "m dim"],
    g: Float[Tensor, " m"],
    b: Float[Tensor, " m"],
    eps: float,
) -> Float[Tensor, "n dim"]:
    """sum_j P_ij y_j / a_i."""
    return torch.cat([rows.share @ points for rows in rows_of(cost, g, b.log(), eps)])


def annealing(largest: float, eps: float, ratio: float = 4.0) -> list[float]:
    """From the largest cost down to eps, a quarter each time (half the blur) or another part."""
    schedule = []
    while largest > eps:
        schedule.append(largest)
        largest /= ratio
    return [*schedule, eps]
