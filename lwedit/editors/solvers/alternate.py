"""Latent Wasserstein without a step size: plans and ridge regression in turn.

A round, with x the source, x' = x + H(x) and masses a:

    1. delta_i, the negative transport gradient of every source code (`solvers.gradient`)
    2. H <- ridge regression of x' - x + delta on x

With the plan x' -> y held, L_edit is at most sum_i a_i |x'_i - barycentre_i|^2 / 2 plus a
constant, and step 2 minimises that bound over affine maps; the debiasing term enters by its
gradient. Without a ridge, fixed points are where the gradient of the loss with respect to H is
zero, as for Adam, but on all codes at once and with nothing random. Where self-matches are
excluded, codes are barred from themselves in x' -> x', which removes the pull towards the mean that
few samples in many dimensions have.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator
from tqdm import tqdm

from lwedit.editors.affine import AffineMap, Shape
from lwedit.editors.loss import points
from lwedit.editors.problem import Problem, Solution
from lwedit.editors.solvers.gradient import NegativeGradient
from lwedit.editors.solvers.regression import Regression, candidates, prepare_regression
from lwedit.vocabulary import flatten_codes

__all__ = ["AlternateSolver"]

# Smallest gain on held-out codes, relative to doing nothing, for which another round is run: at
# the optimum only noise is left to be gained, and rounds on noise turn the codes about their mean.
_GAIN = 1e-2
_DEVIATIONS = 2.0  # of a mean difference between held-out codes that chance does not explain


@dataclass(frozen=True)
class AlternateSolver:
    """Plans of all codes and ridge regression in turn.

    Attributes:
        grid: Of a map per layer: cells along a side of the grid into whose parts a code falls, cell
            after cell. H is then weight-tied over cells (`solvers.ridge_tied`), which suits codes
            with a layout (`Synthesis.localise`). None ties nothing.
        line: Whether the slope of the move along the line through both means is that of the optimal
            map between Gaussians on it, not the plan's (`solvers.gradient`).
        rounds: Rounds of plan and regression; the best one is kept.
        ridge: Candidates, relative to the mean variance of a code's coordinate. Held-out codes
            choose in every round.
    """

    grid: int | None = None
    line: bool = False
    rounds: int = 6
    ridge: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0)

    def __post_init__(self) -> None:
        if not self.ridge or min(self.ridge) < 0:
            raise ValueError(
                f"ridge must hold a candidate and none that is negative, got {self.ridge}."
            )

    def check(self, shape: Shape) -> None:
        """Refuse a form of H that these settings cannot fit.

        Raises:
            ValueError: If cells are to be tied of a map that is not one a layer.
        """
        if self.grid is not None and shape != "per_layer":
            raise ValueError(
                f"grid must be None unless the map is one per layer, got {self.grid} with "
                f"shape = {shape!r}."
            )

    def solve(self, problem: Problem, rng: Generator, *, progress: bool = False) -> Solution:
        """The affine map with the lowest held-out loss over candidates of blur and ridge.

        Args:
            problem: Codes, masses and loss.
            rng: Source of the probes of the curvature; unused where lambda is 0.
            progress: Show a bar.
        """
        bar = tqdm(total=len(problem.blur) * self.rounds, desc="rounds", disable=not progress)
        still = AffineMap.zero("translation", *problem.train.source.shape[1:])
        still = still.to(problem.train.source.device)
        best = Solution(still, problem.held_out_loss(still), problem.blur[0], 0.0, 0)
        enough = _GAIN * abs(best.loss)
        if _confirmed(problem):
            best = best._replace(loss=float("inf"))
        with bar:
            regression = prepare_regression(problem, self.grid)
            for fraction in problem.blur:
                for found in self._rounds(problem, regression, fraction, enough, rng):
                    bar.update()
                    best = min(best, found, key=lambda solution: solution.loss)
        return best

    @torch.no_grad()
    def _rounds(
        self, problem: Problem, regression: Regression, fraction: float, enough: float,
        rng: Generator,
    ) -> Iterator[Solution]:
        """Rounds at one blur, with the ridge that held-out codes prefer; the last gains little."""
        source, loss = problem.train.source, problem.loss
        blocks = source.shape[1] if problem.shape == "per_layer" else 1
        gradient = NegativeGradient(
            loss, problem.train, fraction, line=self.line, blocks=blocks, rng=rng
        )
        move, last = torch.zeros_like(source), float("inf")
        for step in range(self.rounds):
            aim = flatten_codes(move) + gradient(source + move)
            found = min(
                (
                    Solution(map, problem.held_out_loss(map), fraction, ridge, step + 1)
                    for ridge, map in candidates(problem, regression, aim, self.ridge)
                ),
                key=lambda solution: solution.loss,
            )
            yield found
            if found.loss > last - enough:
                return
            move, last = found.map(source), found.loss


def _confirmed(problem: Problem) -> bool:
    """Whether held-out codes differ along the line through the means, as the training codes do.

    If they do not, both sides may be the same, what plans ask for noise, and to move nothing a
    candidate. (If they do, the mean move of few codes in many dimensions may still be so noisy that
    held-out codes are worse off for it; its direction is right.)
    """
    held_out, train, mask = problem.held_out, problem.train, problem.loss.mask
    axis = train.b @ points(train.target, mask) - train.a @ points(train.source, mask)
    gap, noise = 0.0, 0.0
    for codes, mass, sign in ((held_out.source, held_out.a, -1), (held_out.target, held_out.b, 1)):
        along = points(codes, mask) @ axis
        mean = float(mass @ along)
        gap += sign * mean
        noise += float(mass @ (along - mean).square()) * float(mass.square().sum())
    return gap > _DEVIATIONS * noise**0.5
