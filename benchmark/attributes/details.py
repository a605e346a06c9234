"""The tables behind the comparison: strengths, realism, gaps, re-scoring, judges, costs."""

import numpy as np

from benchmark.attributes.facts import Facts, mean_of
from benchmark.attributes.sheet import NOT_REACHED, Sheet, number
from benchmark.attributes.style import label_of

__all__ = ["costs", "gap", "judges", "realism", "rescoring", "strengths"]


def gap(facts: Facts) -> Sheet:
    """Latent change beside image change."""
    rows = []
    for name in facts.attributes:
        cells = [name, number(facts.scoring.get(name)) if name in facts.scoring else "",
                 number(facts.classifier.get(name))]
        for method in facts.methods:
            here = facts.of(method, attribute=name)
            image, gap = mean_of(here, "range_change"), mean_of(here, "range_gap")
            cells.append(f"{image + gap:.2f} / {image:.2f}" if here else "")
        rows.append(tuple(cells))
    return Sheet(
        "gap", "What the latent classifier sees, and what is in the image",
        ("attribute", "scoring judge's accuracy", "latent classifier's accuracy",
         *(label_of(method) for method in facts.methods)),
        tuple(rows),
        "Share of codes whose target attribute changed by the latent classifier / of images by the "
        "scoring judge, means over α in [d, 2d] and both directions. The latent classifier's "
        "accuracy is its agreement with the scoring judge on held-out codes.",
    )


def realism(facts: Facts) -> Sheet:
    """Edited codes among real ones, and how the edit behaves as a control."""
    rows = []
    for method in facts.methods:
        here = facts.of(method)
        rows.append((
            label_of(method),
            *(number(mean_of(here, f"{name}_90"), 2) for name in ("nearest", "gaussian", "norm")),
            *(number(mean_of(here, name), 2) for name in ("monotone", "linearity", "round_trip")),
        ))
    return Sheet(
        "realism", "Are the edited codes real, and does the edit behave?",
        ("method", "distance to a real target code", "Gaussian distance", "norm", "monotone",
         "linearity", "round trip error"),
        tuple(rows),
        "The first three at 90 % target change against held-out real codes of the target class: 1, "
        "0 and 1 are what real codes have (of two halves of them the Gaussian distance is above 0, "
        "facts.json). Monotone: share of images whose target score never falls over [d, 2d]; "
        "linearity: R² of its logit with α; round trip: error of undoing the edit at 2d, over its "
        "length.",
    )


def rescoring(facts: Facts) -> Sheet:
    """The largest entries off the diagonal of the K x K matrices."""
    rows = []
    for method in facts.methods:
        entries = [
            (abs(moved), row["attribute"], row["direction"], name, moved)
            for row in facts.of(method)
            for name in facts.names
            if name != row["attribute"] and (moved := row[f"moved_{name}_90"]) == moved
        ]
        if not entries:
            rows.append((label_of(method), NOT_REACHED, NOT_REACHED, ""))
            continue
        _, attribute, direction, name, moved = max(entries)
        rows.append((
            label_of(method), number(float(np.mean([entry[0] for entry in entries]))),
            f"{moved:+.3f}", f"{name} when {attribute} is {_past(direction)}",
        ))
    return Sheet(
        "rescoring", "What else moves: the K×K matrix of changes in probability",
        ("method", "mean size off the diagonal", "worst entry", "which"),
        tuple(rows),
        "Mean change of every other attribute's probability by the scoring judge at 90 % target "
        f"change, edits that reach it; the whole matrices are in summary.csv. {facts.judges}",
    )


def _past(direction: str) -> str:
    return {"add": "added", "remove": "removed"}[direction]


def strengths(facts: Facts) -> Sheet:
    """d of each method on each edit."""
    rows = []
    for edit in facts.edits:
        cells = [f"{edit.attribute}, {edit.direction}"]
        for method in facts.methods:
            here = facts.of(method, attribute=edit.attribute, direction=edit.direction)
            d = mean_of(here, "d")
            most = mean_of(here, "most_change")
            mark = "" if all(row["reached"] for row in here) else " (not reached)"
            cells.append(f"{d:.2f}{mark}, most {most:.2f}" if here else "")
        rows.append(tuple(cells))
    return Sheet(
        "strengths", "d, and the most target change at any strength",
        ("edit", *(label_of(method) for method in facts.methods)), tuple(rows),
        "d is the strength at which half of the calibration codes change, mean over seeds.",
    )


def judges(facts: Facts) -> Sheet:
    """Accuracy of the scoring judge and of the latent classifiers."""
    rows = tuple(
        (name, *(number(held[name]) if name in held else "" for held in
                 (facts.scoring, facts.auc, facts.classifier)))
        for name in facts.names
    )
    return Sheet(
        "judges", "The judges themselves",
        ("attribute", "scoring judge, accuracy", "scoring judge, AUC", "latent classifier"), rows,
        "The scoring judge on labelled images that it never saw, the latent classifier (worst "
        f"seed) against the scoring judge on held-out codes. {facts.judges}",
    )


def costs(facts: Facts) -> Sheet:
    """Time and size of the editors."""
    rows = tuple(
        (label_of(method), number(cost.get("seconds"), 1), f"{cost.get('parameters', 0):,.0f}",
         number(cost.get("ms_an_edit"), 4))
        for method in facts.methods
        if (cost := facts.costs.get(method))
    )
    return Sheet(
        "costs", "What it costs",
        ("method", "seconds a fit", "numbers in the editor", "ms an edit"), rows,
        "Means over edits and seeds, one thread a task.",
    )
