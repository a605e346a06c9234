"""The attribute benchmark as a command: configuration, stages in order, report."""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from benchmark.attributes.methods import load_method, registry
from benchmark.attributes.publish import publish_attributes
from benchmark.attributes.report import remarks, write_report
from benchmark.attributes.runs import Run
from benchmark.attributes.settings import AttributeConfig, preset
from benchmark.attributes.stages import perform, tasks_of
from benchmark.command import do_stages, resumed, stages_of, with_options
from benchmark.folder import open_run
from benchmark.times import add_time, sentence

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
    config = resumed(out, AttributeConfig, "an attribute") if args.resume else configure(args)
    if args.dry_run:
        print(json.dumps(asdict(config), indent=1, ensure_ascii=False))
        return 0
    run, stages = _without_unusable(Run(config, out)), stages_of(args)
    config = run.config
    _ = run.attributes  # an attribute that is not there is said before anything is written
    for said in remarks(run.domain):
        print(f"benchmark: {said}.", file=sys.stderr)
    open_run(config, _weights(run), out, create=stages != ("report",))
    do_stages(stages, run, tasks_of, perform, args)
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
    config = with_options(preset(args.preset, args.domain), args)
    if args.method_file:
        own = load_method(args.method_file)
        path, _, name = args.method_file.rpartition(":")
        config = replace(config, own_method=f"{Path(path).resolve()}:{name}")
    if args.domain == "codes":
        if not (args.codes and args.labels):
            raise ValueError("codes and labels must be given together, as files.")
        config = replace(config, codes=str(Path(args.codes).resolve()),
                         labels=str(Path(args.labels).resolve()),
                         codes_layers=args.layers or 0, codes_key=args.key or "")
    if args.method_file and own.method not in config.methods:
        config = replace(config, methods=(*config.methods, own.method))
    if args.attributes:
        config = replace(config, attributes=tuple(args.attributes))
    if args.alphas:
        config = replace(config, alphas=args.alphas)
    for name in config.methods:
        if name not in registry(config):
            raise ValueError(f"methods must be among {', '.join(registry(config))}, got {name!r}.")
    return config


def _without_unusable(run: Run) -> Run:
    """The run without the methods that need a generator, where its domain has none.

    Raises:
        ValueError: If no method is left.
    """
    config = run.config
    left_out = [name for name in config.methods if run.methods[name].needs_generator]
    if not left_out or getattr(run.domain, "generator", None) is not None:
        return run
    why = f"a generator, which the domain {config.domain!r} has not"
    left = tuple(name for name in config.methods if name not in left_out)
    if not left:
        raise ValueError(f"methods must not need {why}, got {', '.join(left_out)} alone.")
    print(f"n/a, left out: {', '.join(left_out)} (what they need is {why}).")
    return Run(replace(config, methods=left), run.out)


def _weights(run: Run) -> dict[str, str]:
    """Hashes of the networks, and of a user's own method."""
    weights = dict(run.domain.weights)
    if run.config.own_method:
        path = Path(run.config.own_method.rpartition(":")[0])
        weights["own method"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return weights
