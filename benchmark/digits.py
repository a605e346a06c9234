"""The digits benchmark as a command: configuration, stages in order, report."""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

from benchmark.command import do_stages, resumed, stages_of, with_options
from benchmark.contact import draw_first_page, draw_sheets
from benchmark.digits_page import write_digits_page
from benchmark.figures import draw_examples
from benchmark.folder import open_run
from benchmark.presets import PRESETS, RunConfig
from benchmark.publish import publish
from benchmark.report import facts_line, read_facts, write_report
from benchmark.runs import DigitsRun
from benchmark.stages import perform, tasks_of
from benchmark.times import add_time, sentence
from lwedit.domains import DigitsDomain

__all__ = ["run_digits"]


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
        sheets = write_report(config, out)
        pictures = _draw(run)
        add_time(out, "report", time.perf_counter() - start, 1)
        facts = facts_line(config, read_facts(out), out)
        page = write_digits_page(out, sheets, facts, pictures)
        if args.publish:
            # README shows the classifier that has seen its codes moved; LT's own stands beside it.
            publish(out, root, "digits" if config.classifier_shift else "digits_published")
        print(sheets[0].markdown())
        print(sentence(out))
        written = (out / "table2.md", *(path for _, path in pictures), page)
        print(f"Written: {', '.join(map(str, written))}")
    return 0


def _draw(run: DigitsRun) -> list[tuple[str, Path]]:
    """Pictures of the page with their captions; contact sheets lie beside it."""
    found = []
    first = draw_first_page(run)
    if first is not None:
        found = [("The first held-out images of each edit, not picked; green: accepted", first),
                 ("Fig. 6: at the smallest alpha at which every latent verdict has flipped",
                  draw_examples(run.opened, run.config, run.out))]
    found += [(f"The first 24 held-out images of each edit: {path.stem}", path)
              for path in draw_sheets(run)]
    return found


def _configure(args: argparse.Namespace) -> RunConfig:
    config = with_options(RunConfig(**PRESETS[args.preset]), args)
    if args.attributes:
        config = replace(config, tasks=_tasks(args.attributes))
    if args.alphas:
        config = replace(config, alpha_step=config.alpha_max / args.alphas)
    return replace(config, refit=config.refit or args.refit)


def _tasks(names: list[str]) -> tuple[str, ...]:
    """Edits by their name, those that add also by the attribute."""
    known = {name: task.name for task in DigitsDomain.tasks for name in (task.name, task.attribute)}
    known |= {task.name: task.name for task in DigitsDomain.removals}
    for name in names:
        if name not in known:
            raise ValueError(f"attributes must be among {', '.join(known)}, got {name!r}.")
    return tuple(known[name] for name in names)
