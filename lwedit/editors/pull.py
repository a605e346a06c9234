"""The move that Latent Wasserstein's loss asks of every source code at present.

    delta_i = -dS/dx'_i / a_i     from the plans x' -> y and x' -> x' (`lwedit.transport.plans`)
                                  between the layers that H may move, 0 in the others

on all codes at once, with the potentials of the last call as a warm start: what `solver_alternate`
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

from lwedit.editors.objective import Problem
from lwedit.transport import Potentials, displacement, potentials_at_rest
from lwedit.vocabulary import flatten_codes

__all__ = ["Pull"]

_TOLERANCE = 1e-3  # of the plans; regression averages what is left


class Pull:
    """edited codes -> delta, at one blur; keeps the potentials between calls."""

    def __init__(self, problem: Problem, fraction: float, blocks: int, rng: Generator):
        """Prepare the target's features and the warm start.

        Args:
            problem: Codes, masses, features and settings.
            fraction: Blur as a fraction of the median distance.
            blocks: Into how many equal parts of a code the map to be fitted falls.
            rng: Source of the probes of the curvature; unused where lambda is 0.
        """
        self.problem, self.fraction = problem, fraction
        self.target = problem.points(problem.train.target)
        self.line = _Line.of(problem) if problem.config.line else None
        self.potentials: Potentials | None = None
        self.preservation = (
            None if problem.features is None else _Preservation(problem, fraction, blocks, rng)
        )

    @torch.no_grad()
    def __call__(self, edited: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n flat"]:
        """delta of every source code."""
        train = self.problem.train
        x = self.problem.points(edited)
        step = displacement(
            x, self.target, (self.fraction * self.problem.distance) ** 2,
            train.a, train.b, self.potentials,
            own_match=self.problem.own_match(), tolerance=_TOLERANCE,
        )
        self.potentials = step.potentials
        delta = step.delta if self.line is None else self.line.corrected(x, step.delta, train.a)
        delta = self.problem.whole(delta)
        return delta if self.preservation is None else self.preservation.join(edited, delta)


class _Line(NamedTuple):
    """The line through both means.

    Attributes:
        axis: u, a unit vector, or 0 where the means coincide.
        spread: Standard deviation of the target along it.
    """

    axis: Float[Tensor, " moved"]
    spread: Float[Tensor, ""]

    @classmethod
    def of(cls, problem: Problem) -> "_Line":
        """From the codes before any edit."""
        train = problem.train
        x, y = problem.points(train.source), problem.points(train.target)
        axis = functional.normalize(train.b @ y - train.a @ x, dim=0)
        return cls(axis, _spread(y @ axis, train.b))

    def corrected(
        self, x: Float[Tensor, "n moved"], delta: Float[Tensor, "n moved"], a: Float[Tensor, " n"]
    ) -> Float[Tensor, "n moved"]:
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
    """lambda L_pres as seen by one run of rounds: its pull on x', and its curvature."""

    def __init__(self, problem: Problem, fraction: float, blocks: int, rng: Generator):
        assert problem.features is not None
        self.features, self.lam, self.a = problem.features, problem.config.lam, problem.train.a
        self.eps = (fraction * problem.feature_distance) ** 2
        self.blocks, self.rng = blocks, rng
        with torch.no_grad():
            self.u = self.features(problem.train.source)
        self.potentials = potentials_at_rest(self.u, self.eps, self.a, tolerance=_TOLERANCE)

    def join(
        self, edited: Float[Tensor, "n layers dim"], delta: Float[Tensor, "n flat"]
    ) -> Float[Tensor, "n flat"]:
        """M^-1 (delta + lambda J^T delta^u)."""
        with torch.enable_grad():
            edited = edited.detach().requires_grad_()
            u = self.features(edited)
            step = displacement(
                u.detach(), self.u, self.eps, self.a, self.a, self.potentials,
                tolerance=_TOLERANCE,
            )
            self.potentials = step.potentials
            (pull,) = torch.autograd.grad(u, edited, step.delta, retain_graph=True)
            # For random signs r, E[(J^T r)(J^T r)^T] = J^T J: one probe a code is enough.
            signs = torch.randint(0, 2, u.shape, generator=self.rng).to(u) * 2 - 1
            (probe,) = torch.autograd.grad(u, edited, signs)
        joint = self._blocked(delta + self.lam * flatten_codes(pull))
        probe = self._blocked(flatten_codes(probe))
        curvature = torch.bmm(probe.transpose(1, 2) * self.a, probe) * (self.lam * self.blocks)
        curvature += torch.eye(curvature.shape[1], device=curvature.device)
        moved = torch.cholesky_solve(joint.transpose(1, 2), torch.linalg.cholesky(curvature))
        return moved.permute(2, 0, 1).reshape(delta.shape)

    def _blocked(self, v: Float[Tensor, "n flat"]) -> Float[Tensor, "blocks n width"]:
        return v.reshape(len(v), self.blocks, -1).transpose(0, 1)
