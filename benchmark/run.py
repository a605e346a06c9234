"""The benchmark: `python benchmark/run.py --methods lw lt`.

On `digits`, the default: takes held-out MultiMNIST images, encodes them, adds a digit by every
method, draws and judges the result, and leaves a run folder: config.json, facts.json, results.csv,
table2.md/.csv/.json, pictures, the editors, and one file a cell. On `--domain faces`, `toy`, or
`--codes FILE --labels FILE`: adds and removes attributes (`benchmark.attributes`). The same
command goes on with an interrupted run.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from safetensors import SafetensorError

from benchmark.attributes import DOMAINS
from benchmark.command import run_benchmark
from benchmark.methods import registry
from benchmark.presets import PRESETS
from benchmark.stages import STAGES

_ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(arguments)
    _check(args, parser)
    try:
        return run_benchmark(args, _ROOT)
    except (ValueError, OSError, SafetensorError) as error:
        print(f"benchmark: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        out = args.out or _ROOT / "runs" / args.domain
        print(f"benchmark: stopped; the same command goes on from {out}.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--methods", nargs="+", metavar="NAME",
                        help=f"any of {', '.join(registry('digits'))}, or one of --method-file")
    parser.add_argument("--domain", choices=["digits", *DOMAINS], default=None)
    parser.add_argument("--preset", choices=list(PRESETS["digits"]), default="default")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--no-floors", action="store_true",
                        help="leave out no edit, random, centroids, Gaussian OT, nearest target")
    parser.add_argument("--out", help="run folder, runs/DOMAIN unless given")
    parser.add_argument("--publish", action="store_true",
                        help="copy tables and figures to results/ and into its README.md")
    parser.add_argument("--refit", action="store_true",
                        help="fit editors again that the repository ships; of digits")
    parser.add_argument("--dry-run", action="store_true", help="print the configuration and stop")
    parser.add_argument("--figures-only", action="store_true",
                        help="tables and figures again from a finished run")
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda",
                        help="where codes are fitted, edited, drawn and judged")
    parser.add_argument("--batch", type=int, metavar="N", help="images at a time")
    parser.add_argument("--attributes", nargs="+", metavar="NAME",
                        help="targets, all unless given; of digits the edits, such as 1→2")
    parser.add_argument("--alphas", type=int, metavar="N",
                        help="number of strengths in [d, 2d]; of digits that of the grid")
    parser.add_argument("--images", type=int, metavar="N",
                        help="most images on which an edit is scored")
    parser.add_argument("--stage", choices=[*STAGES, "all"], default="all")
    parser.add_argument("--resume", action="store_true",
                        help="go on with the run in --out as it is")
    parser.add_argument("--workers", type=int, default=None, metavar="N",
                        help="processes, one thread each, as many as cores on the CPU and one on "
                             "a GPU unless given; the results do not depend on it")
    parser.add_argument("--scheduler", default="", metavar="tcp://HOST:PORT",
                        help="do the tasks on a Dask cluster that sees --out")
    more = parser.add_argument_group("domains other than digits")
    more.add_argument("--codes", metavar="FILE", help="codes of your own, (n, layers, dim): .npy, "
                      ".npz, .pt, .safetensors, or a folder of .npy")
    more.add_argument("--labels", metavar="FILE",
                      help="their labels: a table with a row of names, or an array (docs/doors.md)")
    more.add_argument("--layers", type=int, metavar="N", help="layers of flattened codes")
    more.add_argument("--key", metavar="NAME", help="which array of a file of several")
    more.add_argument("--method-file", metavar="FILE.py:CLASS", help="an Editor of your own")
    return parser


def _check(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Options that do not go together are usage errors."""
    if args.domain is None:
        args.domain = "codes" if args.codes or args.labels else "digits"
    if args.domain != "codes" and (args.codes or args.labels):
        parser.error(f"argument --codes: not with --domain {args.domain}")
    for name in ("layers", "key"):
        if getattr(args, name) is not None and args.domain != "codes":
            parser.error(f"argument --{name}: needs --codes")
    if args.workers is None:
        args.workers = (os.cpu_count() or 1) if args.device == "cpu" else 1
    for name in ("alphas", "batch", "images", "layers"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"argument --{name}: must be at least 1, got {getattr(args, name)}")
    if args.workers < 1:
        parser.error(f"argument --workers: must be at least 1, got {args.workers}")
    known = registry(args.domain)
    if not args.method_file:
        for name in args.methods or ():
            if name not in known:
                names = ", ".join(known)
                parser.error(f"argument --methods: invalid choice: {name!r} (choose from {names})")


if __name__ == "__main__":
    sys.exit(main())
