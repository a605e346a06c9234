"""The digits benchmark as a command: configuration, stages in order, report."""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmark.digits_page import write_digits_page
from benchmark.figures import draw_examples
from benchmark.files import read_json
from benchmark.folder import open_run
from benchmark.presets import PRESETS, RunConfig
from benchmark.publish import publish
from benchmark.report import write_report
from benchmark.runs import DigitsRun
from benchmark.stages import perform, tasks_of
from benchmark.times import add_time, sentence
from benchmark.workers import do_all
from lwedit.domains import DigitsDomain
from lwedit.memory import keep_freed_memory

__all__ = ["run_digits"]

STAGES = ("encode", "classify", "fit", "edit", "score", "report")


def run_digits(args: argparse.Namespace, root: Path) -> int:
    """Run the digits benchmark.

    Args:
        args: Of `benchmark/run.py`.
        root: Root of the repository.

    Returns:
        The exit code.

    Raises:
        ValueError: In one line, whatever the user can put right.
        OSError: If files cannot be read or written.
    """
    out = Path(args.out or root / "runs" / "digits")
    config = _resumed(out) if args.resume else _configure(args)
    if args.dry_run:
        print(json.dumps(asdict(config), indent=1, ensure_ascii=False))
        return 0
    keep_freed_memory()
    torch.set_num_threads(1)  # sums in another order round differently
    run = DigitsRun(config, out)
    only_report = args.figures_only or args.stage == "report"
    open_run(config, run.domain.weights, out, create=not only_report)
    stages = ("report",) if only_report else STAGES if args.stage == "all" else (args.stage,)
    for stage in stages:
        if stage != "report":
            do_all(tasks_of(stage, run), run, perform, workers=args.workers,
                   scheduler=args.scheduler, label=stage)
    if "report" in stages:
        start = time.perf_counter()
        table = write_report(config, out)
        figure = draw_examples(run.opened, config, out)
        add_time(out, "report", time.perf_counter() - start, 1)
        page = write_digits_page(out, figure)
        if args.publish:
            publish(out, root)
        print(table.read_text())
        print(sentence(out))
        print(f"Written: {table}, {figure}, {page}")
    return 0


def _configure(args: argparse.Namespace) -> RunConfig:
    config = RunConfig(**PRESETS[args.preset])
    if args.methods:
        config = replace(config, methods=tuple(args.methods))
    if args.seeds:
        config = replace(config, seeds=tuple(args.seeds))
    if args.attributes:
        config = replace(config, tasks=_tasks(args.attributes))
    if args.alphas:
        config = replace(config, alpha_step=config.alpha_max / args.alphas)
    if args.images:
        config = replace(config, test_images=args.images)
    config = replace(config, device=args.device, batch=args.batch or config.batch)
    return replace(config, floors=config.floors and not args.no_floors)


def _tasks(names: list[str]) -> tuple[str, ...]:
    """Edits by their name or by the attribute that they add."""
    known = {name: task.name for task in DigitsDomain.tasks for name in (task.name, task.attribute)}
    for name in names:
        if name not in known:
            raise ValueError(f"attributes must be among {', '.join(known)}, got {name!r}.")
    return tuple(known[name] for name in names)


def _resumed(out: Path) -> RunConfig:
    held = read_json(out / "config.json", "config.json of the run to resume")
    try:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in held["config"].items()
        }
        return RunConfig(**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"out must hold a digits run to resume, got {out}: {error}") from error
