"""Doing tasks: one after the other, in processes of this machine, or on a Dask cluster.

A run is an object made from a configuration and a folder; a task is a named tuple with a `key`,
which `perform(task, run)` does and leaves its file. Each runs on one thread whatever the number
of processes, because sums in another order round differently: the same command gives the same
files however it is spread.
"""

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmark.runs import Run, Work
from benchmark.times import add_time

__all__ = ["PATIENCE", "do_all"]

PATIENCE = 20  # seconds until a scheduler is given up


Perform = Callable[[Work, Run], None]


def do_all(
    tasks: list[Work], run: Run, perform: Perform, *, workers: int = 1, scheduler: str = "",
    label: str = "",
) -> None:
    """Do the tasks of one stage, and add the time to the run's times.json.

    Args:
        tasks: In any order.
        run: Configuration and folder; with a scheduler, a folder that its workers see as well.
        perform: Does a task of a run.
        workers: Processes on this machine.
        scheduler: Address of a Dask scheduler, tcp://HOST:PORT, instead of own processes.
        label: Name of the progress bar.

    Raises:
        ValueError: If a worker died, or Dask is asked for and missing.
    """
    if not tasks:
        return
    start = time.perf_counter()
    if scheduler:
        done = _on_cluster(tasks, run, perform, scheduler)
    elif workers > 1 and len(tasks) > 1:
        done = _in_processes(tasks, run, perform, min(workers, len(tasks)))
    else:
        done = _here(tasks, run, perform)
    with tqdm(total=len(tasks), desc=label, unit="task", mininterval=0.5) as bar:
        for task in done:
            bar.set_postfix_str(task.key.stem, refresh=False)
            bar.update()
    add_time(run.out, tasks[0].stage, time.perf_counter() - start, len(tasks))


def _here(tasks: Iterable[Work], run: Run, perform: Perform) -> Iterator[Work]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for task in tasks:
            perform(task, run)
            yield task
    finally:
        torch.set_num_threads(threads)


def _in_processes(
    tasks: list[Work], run: Run, perform: Perform, workers: int
) -> Iterator[Work]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    try:
        futures = {
            pool.submit(_perform, perform, task, type(run), run.config, str(run.out)): task
            for task in tasks
        }
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise ValueError("workers must survive, one died (out of memory?): use fewer.") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _on_cluster(
    tasks: list[Work], run: Run, perform: Perform, scheduler: str
) -> Iterator[Work]:
    try:
        from distributed import Client
        from distributed import as_completed as arriving
    except ImportError as error:
        raise ValueError("scheduler needs a package: pip install distributed.") from error
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise ValueError(f"scheduler must answer, {scheduler} does not: {error}") from error
    with client:
        futures = {
            client.submit(_perform, perform, task, type(run), run.config, str(run.out.resolve()),
                          pure=False): task
            for task in tasks
        }
        for future in arriving(futures):
            future.result()
            yield futures[future]


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    torch.set_num_threads(1)


def _perform(perform: Perform, task: Work, kind: type[Run], config: Any, out: str) -> None:
    torch.set_num_threads(1)
    perform(task, _run(kind, config, out))


@lru_cache(maxsize=1)
def _run(kind: type[Run], config: Any, out: str) -> Run:
    """A worker reads codes and networks once."""
    return kind(config, Path(out))
