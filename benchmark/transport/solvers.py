"""The two solvers of Latent Wasserstein on the same digits codes: held-out loss, time, memory.

`alternate` runs first and takes t seconds. `adam` then gets `budget` times t: as in the paper, with
all codes in a step and early stopping where its held-out loss no longer falls; and on small
batches, which is faster, without stopping, so that what it could still reach is known. What counts
are its seconds until the first look at the held-out codes at which its loss is no more than
alternate's. Where no look shows that, only a lower bound of the ratio is known: either the budget
ran out, or adam had stopped by itself and would never get there. Every fit has a process to itself,
so that peaks of memory compare.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from torch import Generator

from benchmark.digits import DigitsRun
from benchmark.presets import DigitsConfig
from benchmark.transport.isolated import Cost, measured
from benchmark.transport.sources import unasked
from lwedit.domains import DigitsDomain
from lwedit.editors import AdamSolver, AlternateSolver, LatentWassersteinConfig
from lwedit.editors.latent_wasserstein import prepare
from lwedit.editors.problem import Problem

__all__ = ["Comparison", "ComparisonSettings", "Fit", "compare_solvers"]


@dataclass(frozen=True)
class ComparisonSettings:
    """What both solvers are given.

    Attributes:
        codes: Training codes a side.
        blur: Fraction of the median distance, one for both.
        threads: Threads of torch.
        budget: How many times alternate's seconds adam may take.
        runs: One run of adam each: codes a side in a step, None being the paper's
            min(n_s, n_t), and whether it stops early as in the paper.
    """

    codes: int = 5000
    blur: float = 0.3
    threads: int = 2
    budget: float = 20.0
    runs: tuple[tuple[int | None, bool], ...] = ((None, True), (512, False))


class Fit(NamedTuple):
    """One fit.

    Attributes:
        loss: Held-out loss of the map that was kept.
        seconds: Of the solver alone.
        reached: Seconds until the loss was first no more than asked for, None if it never was.
        steps: Rounds or steps that led to the map.
        stopped: Whether it ended by itself, not because time was up.
        sides: Source and target codes that were used.
    """

    loss: float
    seconds: float
    reached: float | None
    steps: int
    stopped: bool
    sides: tuple[int, int]


class Comparison(NamedTuple):
    """Both solvers on one task.

    Attributes:
        task: Such as "1→2".
        dim: Length of a code over all layers.
        alternate: Its fit.
        alternate_gigabytes: Peak memory of its process.
        adam: A fit for every run of the settings.
        adam_gigabytes: Peaks.
    """

    task: str
    dim: int
    alternate: Fit
    alternate_gigabytes: float
    adam: list[Fit]
    adam_gigabytes: list[float]


def compare_solvers(count: int, settings: ComparisonSettings) -> Comparison:
    """Fit both solvers to "add a digit to images of `count`"."""
    first: Cost = measured(_alternate, count, settings, threads=settings.threads)
    best: Fit = first.value
    fits = [
        measured(_adam, count, settings, run, best.loss, settings.budget * best.seconds,
                 threads=settings.threads)
        for run in settings.runs
    ]
    space = DigitsDomain.load().space
    return Comparison(
        f"{count}→{count + 1}", space.layers * space.dim,
        best, first.gigabytes, [fit.value for fit in fits], [fit.gigabytes for fit in fits],
    )


def _problem(count: int, settings: ComparisonSettings) -> Problem:
    run = DigitsRun(DigitsConfig(), Path())  # leaves nothing
    config = LatentWassersteinConfig(
        lam=0.0, blur=(settings.blur,), most_codes=settings.codes
    )
    key = run.key("lw", f"{count}→{count + 1}", 0)
    data = run.fit_data(key, unasked(run.parts[0]))
    return prepare(data, config, Generator().manual_seed(0))


def _alternate(count: int, settings: ComparisonSettings) -> Fit:
    problem = _problem(count, settings)
    start = time.perf_counter()
    found = AlternateSolver().solve(problem, Generator().manual_seed(0))
    seconds = time.perf_counter() - start
    return Fit(found.loss, seconds, seconds, found.steps, True, _sides(problem))


def _adam(
    count: int, settings: ComparisonSettings, run: tuple[int | None, bool], goal: float,
    limit: float,
) -> Fit:
    batch, stopping = run
    problem = _problem(count, settings)
    # A look costs time as well: fewer where a step is long.
    solver = AdamSolver(batch=batch, max_steps=10**6, check_every=20 if batch else 5)
    if not stopping:
        solver = replace(solver, patience=solver.max_steps)
    start = time.perf_counter()
    best, steps, reached, stopped = float("inf"), 0, None, True
    for look in solver.descent(problem, settings.blur, Generator().manual_seed(0)):
        passed = time.perf_counter() - start
        if look.loss < best:
            best, steps = look.loss, look.steps
        if best <= goal:
            reached = passed
            break
        if passed > limit:
            stopped = False
            break
    return Fit(best, time.perf_counter() - start, reached, steps, stopped, _sides(problem))


def _sides(problem: Problem) -> tuple[int, int]:
    return len(problem.train.source), len(problem.train.target)
