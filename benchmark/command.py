"""The benchmark as a command: configuration, stages in order, report."""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmark.attributes import AttributeRun, remarks
from benchmark.digits import TASKS, DigitsRun
from benchmark.files import read_json
from benchmark.folder import open_run
from benchmark.methods import load_method, registry
from benchmark.presets import AttributeConfig, DigitsConfig, RunConfig, config_class, preset
from benchmark.publish import publish
from benchmark.report import AnyRun, write_report
from benchmark.stages import STAGES, perform, tasks_of
from benchmark.times import add_time, sentence
from benchmark.workers import do_all
from lwedit.memory import keep_freed_memory

__all__ = ["configure", "open_folder", "resumed", "run_benchmark", "trial_run"]


def run_benchmark(args: argparse.Namespace, root: Path) -> int:
    """Run the benchmark.

    Args:
        args: Of `benchmark/run.py`.
        root: Root of the repository.

    Returns:
        The exit code.

    Raises:
        ValueError: In one line, whatever the user can put right.
        OSError: If files cannot be read or written.
    """
    out = Path(args.out or root / "runs" / args.domain)
    config = resumed(out, args.domain) if args.resume else configure(args)
    if args.dry_run:
        print(json.dumps(asdict(config), indent=1, ensure_ascii=False))
        return 0
    run = _without_unusable(open_folder(config, out))
    stages = ("report",) if args.figures_only else STAGES if args.stage == "all" else (args.stage,)
    _ = run.edits  # an attribute that is not there is said before anything is written
    for said in remarks(run.domain):
        print(f"benchmark: {said}.", file=sys.stderr)
    open_run(run.config, _weights(run), out, create=stages != ("report",))
    keep_freed_memory()
    torch.set_num_threads(1)  # sums in another order round differently
    for stage in stages[: -1 if "report" in stages else None]:
        do_all(tasks_of(stage, run), run, perform, workers=args.workers,
               scheduler=args.scheduler, label=stage)
    if "report" in stages:
        _report(run, root, publishing=args.publish)
    return 0


def _report(run: AnyRun, root: Path, *, publishing: bool) -> None:
    start = time.perf_counter()
    made = write_report(run)
    add_time(run.out, "report", time.perf_counter() - start, 1)
    print(made.sheets[0].markdown())
    print(sentence(run.out))
    print(f"Written: {run.out / made.name}.md, {run.out / 'report.html'} and what they show")
    if publishing:
        # README shows the classifier that has seen its codes moved; LT's own stands beside it.
        beside = run.kind == "digits" and not run.config.learning.shift
        publish(run.out, root, run.kind, "digits_published" if beside else run.config.domain)


def open_folder(config: RunConfig, out: Path) -> AnyRun:
    """The run of a configuration."""
    if isinstance(config, DigitsConfig):
        return DigitsRun(config, out)
    assert isinstance(config, AttributeConfig)
    return AttributeRun(config, out)


def trial_run(domain: str, out: Path, seeds: tuple[int, ...], images: int) -> AnyRun:
    """A run with its latent classifiers, for `Run.trial`: what measures edits outside of a report.

    Args:
        domain: Its name.
        out: Where the classifiers are kept.
        seeds: One classifier each.
        images: Most held-out codes of an edit.
    """
    config = replace(preset("paper", domain), seeds=seeds, test_images=images)
    run = open_folder(config, out)
    for work in tasks_of("classify", run):
        perform(work, run)
    return run


def resumed(out: Path, domain: str) -> RunConfig:
    """The configuration of the run in a folder.

    Args:
        out: Run folder.
        domain: Of the run.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If it is a run on another domain, or of another version.
    """
    held = read_json(out / "config.json", "config.json of the run to resume")
    try:
        if held["config"]["domain"] != domain:
            raise ValueError(f"it is one on {held['config']['domain']!r}, not {domain!r}")
        return config_class(domain)(**_tuples(held["config"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"out must hold a run on {domain} to resume, got {out}: {error}"
        ) from error


def _tuples(value: Any) -> Any:
    """A value as it was before it was JSON."""
    if isinstance(value, list):
        return tuple(_tuples(part) for part in value)
    if isinstance(value, dict):
        return {name: _tuples(part) for name, part in value.items()}
    return value


def configure(args: argparse.Namespace) -> RunConfig:
    """The configuration that the command line asks for.

    Raises:
        ValueError: If it is impossible.
    """
    config = preset(args.preset, args.domain)
    changes: dict[str, Any] = {
        "methods": tuple(args.methods or config.methods),
        "seeds": tuple(args.seeds or config.seeds),
        "test_images": args.images or config.test_images,
        "device": args.device,
        "batch": args.batch or config.batch,
        "floors": config.floors and not args.no_floors,
    }
    if args.method_file:
        own = load_method(args.method_file).method
        path, _, name = args.method_file.rpartition(":")
        changes["own_method"] = f"{Path(path).resolve()}:{name}"
        if own not in changes["methods"]:
            changes["methods"] = (*changes["methods"], own)
    if isinstance(config, DigitsConfig):
        changes |= {"refit": args.refit} | ({"tasks": _tasks(args.attributes)} if args.attributes
                                            else {})
        if args.alphas:
            changes["alpha_step"] = config.alpha_max / args.alphas
    else:
        changes |= {"attributes": tuple(args.attributes)} if args.attributes else {}
        changes |= {"alphas": args.alphas} if args.alphas else {}
    if args.domain == "codes":
        if not (args.codes and args.labels):
            raise ValueError("codes and labels must be given together, as files.")
        changes |= {"codes": str(Path(args.codes).resolve()),
                    "labels": str(Path(args.labels).resolve()),
                    "codes_layers": args.layers or 0, "codes_key": args.key or ""}
    config = replace(config, **changes)
    known = registry(config.domain, config.own_method)
    for name in config.methods:
        if name not in known:
            raise ValueError(f"methods must be among {', '.join(known)}, got {name!r}.")
    return config


def _tasks(names: list[str]) -> tuple[str, ...]:
    """Edits of digits by their name, those that add also by the attribute."""
    known = {name: task.name for task in TASKS.values()
             for name in (task.name, *([task.attribute] if task.adds else []))}
    for name in names:
        if name not in known:
            raise ValueError(f"attributes must be among {', '.join(known)}, got {name!r}.")
    return tuple(known[name] for name in names)


def _without_unusable(run: AnyRun) -> AnyRun:
    """The run without the methods that need a generator, where its domain has none.

    Raises:
        ValueError: If no method is left.
    """
    config = run.config
    left_out = [name for name in config.methods if run.methods[name].editor.needs_generator]
    if not left_out or getattr(run.domain, "generator", None) is not None:
        return run
    why = f"a generator, which the domain {config.domain!r} has not"
    left = tuple(name for name in config.methods if name not in left_out)
    if not left:
        raise ValueError(f"methods must not need {why}, got {', '.join(left_out)} alone.")
    print(f"n/a, left out: {', '.join(left_out)} (what they need is {why}).")
    return open_folder(replace(config, methods=left), run.out)


def _weights(run: AnyRun) -> dict[str, str]:
    """Hashes of the networks, and of a user's own method."""
    weights = dict(run.domain.weights)
    if run.config.own_method:
        path = Path(run.config.own_method.rpartition(":")[0])
        weights["own method"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return weights
