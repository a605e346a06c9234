"""Latent Wasserstein without a step size: plans and ridge regression in turn.

A round, with x the source, x' = x + H(x) and masses a:

    1. delta_i, the move that the loss asks of every source code (`lwedit.editors.pull`)
    2. H <- ridge regression of x' - x + delta on x

With the plan x' -> y held, L_edit is at most sum_i a_i |x'_i - barycentre_i|^2 / 2 plus a
constant, and step 2 minimises that bound over affine maps; the debiasing term enters by its
gradient. Without a ridge, fixed points are where the gradient of the loss with respect to H is
zero, as for Adam, but on all codes at once and with nothing random. Unless `leave_one_out` is
off, codes are barred from their own match in x' -> x', which removes the pull towards the mean
that few samples in many dimensions have.
"""

from collections.abc import Iterator

import torch
from torch import Generator
from tqdm import tqdm

from lwedit.editors.affine import AffineMap
from lwedit.editors.objective import Problem, Solution
from lwedit.editors.pull import Pull
from lwedit.editors.regression import Regression, candidates, prepare_regression
from lwedit.vocabulary import flatten_codes

__all__ = ["solve_alternate"]

# Smallest gain on held-out codes, relative to doing nothing, for which another round is run: at
# the optimum only noise is left to be gained, and rounds on noise turn the codes about their mean.
_GAIN = 1e-2
_DEVIATIONS = 2.0  # of a mean difference between held-out codes that chance does not explain


def solve_alternate(problem: Problem, rng: Generator, *, progress: bool = False) -> Solution:
    """The affine map with the lowest held-out loss over candidates of blur and ridge.

    Args:
        problem: Codes, masses, features and settings.
        rng: Source of the probes of the curvature; unused where lambda is 0.
        progress: Show a bar.
    """
    config = problem.config
    bar = tqdm(total=len(config.blur) * config.rounds, desc="rounds", disable=not progress)
    still = AffineMap.zero("translation", *problem.train.source.shape[1:])
    still = still.to(problem.train.source.device)
    best = Solution(still, problem.held_out_loss(still), config.blur[0], 0.0, 0)
    enough = _GAIN * abs(best.loss)
    if _confirmed(problem):
        best = best._replace(loss=float("inf"))
    with bar:
        regression = prepare_regression(problem)
        for fraction in config.blur:
            for found in _rounds(problem, regression, fraction, enough, rng):
                bar.update()
                best = min(best, found, key=lambda solution: solution.loss)
    return best


def _confirmed(problem: Problem) -> bool:
    """Whether held-out codes differ along the line through the means, as the training codes do.

    If they do not, both sides may be the same, what plans ask for noise, and to move nothing a
    candidate. (If they do, the mean move of few codes in many dimensions may still be so noisy that
    held-out codes are worse off for it; its direction is right.)
    """
    held_out, train = problem.held_out, problem.train
    axis = train.b @ problem.points(train.target) - train.a @ problem.points(train.source)
    gap, noise = 0.0, 0.0
    for codes, mass, sign in ((held_out.source, held_out.a, -1), (held_out.target, held_out.b, 1)):
        along = problem.points(codes) @ axis
        mean = float(mass @ along)
        gap += sign * mean
        noise += float(mass @ (along - mean).square()) * float(mass.square().sum())
    return gap > _DEVIATIONS * noise**0.5


@torch.no_grad()
def _rounds(
    problem: Problem, regression: Regression, fraction: float, enough: float, rng: Generator
) -> Iterator[Solution]:
    """Rounds at one blur, each with the ridge that held-out codes prefer; the last gains little."""
    train, config = problem.train, problem.config
    blocks = train.source.shape[1] if config.shape == "per_layer" else 1
    pull = Pull(problem, fraction, blocks, rng)
    move, last = torch.zeros_like(train.source), float("inf")
    for step in range(config.rounds):
        aim = flatten_codes(move) + pull(train.source + move)
        found = min(
            (
                Solution(map, problem.held_out_loss(map), fraction, ridge, step + 1)
                for ridge, map in candidates(problem, regression, aim)
            ),
            key=lambda solution: solution.loss,
        )
        yield found
        if found.loss > last - enough:
            return
        move, last = found.map(train.source), found.loss
