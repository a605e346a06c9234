"""The three rows of README: accepted edits of LT and of this project's two LW, from a run's data.

`benchmark.publish` puts them between the markers of README.md; every table that says more is in
`results/`.
"""

from collections.abc import Sequence
from typing import Any

from benchmark.methods import label_of
from benchmark.shares import CEILING
from benchmark.strengths import CHOSEN

__all__ = ["FRONT", "front_table"]

FRONT = ("lt", "lw", "lw_neural")


def front_table(rows: Sequence[dict[str, Any]]) -> str:
    """Share of accepted edits, a row a method and a column an edit that adds, in Markdown.

    Args:
        rows: From table2.json.
    """
    tasks = [task for task in dict.fromkeys(row["task"] for row in rows) if task[0] < task[-1]]
    found = {(row["method"], row["task"]): row["accepted"] for row in rows
             if row["strategy"] == CHOSEN}
    lines = [f"| accepted edits | {' | '.join(tasks)} |", f"|{' --- |' * (len(tasks) + 1)}"]
    for method in (name for name in FRONT if any(key[0] == name for key in found)):
        cells = (_share(found.get((method, task))) for task in tasks)
        lines.append(f"| {label_of(method)} | {' | '.join(cells)} |")
    ceiling = [f"{found[CEILING, task]['mean']:.2f}" for task in tasks if (CEILING, task) in found]
    real = ("" if not ceiling else " Reconstructions of real images of so many digits, read alike: "
            f"{', '.join(ceiling)}.")
    return "\n".join(lines) + f"\n\nShares of held-out images, 95 % intervals.{real}"


def _share(value: dict[str, float | None] | None) -> str:
    if value is None or value["mean"] is None:
        return "n/a"
    return f"{value['mean']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"
