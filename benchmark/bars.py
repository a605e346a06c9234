"""What the project set out to reach, beside what was measured: `python benchmark/bars.py`.

Reads nothing but files that other commands wrote (`benchmark/run.py --publish`,
`benchmark/generator.py`, `benchmark/speed.py`, `lwedit.judges`) and writes
`results/bars.md`. A bar that is missed stands there as missed.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Bar", "bars", "main", "to_markdown"]

_ROOT = Path(__file__).resolve().parents[1]
_PAPERS = "actual change {task}, the paper's reading, one alpha for all, worst seed"


class Bar(NamedTuple):
    """One bar: what is measured, the least that will do, and what came out (None: not measured)."""

    what: str
    least: float
    measured: float | None


def bars(root: Path) -> Iterator[Bar]:
    """All bars of the digits and of the faces, from the result files below `root`."""
    judges = _json(root / "assets" / "digits" / "judges" / "judges.json")
    for name, least in (("count", 0.995), ("classes", 0.97)):
        yield Bar(f"{name} judge, held-out real images fully right", least,
                  _get(judges, name, "fully_right"))
    drawn = _json(root / "results" / "generator" / "generator.json")
    for also, key in (("", "sure"), (", and of one to four digits", "readable")):
        yield Bar(f"samples read with every count p > .9{also}", 0.90,
                  _get(drawn, "rows", "samples, truncation 1.0", key))
    facts = _json(root / "results" / "digits" / "facts.json")
    yield Bar("reconstructions, count kept", 0.98, _get(facts, "reconstruction_count_kept"))
    yield Bar("reconstructions, all classes kept", 0.93, _get(facts, "reconstruction_classes_kept"))
    accuracies = [_json(p) for p in sorted((root / "results" / "digits").glob("classifier_*.json"))]
    for task in ("1→2", "2→3", "3→4"):
        worst = min((a[task] for a in accuracies), default=None)
        yield Bar(f"latent classifier {task}, held-out codes, worst seed", 0.97, worst)
    results = _rows(root / "results" / "digits" / "results.csv")
    for task, least in (("1→2", 0.95), ("2→3", 0.97), ("3→4", 0.99)):
        yield Bar(f"LW, affine, {_PAPERS.format(task=task)}", least,
                  _worst(results, "lw", task, "one for all", "actual"))
    yield from _neural(results)
    speed = _json(root / "results" / "speed" / "speed.json")
    yield from _speed(speed)
    faces = _json(root / "assets" / "faces" / "judges" / "judges.json")
    yield from _faces_judge(faces.get("scoring", {}).get("consensus", {}))
    yield from _faces(_rows(root / "results" / "faces" / "results.csv"))


def _neural(results: list[dict[str, str]]) -> Iterator[Bar]:
    """LW neural, α = 1 for every image, strictly read."""
    adding = {"accepted": (0.75, 0.70, 0.60), "clean": (0.93, 0.91, 0.88)}
    words = {"accepted": "accepted", "clean": "exactly n+1 and all kept"}
    for column, bounds in adding.items():
        for task, least in zip(("1→2", "2→3", "3→4"), bounds, strict=True):
            yield Bar(f"LW neural, α = 1, {task}, {words[column]}, worst seed", least,
                      _worst(results, "lw_neural", task, "as fitted", column))
    for task in ("1→2", "2→3", "3→4"):
        fooled = _worst(results, "lw_neural", task, "as fitted", "fooled", lowest=False)
        yield Bar(f"LW neural, α = 1, {task}, judges not fooled (1 − fooled), worst seed", 0.98,
                  None if fooled is None else 1 - fooled)
        yield Bar(f"LW neural, {_PAPERS.format(task=task)}", 0.97,
                  _worst(results, "lw_neural", task, "one for all", "actual"))
    for task in ("2→1", "3→2", "4→3"):
        yield Bar(f"LW neural, α = −1, {task}, exactly n and no other digit changed, worst seed",
                  0.80, _worst(results, "lw_neural", task, "as fitted", "clean"))


def _worst(
    results: list[dict[str, str]], method: str, task: str, strategy: str, column: str, *,
    lowest: bool = True,
) -> float | None:
    """The worst of a method's seeds; where nothing was counted it is 0, without rows None."""
    mine = [float(row[column] or 0) for row in results
            if (row["method"], row["task"], row["strategy"]) == (method, task, strategy)]
    return (min if lowest else max)(mine, default=None)


def _speed(report: dict[str, Any]) -> Iterator[Bar]:
    timings = report.get("timings", [])
    grouped = {row["batch"]: row["grouped"] for row in timings if row["precision"] == "float32"}
    for precision, least in (("float32", 1.6), ("bfloat16", 3.5)):
        gains = [row["scaled"] / grouped[row["batch"]] for row in timings
                 if row["precision"] == precision]
        yield Bar(f"1024-px generator, {precision} against grouped float32, best batch", least,
                  max(gains, default=None))


def _faces_judge(consensus: dict[str, Any]) -> Iterator[Bar]:
    where = "held-out faces as two of three readers saw them"
    yield Bar(f"faces' scoring judge, mean AUC, {where}", 0.95, _get(consensus, "mean_auc"))
    for name, least in (("eyeglasses", 0.98), ("headwear", 0.98), ("mouth_open", 0.97)):
        yield Bar(f"the same, {name}", least, _get(consensus, "auc", name))


def _faces(results: list[dict[str, str]]) -> Iterator[Bar]:
    """What LW keeps more than others at equal change: the interval must not reach below 0."""
    over_all = {row["method"]: row for row in results
                if (row["attribute"], row["seed"], row["level"]) == ("all", "all", "90")}
    pairs = (("LW − LT", "lt", "gain"), ("LW − class centroids", "centroids", "gain"),
             ("LW − Gaussian OT", "gaussian_ot", "gain"), ("LW(*) − LT(*)", "lt_star", "like"))
    for names, method, kind in pairs:
        for quantity, words in (("preservation", "other attributes kept"),
                                ("identity", "identity")):
            low = over_all.get(method, {}).get(f"{quantity}_{kind}_low")
            yield Bar(f"faces, {names} at 90 % target change, {words}, lower end of the interval",
                      0.0, float(low) if low else None)


def to_markdown(rows: list[Bar]) -> str:
    """A table with a verdict a row."""
    lines = ["| what | at least | measured | |", "| --- | --- | --- | --- |"]
    for bar in rows:
        seen = "not measured" if bar.measured is None else f"{bar.measured:.4g}"
        met = "met" if bar.measured is not None and bar.measured >= bar.least else "missed"
        lines.append(f"| {bar.what} | {bar.least:g} | {seen} | {met} |")
    return "\n".join(lines) + "\n"


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _get(tree: dict[str, Any], *keys: str) -> float | None:
    node: Any = tree
    for key in keys:
        if key not in node:
            return None
        node = node[key]
    return node


def main(arguments: list[str] | None = None) -> None:
    """Write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--root", type=Path, default=_ROOT)
    root = parser.parse_args(arguments).root
    text = to_markdown(list(bars(root)))
    (root / "results").mkdir(exist_ok=True)
    (root / "results" / "bars.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
