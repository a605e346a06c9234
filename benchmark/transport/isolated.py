"""A function in a process of its own, with its seconds and its peak memory.

The peak of a process never falls, so two peaks can only be compared when each had a process to
itself. Seconds are those of the call alone, without starting Python and importing.
"""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

__all__ = ["Cost", "measured"]


class Cost(NamedTuple):
    """What a call took and returned.

    Attributes:
        value: What the function returned.
        seconds: Wall-clock of the call.
        gigabytes: Peak memory of its process, libraries and data included.
    """

    value: Any
    seconds: float
    gigabytes: float


def measured(function: Callable[..., Any], *arguments: Any, threads: int) -> Cost:
    """Call a function of a module in a fresh process.

    Args:
        function: Importable by name; it may start with a warm-up.
        arguments: What it is called with; small, they are sent to the process.
        threads: Threads of torch there.

    Raises:
        RuntimeError: If the process ends without an answer.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs, function, arguments, threads))
    process.start()
    theirs.close()
    try:
        answer: Cost = mine.recv()
    except EOFError as error:
        process.join()
        raise RuntimeError(f"{function.__name__} ended with code {process.exitcode}.") from error
    process.join()
    return answer


def _answer(pipe: Any, function: Callable[..., Any], arguments: tuple, threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    start = time.perf_counter()
    value = function(*arguments)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in kB
    pipe.send(Cost(value, seconds, peak))
    pipe.close()
