"""A map over cells, on the loss of Latent Wasserstein.

In turn, on all codes at once:

    1. delta_i, the move that the loss asks of every source code (`lwedit.editors.pull`)
    2. H <- some epochs of Adam on

           sum_i a_i [ mean |(H(x_i) - (x'_i - x_i + delta_i)) / s|^2 + mu mean_p |H_p(x_i) / s| ]

which is the affine solver with its closed-form ridge regression replaced by a trained network and
its ridge by a group lasso: |H_p| is the root mean square of the move of cell p, and a penalty on
it, not on its square, is paid by cells that do not move at all. Plans of few codes in many
dimensions ask a little of every cell; what is asked of a cell for all its codes survives.

Few rounds are best. At first every free cell gets the same faint digit; each round the plans
prefer the cell that is ahead, until one digit is left, but by then the network has learnt which
one by heart for the training codes, and held-out codes get faint digits, badly placed.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from tqdm import tqdm

from lwedit.editors.cells import CellMap
from lwedit.editors.config import CellConfig
from lwedit.editors.objective import Problem
from lwedit.editors.pull import Pull
from lwedit.vocabulary import unflatten_codes

__all__ = ["CellSolution", "solve_cells"]

_WARM_UP = 100  # steps in which the step size rises
_LAST = 0.05  # share of the step size that is left at the end


class CellSolution(NamedTuple):
    """What the solver found.

    Attributes:
        map: H.
        loss: Its held-out loss.
        blur: The candidate it was fitted with.
    """

    map: CellMap
    loss: float
    blur: float


def solve_cells(
    problem: Problem, config: CellConfig, rng: Generator, *, progress: bool = False
) -> CellSolution:
    """The map with the lowest held-out loss over candidates of blur.

    Args:
        problem: Codes, masses, features and settings; `grid` gives the cells.
        config: Settings of the network.
        rng: Source of the first weights and the order of codes.
        progress: Show a bar.

    Raises:
        ValueError: If a code does not fall into so many equal cells.
    """
    found = []
    bar = tqdm(total=len(problem.config.blur) * config.rounds, desc="cells", disable=not progress)
    with bar:
        for fraction in problem.config.blur:
            map = _train(problem, config, fraction, rng, bar)
            found.append(CellSolution(map, problem.held_out_loss(map), fraction))
    return min(found, key=lambda solution: solution.loss)


def _train(
    problem: Problem, config: CellConfig, fraction: float, rng: Generator, bar: tqdm
) -> CellMap:
    """Rounds at one blur."""
    source = problem.train.source
    map = _start(problem, config, rng)
    pull = Pull(problem, fraction, source.shape[1], rng)
    optimiser = torch.optim.AdamW(
        map.parameters(), config.lr, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    steps = config.rounds * config.epochs * math.ceil(len(source) / config.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step, steps))
    read = map.tokens(source)
    for _ in range(config.rounds):
        with torch.no_grad():
            edited = source + map(source)
            delta = unflatten_codes(pull(edited), source.shape[1])
            aim = map.tokens(edited + delta) - read
        for _ in range(config.epochs):
            _epoch(map, read, aim, problem.train.a, config, optimiser, schedule, rng)
        bar.update()
    return map.eval().requires_grad_(False)


def _epoch(
    map: CellMap,
    read: Float[Tensor, "n cells entries"],
    aim: Float[Tensor, "n cells entries"],
    a: Float[Tensor, " n"],
    config: CellConfig,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    rng: Generator,
) -> None:
    """One pass of Adam towards fixed aims."""
    for batch in torch.randperm(len(read), generator=rng).split(config.batch):
        with torch.enable_grad():
            move = map.move(read[batch]) / map.scale
            miss = (move - aim[batch] / map.scale).square().mean(dim=(1, 2))
            size = (move.square().mean(dim=2) + 1e-6).sqrt().mean(dim=1)  # smooth at 0
            loss = (len(read) * a[batch] * (miss + config.sparsity * size)).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
        optimiser.step()
        schedule.step()


def _start(problem: Problem, config: CellConfig, rng: Generator) -> CellMap:
    """The map that moves nothing yet."""
    train, cells = problem.train, (problem.config.grid or 1) ** 2
    dim = train.source.shape[2]
    if dim % cells:
        raise ValueError(
            f"grid must split a code of {dim} entries into equal cells, got "
            f"{problem.config.grid} x {problem.config.grid} of them; take None for codes without "
            "cells."
        )
    moved = problem.mask[:, 0].nonzero()[:, 0].cpu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
        map = CellMap(moved, cells, dim // cells, config.width, config.depth)
    map = map.to(train.source.device)
    map.standardise(torch.cat([train.source, train.target]))
    return map


def _pace(step: int, steps: int) -> float:
    """Share of the step size: a short rise, then half a cosine."""
    fall = (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2
    return min(1.0, (step + 1) / _WARM_UP) * (_LAST + (1 - _LAST) * fall)
