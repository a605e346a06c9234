"""The digits benchmark as a command: configuration, stages in order, report."""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

from benchmark.command import do_stages, resumed, stages_of, with_options
from benchmark.digits_page import write_digits_page
from benchmark.figures import draw_examples
from benchmark.folder import open_run
from benchmark.measure import BY_JUDGE, READINGS
from benchmark.presets import PRESETS, RunConfig
from benchmark.publish import publish
from benchmark.report import write_report
from benchmark.runs import DigitsRun
from benchmark.stages import perform, tasks_of
from benchmark.times import add_time, sentence
from lwedit.domains import DigitsDomain

__all__ = ["run_digits"]

_DRAWN = (READINGS[0], BY_JUDGE)  # with a Fig. 6 each


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
    config = resumed(out, RunConfig, "a digits") if args.resume else _configure(args)
    if args.dry_run:
        print(json.dumps(asdict(config), indent=1, ensure_ascii=False))
        return 0
    run, stages = DigitsRun(config, out), stages_of(args)
    open_run(config, run.domain.weights, out, create=stages != ("report",))
    do_stages(stages, run, tasks_of, perform, args)
    if "report" in stages:
        start = time.perf_counter()
        table = write_report(config, out)
        figures = {reading: draw_examples(run.opened, config, out, reading) for reading in _DRAWN}
        add_time(out, "report", time.perf_counter() - start, 1)
        page = write_digits_page(out, figures)
        if args.publish:
            # README shows the classifier that has seen its codes moved; LT's own stands beside it.
            publish(out, root, "digits" if config.classifier_shift else "digits_published")
        print(table.read_text())
        print(sentence(out))
        print(f"Written: {', '.join(map(str, (table, *figures.values(), page)))}")
    return 0


def _configure(args: argparse.Namespace) -> RunConfig:
    config = with_options(RunConfig(**PRESETS[args.preset]), args)
    if args.attributes:
        config = replace(config, tasks=_tasks(args.attributes))
    if args.alphas:
        config = replace(config, alpha_step=config.alpha_max / args.alphas)
    return config


def _tasks(names: list[str]) -> tuple[str, ...]:
    """Edits by their name or by the attribute that they add."""
    known = {name: task.name for task in DigitsDomain.tasks for name in (task.name, task.attribute)}
    for name in names:
        if name not in known:
            raise ValueError(f"attributes must be among {', '.join(known)}, got {name!r}.")
    return tuple(known[name] for name in names)
