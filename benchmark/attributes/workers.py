"""Doing tasks: one after the other, in processes of this machine, or on a Dask cluster.

Each task runs on one thread whatever the number of processes, because sums in another order round
differently: the same command gives the same files however it is spread.
"""

import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import torch
from tqdm import tqdm

from benchmark.attributes.runs import Run, Task
from benchmark.attributes.settings import AttributeConfig
from benchmark.attributes.stages import perform

__all__ = ["PATIENCE", "do_all"]

PATIENCE = 20  # seconds until a scheduler is given up


def do_all(
    tasks: list[Task], run: Run, *, workers: int = 1, scheduler: str = "", label: str = ""
) -> None:
    """Do the tasks of one stage.

    Args:
        tasks: In any order.
        run: Configuration and folder; with a scheduler, a folder that its workers see as well.
        workers: Processes on this machine.
        scheduler: Address of a Dask scheduler, tcp://HOST:PORT, instead of own processes.
        label: Name of the progress bar.

    Raises:
        ValueError: If a worker died, or Dask is asked for and missing.
    """
    if scheduler:
        done = _on_cluster(tasks, run, scheduler)
    elif workers > 1 and len(tasks) > 1:
        done = _in_processes(tasks, run, min(workers, len(tasks)))
    else:
        done = _here(tasks, run)
    with tqdm(total=len(tasks), desc=label, unit="task", mininterval=0.5, disable=not tasks) as bar:
        for task in done:
            bar.set_postfix_str(task.key.stem, refresh=False)
            bar.update()


def _here(tasks: Iterable[Task], run: Run) -> Iterator[Task]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for task in tasks:
            perform(task, run)
            yield task
    finally:
        torch.set_num_threads(threads)


def _in_processes(tasks: list[Task], run: Run, workers: int) -> Iterator[Task]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    try:
        futures = {pool.submit(_perform, task, run.config, str(run.out)): task for task in tasks}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise ValueError("workers must survive, one died (out of memory?): use fewer.") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _on_cluster(tasks: list[Task], run: Run, scheduler: str) -> Iterator[Task]:
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
            client.submit(_perform, task, run.config, str(run.out.resolve()), pure=False): task
            for task in tasks
        }
        for future in arriving(futures):
            future.result()
            yield futures[future]


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    torch.set_num_threads(1)


def _perform(task: Task, config: AttributeConfig, out: str) -> None:
    torch.set_num_threads(1)
    perform(task, _run(config, out))


@lru_cache(maxsize=1)
def _run(config: AttributeConfig, out: str) -> Run:
    """A worker reads codes and networks once."""
    return Run(config, Path(out))
