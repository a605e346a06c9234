"""The benchmark: `python benchmark/run.py --methods lw lt`.

Takes held-out MultiMNIST images, encodes them, adds a digit by every method, draws and judges
the result, and leaves a run folder: config.json, facts.json, results.csv, table2.md/.csv/.json,
fig6.png, the editors, and one file a cell. The same command goes on with an interrupted run.
"""

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from baselines import METHODS
from benchmark.figures import draw_examples
from benchmark.presets import PRESETS, RunConfig
from benchmark.publish import publish
from benchmark.report import write_report
from benchmark.stages import measure_all
from lwedit import __version__
from lwedit.domains import DigitsDomain
from lwedit.memory import keep_freed_memory

_ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = _parser().parse_args(arguments)
    try:
        config = _configure(args)
        if args.dry_run:
            print(json.dumps(asdict(config), indent=1, ensure_ascii=False))
            return 0
        out = Path(args.out)
        keep_freed_memory()
        domain = DigitsDomain.load()
        _open_run(config, domain.weights, out, create=not args.figures_only)
        if not args.figures_only:
            measure_all(domain, config, out)
        table = write_report(config, out)
        figure = draw_examples(domain, config, out)
        if args.publish:
            publish(out, _ROOT)
    except (ValueError, OSError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"benchmark: stopped; the same command goes on from {args.out}.", file=sys.stderr)
        return 130
    print(table.read_text())
    print(f"Written: {table}, {figure}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), metavar="NAME",
                        help=f"any of {', '.join(METHODS)}")
    parser.add_argument("--preset", choices=list(PRESETS), default="default")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--no-floors", action="store_true",
                        help="leave out no edit, random, centroids, Gaussian OT, nearest target")
    parser.add_argument("--out", default=str(_ROOT / "runs" / "digits"), help="run folder")
    parser.add_argument("--publish", action="store_true",
                        help="copy tables and figures to results/digits and into README.md")
    parser.add_argument("--dry-run", action="store_true", help="print the configuration and stop")
    parser.add_argument("--figures-only", action="store_true",
                        help="tables and figures again from a finished run")
    return parser


def _configure(args: argparse.Namespace) -> RunConfig:
    config = RunConfig(**PRESETS[args.preset])
    if args.methods:
        config = replace(config, methods=tuple(args.methods))
    if args.seeds:
        config = replace(config, seeds=tuple(args.seeds))
    return replace(config, floors=config.floors and not args.no_floors)


def _open_run(config: RunConfig, weights: dict[str, str], out: Path, *, create: bool) -> None:
    """Write config.json, or check that the folder holds a run of this configuration and weights.

    Raises:
        ValueError: If it holds another run, or none and none is to be created.
    """
    about = {"config": asdict(config), "weights": weights, "lwedit": __version__,
             "torch": torch.__version__, "python": platform.python_version(),
             "commit": _commit(), "threads": torch.get_num_threads()}
    path = out / "config.json"
    if path.exists():
        held, asked = json.loads(path.read_text()), json.loads(json.dumps(about))
        differing = [key for key in ("config", "weights") if held.get(key) != asked[key]]
        if differing:
            raise ValueError(
                f"out must be a new folder or hold a run of the same {' and '.join(differing)}, "
                f"got {out}; name another folder with --out or remove it."
            )
        return
    if not create:
        raise ValueError(f"out must hold a finished run, got {out} without config.json.")
    out.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".tmp").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    path.with_suffix(".tmp").replace(path)


def _commit() -> str:
    try:
        run = subprocess.run(["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True,
                             text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return run.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
