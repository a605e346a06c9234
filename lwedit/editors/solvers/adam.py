"""Latent Wasserstein as in the paper: Adam on mini-batches, stopped early on held-out codes.

Adam with step 1e-3, H = 0 at the start, batches of min(n_s, n_t) codes of each side, the last
batch dropped when badly unbalanced (section 4.1). A pass goes through the larger side once in
batches; every batch meets a random batch of the smaller side, which is all of it unless capped.

What to expect of it: with a blur far below the distance between codes the plan of a batch is
mostly noise, its barycentres lie near the mean, and the codes shrink towards it; entries of H
whose true gradient is zero walk at random. `solvers.alternate` has neither trouble.

A `Descent` can be stopped between two steps, written down and taken up again: it ends in the same
bits as one that was not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor
from tqdm import tqdm

from lwedit.editors.affine import AffineMap, Shape
from lwedit.editors.loss import Clouds, Sides
from lwedit.editors.problem import Problem, Solution
from lwedit.transport import sinkhorn_divergence

__all__ = ["AdamSolver", "Descent"]


@dataclass(frozen=True)
class AdamSolver:
    """Adam on mini-batches.

    Attributes:
        lr: Step size.
        batch: Most codes of each side in a step; None is the paper's min(n_s, n_t).
        imbalance: A last batch below this share of the others is dropped.
        max_steps: Most steps.
        check_every: Steps between two looks at the held-out loss.
        patience: Looks without improvement before stopping.
        scaling: Annealing of GeomLoss.
    """

    lr: float = 1e-3
    batch: int | None = None
    imbalance: float = 0.5
    max_steps: int = 1000
    check_every: int = 20
    patience: int = 5
    scaling: float = 0.9

    def check(self, shape: Shape) -> None:
        """Refuse a form of H that this solver cannot fit.

        Raises:
            ValueError: If a low rank is asked for.
        """
        if shape == "low_rank":
            raise ValueError(
                "shape must not be low_rank for adam: both factors at 0 have no gradient."
            )

    def solve(self, problem: Problem, rng: Generator, *, progress: bool = False) -> Solution:
        """The affine map with the lowest held-out loss over steps and candidates of blur.

        Args:
            problem: Codes, masses and loss.
            rng: Source of the batches.
            progress: Show a bar.
        """
        found = []
        for fraction in problem.blur:
            looks = tqdm(self.descent(problem, fraction, rng), f"blur {fraction}",
                         disable=not progress)
            found.append(min(looks, key=lambda solution: solution.loss))
        return min(found, key=lambda solution: solution.loss)

    def descent(self, problem: Problem, fraction: float, rng: Generator) -> Iterator[Solution]:
        """Adam at one blur: the map at every look at the held-out codes, the first before any step.

        Args:
            problem: Codes, masses and loss.
            fraction: Blur as a fraction of the median distance.
            rng: Source of the batches.
        """
        run = Descent(problem, self, fraction, int(torch.randint(2**31, (), generator=rng)))
        yield run.best
        while not run.done:
            look = run.step()
            if look is not None:
                yield look


class Descent:
    """Adam at one blur, from H = 0.

    Args:
        problem: Codes, masses and loss.
        settings: Step size, batches and when to stop.
        fraction: Blur as a fraction of the median distance.
        seed: Of the batches.

    Attributes:
        steps: How many were made.
        best: The map with the lowest held-out loss so far.
    """

    def __init__(self, problem: Problem, settings: AdamSolver, fraction: float, seed: int):
        self._problem, self._settings = problem, settings
        self._fraction, self._seed = fraction, seed
        _, layers, dim = problem.train.source.shape
        self._map = AffineMap.zero(problem.shape, layers, dim).to(problem.train.source.device)
        moving = [p.requires_grad_() for p in (self._map.weight, self._map.bias) if p is not None]
        self._parameters = moving
        self._optimiser = torch.optim.Adam(moving, settings.lr)
        self._batches = _batches(problem.train, settings, seed)
        self.steps = 0
        self.best = self._snapshot()

    @property
    def done(self) -> bool:
        """Whether it has converged, or made all its steps."""
        settings = self._settings
        stale = self.steps - self.best.steps >= settings.patience * settings.check_every
        return stale or self.steps >= settings.max_steps

    def step(self) -> Solution | None:
        """One step of Adam; the map as it is then, where it is time for a look at its loss."""
        loss_of, sides = self._problem.loss, next(self._batches)
        with torch.enable_grad():
            # Parameters of masked layers get no gradient and stay 0.
            edited = sides.source + loss_of.mask * self._map(sides.source)
            loss = loss_of(sides, edited, self._fraction, self._divergence)
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
        self._optimiser.step()
        self.steps += 1
        if self.steps % self._settings.check_every and self.steps < self._settings.max_steps:
            return None
        now = self._snapshot()
        self.best = min(self.best, now, key=lambda solution: solution.loss)
        return now

    def state(self) -> dict[str, Tensor]:
        """Everything that a step changes, as tensors."""
        found = {"steps": torch.tensor(self.steps), "best_steps": torch.tensor(self.best.steps),
                 "best_loss": torch.tensor(self.best.loss, dtype=torch.float64)}
        best = [p for p in (self.best.map.weight, self.best.map.bias) if p is not None]
        for i, (parameter, lowest) in enumerate(zip(self._parameters, best, strict=True)):
            found |= {f"now_{i}": parameter.detach().clone(), f"best_{i}": lowest.clone()}
            for name, value in self._optimiser.state.get(parameter, {}).items():
                found[f"adam_{name}_{i}"] = value.detach().clone()
        return found

    def take_up(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave for the same problem, blur and seed."""
        kept: list[Tensor] = []
        for i, parameter in enumerate(self._parameters):
            parameter.data.copy_(state[f"now_{i}"])
            kept.append(state[f"best_{i}"].to(parameter.device))
            suffix = f"_{i}"
            self._optimiser.state[parameter] = {
                name.removeprefix("adam_").removesuffix(suffix): value.clone()
                for name, value in state.items()
                if name.startswith("adam_") and name.endswith(suffix)
            }
        self.steps = int(state["steps"])
        weight = kept[0] if self._map.weight is not None else None
        self.best = Solution(AffineMap(weight, kept[-1]), float(state["best_loss"]),
                             self._fraction, 0.0, int(state["best_steps"]))
        self._batches = _batches(self._problem.train, self._settings, self._seed, self.steps)

    def _divergence(self, clouds: Clouds) -> Float[Tensor, ""]:
        """W as published: GeomLoss, which never excludes self-matches."""
        return sinkhorn_divergence(clouds.x, clouds.y, blur=clouds.blur, a=clouds.a, b=clouds.b,
                                   scaling=self._settings.scaling)

    def _snapshot(self) -> Solution:
        """The map as it is now, with its held-out loss."""
        weight = None if self._map.weight is None else self._map.weight.detach().clone()
        copy = AffineMap(weight, self._map.bias.detach().clone())
        loss = self._problem.held_out_loss(copy)
        return Solution(copy, loss, self._fraction, 0.0, self.steps)


def _batches(
    sides: Sides, settings: AdamSolver, seed: int, after: int = 0
) -> Iterator[Sides]:
    """Batches without end, both sides equally large but for a last batch that is kept.

    The batches of a pass depend on the seed and the pass alone, so those after the first few can
    be had without the others.
    """
    n_s, n_t = len(sides.source), len(sides.target)
    size = min(n_s, n_t) if settings.batch is None else min(n_s, n_t, settings.batch)
    number = 0
    while True:
        rng = Generator().manual_seed(seed + number)
        number += 1
        for chunk in torch.randperm(max(n_s, n_t), generator=rng).split(size):
            if len(chunk) < settings.imbalance * size:
                continue
            partner = torch.randperm(min(n_s, n_t), generator=rng)[:size]
            rows, columns = (chunk, partner) if n_s >= n_t else (partner, chunk)
            if sides.a[rows].sum() > 0:
                after -= 1
                if after < 0:
                    yield _take(sides, rows, columns)


def _take(sides: Sides, rows: Int64[Tensor, " s"], columns: Int64[Tensor, " t"]) -> Sides:
    a, b = sides.a[rows], sides.b[columns]
    return Sides(
        sides.source[rows], sides.target[columns], a / a.sum().clamp(min=1e-30), b / b.sum()
    )
