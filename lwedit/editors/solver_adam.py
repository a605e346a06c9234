"""Latent Wasserstein as in the paper: Adam on mini-batches, stopped early on held-out codes.

Adam with step 1e-3, H = 0 at the start, batches of min(n_s, n_t) codes of each side, the last
batch dropped when badly unbalanced (section 4.1). A pass goes through the larger side once in
batches; every batch meets a random batch of the smaller side, which is all of it unless capped.

What to expect of it: with a blur far below the distance between codes the plan of a batch is
mostly noise, its barycentres lie near the mean, and the codes shrink towards it; entries of H
whose true gradient is zero walk at random. `solver_alternate` has neither trouble.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Int64
from torch import Generator, Tensor
from tqdm import tqdm

from lwedit.editors.affine import AffineMap
from lwedit.editors.objective import Problem, Sides, Solution

__all__ = ["descent", "solve_adam"]


def solve_adam(problem: Problem, rng: Generator, *, progress: bool = False) -> Solution:
    """The affine map with the lowest held-out loss over steps and candidates of blur.

    Args:
        problem: Codes, masses, features and settings.
        rng: Source of the batches.
        progress: Show a bar.
    """
    config, found = problem.config, []
    for fraction in config.blur:
        looks = tqdm(descent(problem, fraction, rng), f"blur {fraction}", disable=not progress)
        found.append(min(looks, key=lambda solution: solution.loss))
    return min(found, key=lambda solution: solution.loss)


def descent(problem: Problem, fraction: float, rng: Generator) -> Iterator[Solution]:
    """Adam at one blur: the map at every look at the held-out codes, the first before any step.

    Args:
        problem: Codes, masses, features and settings.
        fraction: Blur as a fraction of the median distance.
        rng: Source of the batches.

    Raises:
        ValueError: If a low rank is asked for.
    """
    config, (_, layers, dim) = problem.config, problem.train.source.shape
    if config.shape == "low_rank":
        raise ValueError("shape must not be low_rank for adam: both factors at 0 have no gradient.")
    map = AffineMap.zero(config.shape, layers, dim).to(problem.train.source.device)
    parameters = [p.requires_grad_() for p in (map.weight, map.bias) if p is not None]
    optimiser = torch.optim.Adam(parameters, config.lr)
    best = _snapshot(problem, map, fraction, 0)
    yield best
    batches = _batches(problem.train, config.batch, config.imbalance, rng)
    for step in range(1, config.max_steps + 1):
        sides = next(batches)
        with torch.enable_grad():
            # Parameters of masked layers get no gradient and stay 0.
            loss = problem.loss(sides, sides.source + problem.mask * map(sides.source), fraction)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
        optimiser.step()
        if step % config.check_every == 0 or step == config.max_steps:
            now = _snapshot(problem, map, fraction, step)
            best = min(best, now, key=lambda solution: solution.loss)
            yield now
            if step - best.steps >= config.patience * config.check_every:
                return


def _snapshot(problem: Problem, map: AffineMap, fraction: float, step: int) -> Solution:
    """The map as it is now, with its held-out loss."""
    weight = None if map.weight is None else map.weight.detach().clone()
    copy = AffineMap(weight, map.bias.detach().clone())
    return Solution(copy, problem.held_out_loss(copy), fraction, 0.0, step)


def _batches(
    sides: Sides, cap: int | None, imbalance: float, rng: Generator
) -> Iterator[Sides]:
    """Batches without end, both sides equally large but for a last batch that is kept."""
    n_s, n_t = len(sides.source), len(sides.target)
    size = min(n_s, n_t) if cap is None else min(n_s, n_t, cap)
    while True:
        for chunk in torch.randperm(max(n_s, n_t), generator=rng).split(size):
            if len(chunk) < imbalance * size:
                continue
            partner = torch.randperm(min(n_s, n_t), generator=rng)[:size]
            rows, columns = (chunk, partner) if n_s >= n_t else (partner, chunk)
            batch = _take(sides, rows, columns)
            if batch.a.sum() > 0:
                yield batch


def _take(sides: Sides, rows: Int64[Tensor, " s"], columns: Int64[Tensor, " t"]) -> Sides:
    a, b = sides.a[rows], sides.b[columns]
    return Sides(
        sides.source[rows], sides.target[columns], a / a.sum().clamp(min=1e-30), b / b.sum()
    )
