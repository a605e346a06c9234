"""The attribute benchmark as a command: configuration, stages in order, report."""

import argparse
import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmark.attributes.methods import load_method, registry
from benchmark.attributes.publish import publish_attributes
from benchmark.attributes.report import write_report
from benchmark.attributes.runs import Run
from benchmark.attributes.settings import AttributeConfig, preset
from benchmark.attributes.stages import STAGES, perform, tasks_of
from benchmark.files import read_json
from benchmark.folder import open_run
from benchmark.times import add_time, sentence
from benchmark.workers import do_all
from lwedit.memory import keep_freed_memory

__all__ = ["configure", "run_attributes"]


def run_attributes(args: argparse.Namespace, root: Path) -> int:
    """Run the attribute benchmark.

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
    config = _resumed(out) if args.resume else configure(args)
    if args.dry_run:
        print(json.dumps(asdict(config), indent=1, ensure_ascii=False))
        return 0
    keep_freed_memory()
    torch.set_num_threads(1)  # sums in another order round differently
    run = Run(config, out)
    _ = run.attributes  # an attribute that is not there is said before anything is written
    only_report = args.figures_only or args.stage == "report"
    open_run(config, _weights(run), out, create=not only_report)
    stages = ("report",) if only_report else STAGES if args.stage == "all" else (args.stage,)
    for stage in stages:
        if stage != "report":
            do_all(tasks_of(stage, run), run, perform, workers=args.workers,
                   scheduler=args.scheduler, label=stage)
    if "report" in stages:
        start = time.perf_counter()
        report = write_report(run)
        add_time(out, "report", time.perf_counter() - start, 1)
        print((out / "tables" / "equal_change.md").read_text())
        print(sentence(out))
        print(f"Written: {report}, {out / 'report.html'}, {out / 'figures'}")
        if args.publish:
            publish_attributes(run, root)
    return 0


def configure(args: argparse.Namespace) -> AttributeConfig:
    """The configuration that the command line asks for.

    Raises:
        ValueError: If it is impossible.
    """
    config = preset(args.preset, args.domain)
    if args.method_file:
        own = load_method(args.method_file)
        path, _, name = args.method_file.rpartition(":")
        config = replace(config, own_method=f"{Path(path).resolve()}:{name}")
    if args.domain == "codes":
        if not (args.codes and args.labels):
            raise ValueError("codes and labels must be given together, as files.")
        config = replace(config, codes=str(Path(args.codes).resolve()),
                         labels=str(Path(args.labels).resolve()))
    if args.methods:
        config = replace(config, methods=tuple(args.methods))
    if args.method_file and own.method not in config.methods:
        config = replace(config, methods=(*config.methods, own.method))
    if args.attributes:
        config = replace(config, attributes=tuple(args.attributes))
    if args.seeds:
        config = replace(config, seeds=tuple(args.seeds))
    if args.alphas:
        config = replace(config, alphas=args.alphas)
    if args.images:
        config = replace(config, test_images=args.images)
    config = replace(config, device=args.device, batch=args.batch or config.batch)
    config = replace(config, floors=config.floors and not args.no_floors)
    for name in config.methods:
        if name not in registry(config):
            raise ValueError(f"methods must be among {', '.join(registry(config))}, got {name!r}.")
    return config


def _resumed(out: Path) -> AttributeConfig:
    held = read_json(out / "config.json", "config.json of the run to resume")
    try:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in held["config"].items()
        }
        return AttributeConfig(**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"out must hold an attribute run to resume, got {out}: {error}") from error


def _weights(run: Run) -> dict[str, str]:
    """Hashes of the networks, and of a user's own method."""
    weights = dict(run.domain.weights)
    if run.config.own_method:
        path = Path(run.config.own_method.rpartition(":")[0])
        weights["own method"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return weights
