"""What both benchmarks, of digits and of attributes, do with a command line."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from benchmark.files import read_json
from benchmark.workers import Perform, Run, do_all
from lwedit.memory import keep_freed_memory

__all__ = ["STAGES", "do_stages", "resumed", "stages_of", "with_options"]

STAGES = ("encode", "classify", "fit", "edit", "score", "report")
Config = TypeVar("Config")


def with_options(config: Config, args: argparse.Namespace) -> Config:
    """The configuration with the options that all domains know.

    Args:
        config: Of a preset, a dataclass.
        args: Of `benchmark/run.py`.
    """
    changes: dict[str, Any] = {
        "methods": tuple(args.methods or config.methods),
        "seeds": tuple(args.seeds or config.seeds),
        "test_images": args.images or config.test_images,
        "device": args.device,
        "batch": args.batch or config.batch,
        "floors": config.floors and not args.no_floors,
    }
    return replace(config, **changes)


def resumed(out: Path, kind: type[Config], what: str) -> Config:
    """The configuration of the run in a folder.

    Args:
        out: Run folder.
        kind: Its dataclass.
        what: Kind of run, with its article, for the message.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If it is another kind of run.
    """
    held = read_json(out / "config.json", "config.json of the run to resume")
    try:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in held["config"].items()
        }
        return kind(**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"out must hold {what} run to resume, got {out}: {error}") from error


def stages_of(args: argparse.Namespace) -> tuple[str, ...]:
    """The stages that a command asks for, in order."""
    if args.figures_only:
        return ("report",)
    return STAGES if args.stage == "all" else (args.stage,)


def do_stages(
    stages: tuple[str, ...], run: Run, tasks_of: Callable[[str, Any], list[Any]],
    perform: Perform, args: argparse.Namespace,
) -> None:
    """All stages but the report.

    Args:
        stages: From `stages_of`.
        run: Configuration and folder.
        tasks_of: The tasks of a stage that are not done.
        perform: Does one.
        args: How they are spread.
    """
    keep_freed_memory()
    torch.set_num_threads(1)  # sums in another order round differently
    for stage in stages:
        if stage != "report":
            do_all(tasks_of(stage, run), run, perform, workers=args.workers,
                   scheduler=args.scheduler, label=stage)
