"""A map that need not be affine, on the loss of Latent Wasserstein.

`solver_alternate` finds the affine part. Then, in turn and on all codes at once:

    1. delta_i, the move that the loss asks of every source code (`lwedit.editors.pull`)
    2. N <- some epochs of Adam on  |H(x_i) - (x'_i - x_i + delta_i)|^2, starting from the last N

which is the affine solver with the closed-form regression replaced by a trained one. A network
can learn the noise of a plan that a ridge averages away: every round is measured on held-out
codes by the loss that all candidates share, the best is kept, and rounds end when they no longer
gain.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from tqdm import tqdm

from lwedit.editors.config import ResidualConfig
from lwedit.editors.objective import Problem
from lwedit.editors.pull import Pull
from lwedit.editors.regression import principal_axes
from lwedit.editors.residual import ResidualMap
from lwedit.editors.solver_alternate import solve_alternate
from lwedit.vocabulary import flatten_codes

__all__ = ["ResidualSolution", "solve_residual"]


class ResidualSolution(NamedTuple):
    """What the solver found.

    Attributes:
        map: H.
        loss: Its held-out loss.
        affine_loss: That of the affine map it started from.
        blur: Candidate of the rounds that led to it.
        steps: Rounds that led to it, 0 if the network gained nothing.
    """

    map: ResidualMap
    loss: float
    affine_loss: float
    blur: float
    steps: int


def solve_residual(
    problem: Problem, config: ResidualConfig, rng: Generator, *, progress: bool = False
) -> ResidualSolution:
    """The map with the lowest held-out loss over rounds and candidates of blur.

    Args:
        problem: Codes, masses, features, and the settings of the affine part.
        config: Settings of the network.
        rng: Source of the first weights and the order of codes.
        progress: Show bars.
    """
    train = problem.train
    affine = solve_alternate(problem, rng, progress=progress)
    both = torch.cat([train.source, train.target])
    start = ResidualMap.start(
        affine.map, principal_axes(flatten_codes(both), config.rank), both, problem.mask,
        config.hidden, rng,
    )
    best = ResidualSolution(start, affine.loss, affine.loss, affine.blur, 0)
    bar = tqdm(total=len(config.blur) * config.rounds, desc="network", disable=not progress)
    with bar:
        for fraction in config.blur:
            for found in _rounds(problem, config, start, fraction, rng):
                bar.update()
                if found.loss < best.loss:
                    best = found._replace(affine_loss=affine.loss)
    return best


def _rounds(
    problem: Problem, config: ResidualConfig, map: ResidualMap, fraction: float, rng: Generator
) -> Iterator[ResidualSolution]:
    """Rounds at one blur, until `patience` of them did not gain."""
    source = problem.train.source
    pull = Pull(problem, fraction, source.shape[1], rng)
    parameters = [weight.clone().requires_grad_() for weight in map.weights]
    optimiser = torch.optim.AdamW(parameters, config.lr, weight_decay=config.weight_decay)
    read = map.read(source)
    lowest, stale = float("inf"), 0
    for step in range(config.rounds):
        with torch.no_grad():
            edited = source + map(source)
        aim = flatten_codes(edited - source - map.affine(source)) + pull(edited)
        map = _fit(map, parameters, optimiser, read, aim @ map.axes.T / map.scale, problem, config,
                   rng)
        loss = problem.held_out_loss(map)
        yield ResidualSolution(map, loss, loss, fraction, step + 1)
        stale = 0 if loss < lowest else stale + 1
        lowest = min(lowest, loss)
        if stale >= config.patience:
            return


def _fit(
    map: ResidualMap,
    parameters: list[Tensor],
    optimiser: torch.optim.Optimizer,
    read: Float[Tensor, "n rank"],
    aim: Float[Tensor, "n rank"],
    problem: Problem,
    config: ResidualConfig,
    rng: Generator,
) -> ResidualMap:
    """Epochs of Adam towards fixed aims; the map with a copy of the weights afterwards."""
    mass = problem.train.a * len(read)
    names = ("first", "first_bias", "second", "second_bias", "last", "last_bias")
    for _ in range(config.epochs):
        for batch in torch.randperm(len(read), generator=rng).split(config.batch):
            with torch.enable_grad():
                moving = replace(map, **dict(zip(names, parameters, strict=True)))
                error = moving.bend(read[batch]) - aim[batch]
                loss = (mass[batch] * error.square().mean(dim=1)).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
            optimiser.step()
    copies = [parameter.detach().clone() for parameter in parameters]
    return replace(map, **dict(zip(names, copies, strict=True)))
