"""Measure the transport losses and the solvers: `python benchmark/transport_bars.py`.

Writes `results/transport/bars.json` and `bars.md`: agreement with exact transport and finite
differences, the closed-form map between Gaussians, `alternate` against `adam` on every digits task
(held-out loss, seconds, memory), growth of time and memory, collapse of edited codes in every
domain, equal bits. Needs requirements-dev.txt for POT. Every task, size and domain is written as
soon as it is measured, so that a run that is stopped loses one of them; `--parts`, `--tasks` and
`--domains` measure some of it and keep the rest of the report as it is.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from tqdm import tqdm

from benchmark.command import trial_run
from benchmark.files import write_json, write_text
from benchmark.speed import describe_machine
from benchmark.transport import exactness
from benchmark.transport.growth import DIMS, SIZES, growth
from benchmark.transport.in_distribution import Placement, placements
from benchmark.transport.page import to_markdown
from benchmark.transport.solvers import Comparison, ComparisonSettings, compare_solvers
from lwedit.domains import ToyDomain

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[1]
_PARTS = ("exactness", "solvers", "growth", "in_distribution")
_EDITS = {  # adding, which is what LW was made for
    "digits": ("1→2", "2→3", "3→4"), "faces": ("eyeglasses", "smiling", "masculine"),
    "toy": ToyDomain.editable,
}
_DOMAINS = tuple(_EDITS)


def main(arguments: list[str] | None = None) -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budget", type=float, default=ComparisonSettings.budget,
                        help="how many times alternate's seconds adam may take")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 2, 3],
                        help="digits of the source images of the digits tasks")
    parser.add_argument("--codes", type=int, default=ComparisonSettings.codes,
                        help="training codes a side in a comparison")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES),
                        help="codes a side at which growth is measured")
    parser.add_argument("--domains", nargs="+", choices=_DOMAINS, default=list(_DOMAINS),
                        help="whose edits are looked at for how far they go")
    parser.add_argument("--out", type=Path, default=_ROOT / "results" / "transport")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    settings = ComparisonSettings(args.codes, threads=args.threads, budget=args.budget)
    report = _held(args.out / "bars.json")
    if "solvers" in args.parts or not report.get("settings"):
        if report.get("settings") != json.loads(json.dumps(asdict(settings))):
            report["solvers"] = []  # of other settings; the page shows those of one
        report["settings"] = asdict(settings)
    before = os.getloadavg()[0]
    for part in args.parts:
        for measured in _measure(part, settings, args):
            report[part] = _merged(report[part], measured)
            report["machines"][part] = describe_machine() | {
                "cores": os.cpu_count(), "load_before": before, "load_after": os.getloadavg()[0],
            }
            write_json(args.out / "bars.json", report)
            write_text(args.out / "bars.md", to_markdown(report))
    print(to_markdown(report))


def _held(path: Path) -> dict[str, Any]:
    """What an earlier run measured, so that a part can be measured again."""
    if path.exists():
        return json.loads(path.read_text())
    return {"exactness": {}, "solvers": [], "growth": [], "in_distribution": [], "machines": {}}


def _measure(
    part: str, settings: ComparisonSettings, args: argparse.Namespace
) -> Iterator[dict[str, Any] | list[dict[str, Any]]]:
    """What a part finds, piece by piece."""
    if part == "exactness":
        yield {"value": exactness.value_error(), "gradient": exactness.gradient_error(),
               "map": exactness.map_error(), "bits": exactness.equal_bits()}
    elif part == "solvers":
        for count in tqdm(args.tasks, "solvers", unit="task"):
            yield [_flat(compare_solvers(count, settings))]
    elif part == "growth":
        for dim, n in tqdm(list(product(DIMS, args.sizes)), "growth", unit="cell"):
            yield [growth(n, dim, settings.threads)._asdict()]
    else:
        for name in args.domains:
            run = trial_run(name, _ROOT / "runs" / "transport" / name, (0,), 500)
            yield [_row(row) for row in placements(run, _EDITS[name])]


def _merged(held: Any, found: Any) -> Any:
    """The report's part with what was found in place of an earlier measurement of the same."""
    if isinstance(found, dict):
        return found
    new = {_name(row) for row in found}
    rows = [row for row in held if _name(row) not in new] + found
    return sorted(rows, key=_name)


def _name(row: dict[str, Any]) -> tuple[Any, ...]:
    """Which piece a row belongs to: a task, a size, a domain; also their order on the page."""
    if "task" in row:
        return (row["task"],)
    return (row["dim"], row["n"]) if "dim" in row else (_DOMAINS.index(row["domain"]),)


def _flat(found: Comparison) -> dict[str, Any]:
    return found._asdict() | {
        "alternate": found.alternate._asdict(), "adam": [fit._asdict() for fit in found.adam],
    }


def _row(row: Placement) -> dict[str, Any]:
    values = row._asdict() | row.found._asdict()
    del values["found"]
    return values


if __name__ == "__main__":
    main()
