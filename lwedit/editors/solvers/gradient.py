"""The negative transport gradient per unit mass: how the loss would have every source code move.

    delta_i = -dS/dx'_i / a_i     from the plans x' -> y and x' -> x' (`lwedit.transport.plans`)
                                  between the layers that H may move, 0 in the others

on all codes at once, with the potentials of the last call as a warm start: what `solvers.alternate`
regresses its map on.

A plan whose blur is well above the spread of the codes says where their mean should go, but of
how much they should draw together only a share of the order of (spread / blur)^2 a round, so that
rounds end long before it is done. Along one line it is known without a plan: between Gaussians
on the line through both means the optimal map has the slope sd(y) / sd(x'). With `line`, this
replaces what the plan says of the slope along that line:

    1+. delta <- delta + (sd(y) / sd(x') - 1 - slope of delta) u u^T (x' - mean x'),
                 u along mean y - mean x

The preservation term (Eq. 5) enters by its gradient too: a unit of mass it is -J_i^T delta^u_i,
where delta^u comes from plans between the features u(x'), u(x) and J_i is the Jacobian of u. A
bare gradient step would overshoot, logits being steep, so the joint move is divided by the
Gauss-Newton curvature M = I + lambda E[J^T J] of the loss:

    1'. delta <- M^-1 (delta + lambda J^T delta^u)

For a full map or a translation M is common to all codes, hence moves no fixed point. For a map
per layer it is replaced by its blocks, which does not either; times the number of layers they
bound M from above, so the step stays a cautious one.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn import functional

from lwedit.editors.loss import Clouds, Loss, Sides
from lwedit.transport import Potentials, Step, displacement, potentials_at_rest
from lwedit.vocabulary import flatten_codes

__all__ = ["NegativeGradient"]

_TOLERANCE = 1e-3  # of the plans; regression averages what is left


class NegativeGradient:
    """edited codes -> delta, at one blur; keeps the potentials between calls."""

    def __init__(
        self, loss: Loss, sides: Sides, fraction: float, *, line: bool, blocks: int, rng: Generator
    ):
        """Prepare the warm start.

        Args:
            loss: Eq. 4 and 5.
            sides: Codes and masses.
            fraction: Blur as a fraction of the median distance.
            line: Whether the slope along the line through both means is the Gaussian one.
            blocks: Into how many equal parts of a code the map to be fitted falls.
            rng: Source of the probes of the curvature; unused where lambda is 0.
        """
        self.loss, self.sides, self.fraction = loss, sides, fraction
        self.line = _Line.of(loss.edit(sides, sides.source, fraction)) if line else None
        self.potentials: Potentials | None = None
        self.preservation = (
            None if loss.features is None else _Preservation(loss, sides, fraction, blocks, rng)
        )

    @torch.no_grad()
    def __call__(self, edited: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n flat"]:
        """delta of every source code."""
        clouds = self.loss.edit(self.sides, edited, self.fraction)
        step = _step(clouds, self.potentials)
        self.potentials = step.potentials
        delta = step.delta
        if self.line is not None:
            delta = self.line.corrected(clouds.x, delta, clouds.a)
        delta = self.loss.whole(delta)
        return delta if self.preservation is None else self.preservation.join(edited, delta)


def _step(clouds: Clouds, potentials: Potentials | None) -> Step:
    return displacement(
        clouds.x, clouds.y, clouds.blur**2, clouds.a, clouds.b, potentials,
        exclude_self_matches=clouds.exclude_self_matches, tolerance=_TOLERANCE,
    )


class _Line(NamedTuple):
    """The line through both means.

    Attributes:
        axis: u, a unit vector, or 0 where the means coincide.
        spread: Standard deviation of the target along it.
    """

    axis: Float[Tensor, " points"]
    spread: Float[Tensor, ""]

    @classmethod
    def of(cls, clouds: Clouds) -> "_Line":
        """From the codes before any edit."""
        axis = functional.normalize(clouds.b @ clouds.y - clouds.a @ clouds.x, dim=0)
        return cls(axis, _spread(clouds.y @ axis, clouds.b))

    def corrected(
        self, x: Float[Tensor, "n points"], delta: Float[Tensor, "n points"], a: Float[Tensor, " n"]
    ) -> Float[Tensor, "n points"]:
        """delta whose slope along the line is that of the optimal map."""
        along = x @ self.axis
        along = along - a @ along
        variance = a @ along.square()
        if not variance > 0:
            return delta
        slope = (a * along) @ (delta @ self.axis) / variance
        wanted = self.spread / variance.sqrt() - 1
        return delta + (wanted - slope) * along[:, None] * self.axis


def _spread(values: Float[Tensor, " n"], a: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    return (a @ (values - a @ values).square()).sqrt()


class _Preservation:
    """lambda L_pres as seen by one run of rounds: its negative gradient, and its curvature."""

    def __init__(self, loss: Loss, sides: Sides, fraction: float, blocks: int, rng: Generator):
        self.loss, self.sides, self.fraction = loss, sides, fraction
        self.blocks, self.rng = blocks, rng
        with torch.no_grad():
            rest = loss.preservation(sides, sides.source, fraction)
        self.potentials = potentials_at_rest(
            rest.y, rest.blur**2, rest.a, tolerance=_TOLERANCE
        )

    def join(
        self, edited: Float[Tensor, "n layers dim"], delta: Float[Tensor, "n flat"]
    ) -> Float[Tensor, "n flat"]:
        """M^-1 (delta + lambda J^T delta^u)."""
        with torch.enable_grad():
            edited = edited.detach().requires_grad_()
            clouds = self.loss.preservation(self.sides, edited, self.fraction)
            u = clouds.x
            with torch.no_grad():
                step = _step(clouds, self.potentials)
            self.potentials = step.potentials
            (slope,) = torch.autograd.grad(u, edited, step.delta, retain_graph=True)
            # For random signs r, E[(J^T r)(J^T r)^T] = J^T J: one probe a code is enough.
            signs = torch.randint(0, 2, u.shape, generator=self.rng).to(u) * 2 - 1
            (probe,) = torch.autograd.grad(u, edited, signs)
        lam, a = self.loss.lam, self.sides.a
        joint = self._blocked(delta + lam * flatten_codes(slope))
        probe = self._blocked(flatten_codes(probe))
        curvature = torch.bmm(probe.transpose(1, 2) * a, probe) * (lam * self.blocks)
        curvature += torch.eye(curvature.shape[1], device=curvature.device)
        moved = torch.cholesky_solve(joint.transpose(1, 2), torch.linalg.cholesky(curvature))
        return moved.permute(2, 0, 1).reshape(delta.shape)

    def _blocked(self, v: Float[Tensor, "n flat"]) -> Float[Tensor, "blocks n width"]:
        return v.reshape(len(v), self.blocks, -1).transpose(0, 1)
