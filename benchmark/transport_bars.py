"""Measure the transport losses and the solvers: `python benchmark/transport_bars.py`.

Writes `results/transport/bars.json` and `bars.md`: agreement with exact transport and finite
differences, the closed-form map between Gaussians, `alternate` against `adam` on every digits task
(held-out loss, seconds, memory), growth of time and memory, collapse of edited codes in every
domain, equal bits. Needs requirements-dev.txt for POT. `--parts` measures some of it and keeps
the rest of the report as it is; ten minutes on two free cores for all.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmark.files import write_json, write_text
from benchmark.speed import describe_machine
from benchmark.transport import exactness
from benchmark.transport.growth import DIMS, SIZES, growth
from benchmark.transport.page import to_markdown
from benchmark.transport.solvers import Duel, DuelSettings, duel
from benchmark.transport.soundness import Soundness, attributes_soundness, digits_soundness
from lwedit.domains import DigitsDomain, FacesDomain, ToyDomain

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[1]
_PARTS = ("exactness", "duels", "growth", "soundness")
_FACES = ("eyeglasses", "smiling", "masculine")


def main(arguments: list[str] | None = None) -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budget", type=float, default=DuelSettings.budget,
                        help="how many times alternate's seconds adam may take")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 2, 3],
                        help="digits of the source images of the digits tasks")
    parser.add_argument("--out", type=Path, default=_ROOT / "results" / "transport")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    settings = DuelSettings(threads=args.threads, budget=args.budget)
    report = _held(args.out / "bars.json")
    report["settings"] = asdict(settings)
    before = os.getloadavg()[0]
    for part in args.parts:
        report[part] = _measure(part, settings, args.tasks)
    report["machine"] = describe_machine() | {
        "cores": os.cpu_count(), "load_before": before, "load_after": os.getloadavg()[0],
    }
    write_json(args.out / "bars.json", report)
    write_text(args.out / "bars.md", to_markdown(report))
    print(to_markdown(report))


def _held(path: Path) -> dict[str, Any]:
    """What an earlier run measured, so that a part can be measured again."""
    if path.exists():
        return json.loads(path.read_text())
    return {"exactness": {}, "duels": [], "growth": [], "soundness": []}


def _measure(part: str, settings: DuelSettings, tasks: list[int]) -> Any:
    if part == "exactness":
        return {"value": exactness.value_error(), "gradient": exactness.gradient_error(),
                "map": exactness.map_error(), "bits": exactness.equal_bits()}
    if part == "duels":
        return [_flat(duel(count, settings)) for count in tasks]
    if part == "growth":
        return [growth(n, dim, settings.threads)._asdict() for dim in DIMS for n in SIZES]
    rows = [*digits_soundness(DigitsDomain.load()),
            *attributes_soundness(ToyDomain(), ToyDomain.editable),
            *attributes_soundness(FacesDomain.load(), _FACES)]
    return [_row(row) for row in rows]


def _flat(found: Duel) -> dict[str, Any]:
    return found._asdict() | {
        "alternate": found.alternate._asdict(), "adam": [fit._asdict() for fit in found.adam],
    }


def _row(row: Soundness) -> dict[str, Any]:
    values = row._asdict() | row.found._asdict()
    del values["found"]
    return values


if __name__ == "__main__":
    main()
