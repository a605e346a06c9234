"""Entropic plans between clouds of codes, and the move that they ask of every source code.

The debiased Sinkhorn divergence S (`lwedit.transport.sinkhorn`) of weighted points x', y has

    P = plan x' -> y,   Q = plan x' -> x',   eps = blur^2, cost |x - y|^2 / 2
    -dS/dx'_i = sum_j P_ij y_j - sum_j Q_ij x'_j = a_i delta_i

(envelope theorem; Feydy et al. 2019), so `displacement` is minus the gradient of the loss a
unit of mass. Nothing is differentiated and no plan is stored: a block of rows of the plan
exists while it is summed, and only one cost matrix lives at a time. Potentials go in and come
out, so that solving again after a small move of x' takes a few iterations.

With few samples in many dimensions S has a bias that pulls codes towards their mean: P cannot
find close partners, while Q matches every point with itself at no cost. `exclude_self_matches`
bars Q from the diagonal, as a U-statistic leaves out i = j, so that P and Q are equally noisy and
the bias cancels: for x' and y from the same distribution the expected move is then nearly 0 in
any dimension and at any blur. The gradient of S as the paper has it includes them.

`divergence` is S itself from the same iterations, for where no gradient is wanted: it stops
when converged, which at the blurs in use is several times sooner than GeomLoss's schedule.

Must agree with GeomLoss on value and gradient.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.transport.iterations import (
    annealing,
    barycentres,
    cost_matrix,
    own_cost,
    solve_own_plan,
    solve_plan,
)
from lwedit.transport.sinkhorn import check_masses

__all__ = ["Potentials", "Step", "displacement", "divergence", "potentials_at_rest"]


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


def displacement(
    x_edit: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    eps: float,
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    potentials: Potentials | None = None,
    *,
    exclude_self_matches: bool = False,
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
        exclude_self_matches: Whether Q may not match a point with itself, see the module's text.
        tolerance: Total variation between marginals and masses at which iterations end.

    Returns:
        The moves, with the potentials.

    Raises:
        ValueError: If eps is not positive, masses are no probabilities, or one of them is half of
            all while self-matches are excluded.
    """
    _check(x_edit, y, eps, a, b, exclude_self_matches)
    centre = (a @ x_edit + b @ y) / 2  # float32 loses digits away from the origin
    x, y = x_edit - centre, y - centre
    cold = potentials is None
    start = Potentials(torch.zeros_like(a), torch.zeros_like(b), torch.zeros_like(a))
    start = start if potentials is None else potentials
    cost = cost_matrix(x, y)
    schedule = annealing(float(cost.max()), eps) if cold else [eps]
    f, g, error = solve_plan(cost, a, b, schedule, start.g, tolerance)
    delta = barycentres(cost, y, g, b, eps)
    del cost  # one cost matrix at a time
    cost = own_cost(x, exclude_self_matches)
    own = solve_own_plan(cost, a, schedule, start.own, tolerance)
    delta -= barycentres(cost, x, own, a, eps)
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
    _check(x, x, eps, a, a, False)
    cost = cost_matrix(x - a @ x, x - a @ x)
    schedule = annealing(float(cost.max()), eps)
    own = solve_own_plan(cost, a, schedule, torch.zeros_like(a), tolerance)
    return Potentials(own, own, own)


def divergence(
    x: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    eps: float,
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    *,
    exclude_self_matches: bool = False,
    tolerance: float = 1e-4,
) -> float:
    """S(x, y) = <a, f - own_x> + <b, g - own_y>, from the dual potentials.

    Args:
        x: Source points.
        y: Target points.
        eps: Regularisation, blur squared.
        a: Masses of the source.
        b: Masses of the target.
        exclude_self_matches: Whether points are barred from themselves in OT(x, x) and OT(y, y).
        tolerance: Total variation between marginals and masses at which iterations end.

    Raises:
        ValueError: If eps is not positive, masses are no probabilities, or one of them is half of
            all while self-matches are excluded.
    """
    _check(x, y, eps, a, b, exclude_self_matches)
    centre = (a @ x + b @ y) / 2
    x, y = x - centre, y - centre
    cost = cost_matrix(x, y)
    schedule = annealing(float(cost.max()), eps)
    f, g, _ = solve_plan(cost, a, b, schedule, torch.zeros_like(b), tolerance)
    own_x, own_y = (
        solve_own_plan(own_cost(z, exclude_self_matches), mass, schedule, torch.zeros_like(mass),
                       tolerance)
        for z, mass in ((x, a), (y, b))
    )
    return float(a.double() @ (f - own_x).double() + b.double() @ (g - own_y).double())


def _check(
    x: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    eps: float,
    a: Float[Tensor, " n"],
    b: Float[Tensor, " m"],
    exclude_self_matches: bool,
) -> None:
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}.")
    check_masses("a", a, x)
    check_masses("b", b, y)
    heaviest = max(float(a.max()), float(b.max()))
    if exclude_self_matches and heaviest >= 0.5:
        raise ValueError(
            "exclude_self_matches needs every mass below 1/2, got "
            f"{heaviest:.3g}; give more points."
        )
