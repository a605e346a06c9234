"""Wall-clock time of each stage of a run, kept in its folder and shown in its report.

Times differ from run to run, so they stand in a file of their own: times.json. A run that was
interrupted and resumed has the sum; what a killed stage had done by then is not in it.
"""

from pathlib import Path
from typing import NamedTuple

from benchmark.files import read_json, write_json

__all__ = ["StageTime", "add_time", "read_times", "sentence"]

_FILE = "times.json"


class StageTime(NamedTuple):
    """What a stage took.

    Attributes:
        seconds: On the clock, however many processes there were.
        tasks: How many were done.
    """

    seconds: float
    tasks: int


def add_time(out: Path, stage: str, seconds: float, tasks: int) -> None:
    """Add to what a stage took before.

    Args:
        out: Run folder.
        stage: Its name.
        seconds: On the clock.
        tasks: How many were done.
    """
    held = read_times(out)
    before = held.get(stage, StageTime(0.0, 0))
    held[stage] = StageTime(before.seconds + seconds, before.tasks + tasks)
    write_json(out / _FILE, {name: one._asdict() for name, one in held.items()})


def read_times(out: Path) -> dict[str, StageTime]:
    """Times of the stages of a run, in the order in which they were done first."""
    if not (out / _FILE).exists():
        return {}
    held = read_json(out / _FILE, _FILE)
    try:
        return {stage: StageTime(float(one["seconds"]), int(one["tasks"]))
                for stage, one in held.items()}
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{_FILE} must be a run's, remove {out / _FILE}: {error!r}") from error


def sentence(out: Path) -> str:
    """What the stages took, in words; nothing where that is not known."""
    held = read_times(out)
    if not held:
        return ""
    parts = ", ".join(f"{stage} {one.seconds:.0f} s" for stage, one in held.items())
    total = sum(one.seconds for one in held.values())
    return f"On the clock: {parts}; together {total / 60:.1f} min."
