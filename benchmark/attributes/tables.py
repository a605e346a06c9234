"""The tables of a run, from summary.csv's rows and the resampled cells.

`table1` has the paper's layout: means over alpha in [d, 2 d], with the paper's numbers beside.
All others compare at equal target change by the scoring judge. A level that a method does not
reach is written "not reached", and means say over how many edits they are.
"""

import numpy as np

from benchmark.attributes.compare import (
    QUANTITIES,
    Sampled,
    difference,
    interval,
    mean_over,
)
from benchmark.attributes.details import costs, gap, judges, realism, rescoring, strengths
from benchmark.attributes.facts import HERO, Facts, mean_of
from benchmark.attributes.settings import LEVELS
from benchmark.attributes.sheet import NOT_REACHED, Sheet, number
from benchmark.attributes.style import label_of
from benchmark.paper import TABLE_1, TABLE_1_HERE

__all__ = ["all_tables"]


def all_tables(facts: Facts) -> list[Sheet]:
    """Every table, the main one first."""
    tables = [_equal_change(facts)]
    if any(facts.of(method) for method in TABLE_1) and "masculine" in facts.names:
        tables.append(_table1(facts))
    tables += [_levels(facts)]
    tables += [_per_edit(facts, quantity) for quantity in QUANTITIES]
    return tables + [make(facts) for make in (gap, realism, rescoring, strengths, judges, costs)]


def _shown(sampled: Sampled | None, *, sign: bool = False) -> str:
    if sampled is None:
        return NOT_REACHED
    mean, low, high = interval(sampled)
    form = "+.3f" if sign else ".3f"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def _over_edits(facts: Facts, method: str, level: str, quantity: str) -> list[Sampled]:
    found = [facts.samples.get((method, edit, level, quantity)) for edit in facts.edits]
    return [one for one in found if one is not None and np.isfinite(one.point)]


def _gains(facts: Facts, other: str, level: str, quantity: str) -> list[Sampled]:
    """The rival minus another method, on the edits where both reach the level."""
    gains = []
    for edit in facts.edits:
        mine = facts.samples.get((facts.rival or "", edit, level, quantity))
        theirs = facts.samples.get((other, edit, level, quantity))
        if mine and theirs and np.isfinite(mine.point - theirs.point):
            gains.append(difference(mine, theirs))
    return gains


def _tried(facts: Facts, method: str) -> int:
    return len({(row["attribute"], row["direction"]) for row in facts.of(method)})


def _equal_change(facts: Facts) -> Sheet:
    hero = label_of(facts.rival) if facts.rival else "LW"
    rows = []
    for method in facts.methods:
        kept = _over_edits(facts, method, "90", "preservation")
        same = _over_edits(facts, method, "90", "identity")
        gains = [_gains(facts, method, "90", name) for name in QUANTITIES]
        own = method == facts.rival or not facts.rival
        rows.append((
            label_of(method), f"{len(kept)} of {_tried(facts, method)}",
            _shown(mean_over(kept)), number(mean_of(facts.of(method), "worst_90")),
            _shown(mean_over(same)),
            *(number(mean_of(facts.of(method), f"{name} identity_90")) for name in facts.slow),
            *("" if own else _shown(mean_over(gain), sign=True) if gain else NOT_REACHED
              for gain in gains),
            "" if own else str(len(gains[0])),
        ))
    strangers = ", ".join(f"{name} {value:.2f}" for name, value in facts.strangers.items())
    return Sheet(
        "equal_change", "Every method at 90 % target change",
        ("method", "edits reached", "attributes preserved", "worst attribute",
         f"identity ({facts.fast})", *(f"identity ({name})" for name in facts.slow),
         f"{hero} − method: preserved", f"{hero} − method: identity", "edits both reach"),
        tuple(rows),
        "Means over the edits (attribute and direction) in which a method reaches 90 % target "
        "change by the scoring judge; differences over the edits that both reach. Brackets are "
        "95 % intervals of a bootstrap over images, paired for the differences, seeds averaged. "
        "The ceiling takes real codes and can add only. Identity of two different images: "
        f"{strangers}. {facts.judges}",
    )


def _levels(facts: Facts) -> Sheet:
    rows = []
    for level in (*(str(round(100 * x)) for x in LEVELS), "area"):
        for method in facts.methods:
            found = [_over_edits(facts, method, level, name) for name in QUANTITIES]
            rows.append((
                f"{level} %" if level != "area" else "area 0–90 %", label_of(method),
                f"{len(found[0])} of {_tried(facts, method)}",
                *(_shown(mean_over(one)) for one in found),
                *("" if method == facts.rival else _shown(mean_over(gain), sign=True)
                  for gain in (_gains(facts, method, level, name) for name in QUANTITIES)),
            ))
    hero = label_of(facts.rival or HERO)
    return Sheet(
        "levels", "At 50, 70 and 90 % target change, and the area under the curve",
        ("target change", "method", "edits reached", "preserved", "identity",
         f"{hero} − method: preserved", f"{hero} − method: identity"),
        tuple(rows),
        "As above. The area is the mean over target changes from 0 to 90 %, and needs 90 % to be "
        f"reached. {facts.judges}",
    )


def _table1(facts: Facts) -> Sheet:
    learned = [method for method in TABLE_1 if facts.of(method)]
    rest = [method for method in facts.methods if method not in TABLE_1]
    others = [name for name in facts.attributes if name not in TABLE_1_HERE.values()]
    rows = []
    for method in [*learned, *rest]:
        cells = [label_of(method)]
        for part, quantity in enumerate(QUANTITIES):
            for theirs, ours in TABLE_1_HERE.items():
                mine = "–"
                if ours in facts.attributes:
                    mine = number(mean_of(facts.of(method, attribute=ours), f"range_{quantity}"))
                paper = TABLE_1.get(method, {}).get(theirs)
                cells.append(f"{mine} ({paper[part]:.2f})" if paper else mine)
            mean = mean_of(facts.of(method), f"range_{quantity}")
            cells.append(number(mean))
        cells.append(number(mean_of(facts.of(method), "range_change")))
        rows.append(tuple(cells))
    heads = [f"{theirs} → {ours or 'not labelled'}" for theirs, ours in TABLE_1_HERE.items()]
    columns = ["method"]
    for quantity in ("preserved", "identity"):
        columns += [f"{quantity}: {head}" for head in heads] + [f"{quantity}: all"]
    return Sheet(
        "table1", "Table 1 of the paper: means over ten α in [d, 2d]",
        (*columns, "target change"), tuple(rows),
        "In parentheses the paper's numbers (FFHQ, StyleGAN2, ArcFace), which other images, judges "
        f"and identity ({facts.fast}) stand behind: compare the order of the methods, not the "
        f"values. d is where half of the calibration codes change; all {len(facts.attributes)} "
        f"attributes{', also ' + ', '.join(others) if others else ''}, adding and removing, are in "
        "the columns \"all\". Means over a range of α favour methods that change less within it "
        f"(last column): the table above is the comparison at equal change. {facts.judges}",
    )


def _per_edit(facts: Facts, quantity: str) -> Sheet:
    rows = []
    for edit in facts.edits:
        cells = [f"{edit.attribute}, {edit.direction}"]
        for method in facts.methods:
            one = facts.samples.get((method, edit, "90", quantity))
            cells.append("" if one is None else number(one.point))
        gain = [] if facts.rival is None else [
            difference(facts.samples[facts.rival, edit, "90", quantity],
                       facts.samples["lt", edit, "90", quantity])
        ] if ("lt", edit, "90", quantity) in facts.samples else []
        reached = [one for one in gain if np.isfinite(one.point)]
        cells.append(_shown(reached[0], sign=True) if reached else NOT_REACHED if gain else "")
        rows.append(tuple(cells))
    named = {"preservation": "Attributes preserved", "identity": f"Identity ({facts.fast})"}
    return Sheet(
        f"edits_{quantity}", f"{named[quantity]} at 90 % target change, edit by edit",
        ("edit", *(label_of(method) for method in facts.methods), "LW − LT, paired"),
        tuple(rows), f"Seeds averaged. {facts.judges}",
    )
