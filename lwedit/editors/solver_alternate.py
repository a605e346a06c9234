"""Latent Wasserstein without a step size: plans and ridge regression in turn.

A round, with x the source, x' = x + H(x) and masses a:

    1. delta_i = -dS/dx'_i / a_i from the plans x' -> y and x' -> x' (`lwedit.transport.plans`)
    2. H <- ridge regression of x' - x + delta on x

With the plan x' -> y held, L_edit is at most sum_i a_i |x'_i - barycentre_i|^2 / 2 plus a
constant, and step 2 minimises that bound over affine maps; the debiasing term enters by its
gradient. Without a ridge, fixed points are where the gradient of the loss with respect to H is
zero, as for Adam, but on all codes at once and with nothing random. Unless `leave_one_out` is
off, codes are barred from their own match in x' -> x', which removes the pull towards the mean
that few samples in many dimensions have.

The preservation term (Eq. 5) enters by the same two means. Its gradient a unit of mass is
-J_i^T delta^u_i, where delta^u comes from plans between the features u(x'), u(x) and J_i is the
Jacobian of u. A bare gradient step would overshoot, logits being steep, so the joint move is
divided by the Gauss-Newton curvature M = I + lambda E[J^T J] of the loss:

    1'. delta <- M^-1 (delta + lambda J^T delta^u)

For a full map or a translation M is common to all codes, hence moves no fixed point. For a map
per layer it is replaced by its blocks, which does not either; times the number of layers they
bound M from above, so the step stays a cautious one.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from tqdm import tqdm

from lwedit.editors.affine import AffineMap
from lwedit.editors.objective import Problem, Solution
from lwedit.editors.ridge import RidgeSystem
from lwedit.transport import displacement, potentials_at_rest
from lwedit.vocabulary import flatten_codes

__all__ = ["solve_alternate"]

# Smallest gain on held-out codes, relative to doing nothing, for which another round is run: at
# the optimum only noise is left to be gained, and rounds on noise turn the codes about their mean.
_GAIN = 1e-2
_TOLERANCE = 1e-3  # of the plans; regression averages what is left


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
        curvature += torch.eye(curvature.shape[1])
        moved = torch.cholesky_solve(joint.transpose(1, 2), torch.linalg.cholesky(curvature))
        return moved.permute(2, 0, 1).reshape(delta.shape)

    def _blocked(self, v: Float[Tensor, "n flat"]) -> Float[Tensor, "blocks n width"]:
        return v.reshape(len(v), self.blocks, -1).transpose(0, 1)


def solve_alternate(problem: Problem, rng: Generator, *, progress: bool = False) -> Solution:
    """The affine map with the lowest held-out loss over candidates of blur and ridge.

    Args:
        problem: Codes, masses, features and settings.
        rng: Source of the probes of the curvature; unused where lambda is 0.
        progress: Show a bar.
    """
    config = problem.config
    bar = tqdm(total=len(config.blur) * config.rounds, desc="rounds", disable=not progress)
    best: Solution | None = None
    with bar:
        system = None if config.shape == "translation" else _system(problem)
        for fraction in config.blur:
            for found in _rounds(problem, system, fraction, rng):
                bar.update()
                if best is None or found.loss < best.loss:
                    best = found
    assert best is not None
    return best


@torch.no_grad()
def _rounds(
    problem: Problem, system: RidgeSystem | None, fraction: float, rng: Generator
) -> Iterator[Solution]:
    """Rounds at one blur, each with the ridge that held-out codes prefer."""
    train, config = problem.train, problem.config
    x, y = flatten_codes(train.source), flatten_codes(train.target)
    blocks = train.source.shape[1] if config.shape == "per_layer" else 1
    pres = None if problem.features is None else _Preservation(problem, fraction, blocks, rng)
    still = AffineMap.zero("translation", *train.source.shape[1:])
    enough = _GAIN * abs(problem.held_out_loss(still))
    move, potentials, last = torch.zeros_like(train.source), None, float("inf")
    for step in range(config.rounds):
        edited = train.source + move
        plan = displacement(
            flatten_codes(edited), y, (fraction * problem.distance) ** 2, train.a, train.b,
            potentials, own_match=not config.leave_one_out, tolerance=_TOLERANCE,
        )
        potentials = plan.potentials
        delta = plan.delta if pres is None else pres.join(edited, plan.delta)
        aim = flatten_codes(edited) - x + delta
        found = min(
            (
                Solution(map, problem.held_out_loss(map), fraction, ridge, step + 1)
                for ridge, map in _candidates(problem, system, aim)
            ),
            key=lambda solution: solution.loss,
        )
        yield found
        if found.loss > last - enough:
            return
        move, last = found.map(train.source), found.loss


def _system(problem: Problem) -> RidgeSystem:
    source = problem.train.source
    if problem.config.shape == "full":
        source = flatten_codes(source)[:, None]
    return RidgeSystem(source, problem.train.a)


def _candidates(
    problem: Problem, system: RidgeSystem | None, aim: Float[Tensor, "n flat"]
) -> Iterator[tuple[float, AffineMap]]:
    """Maps regressed on the moves, one a ridge (a translation has nothing to penalise)."""
    train, config = problem.train, problem.config
    if system is None:
        yield 0.0, AffineMap(None, (train.a @ aim).reshape(train.source.shape[1:]))
        return
    moves = system.moves(aim.reshape(system.x.shape))
    for ridge in config.ridge:
        weight, bias = system.solve(moves, ridge)
        full = config.shape == "full"
        yield ridge, AffineMap(weight[0], bias[0]) if full else AffineMap(weight, bias)
