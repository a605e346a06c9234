"""The tables behind the comparison: gaps, realism, re-scoring, strengths, judges, costs."""

import numpy as np

from benchmark.measure import all_metrics
from benchmark.methods import label_of
from benchmark.tables.facts import Facts, mean_of
from benchmark.tables.sheet import NO_OTHERS, NOT_REACHED, Sheet, number
from lwedit.metrics import Metric

__all__ = ["behaviour", "costs", "gap", "judges", "metrics", "realism", "rescoring", "strengths"]


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
        f"accuracy is its agreement with the scoring judge on held-out codes. {facts.judges}",
    )


def realism(facts: Facts) -> Sheet:
    """Edited codes and images among real ones."""
    columns = [("nearest", "nearest real target code", 2), ("knn", "fifth nearest", 2),
               ("gaussian", "Gaussian distance", 2), ("norm", "norm", 2)]
    pairs = [(kind, network) for network in facts.networks for kind in ("fid", "kid")]
    columns += [(f"{kind}_{name}", f"{kind.upper()} ({name})", 3) for kind, name in pairs]
    if facts.networks:
        columns += [("ssim", "SSIM", 3),
                    ("perceptual", f"perceptual distance ({facts.networks[0]})", 3)]
    rows = [
        (label_of(method),
         *(number(mean_of(facts.of(method), f"{name}_90"), digits) for name, _, digits in columns))
        for method in facts.methods
    ]
    halves = ", ".join(
        f"{kind.upper()} ({name}) {mean_of(facts.rows, f'{kind}_{name}_real_90'):.3f}"
        for kind, name in pairs
    )
    return Sheet(
        "realism", "Are edited codes and images real?",
        ("method", *(title for _, title, _ in columns)), tuple(rows),
        "At 90 % target change, means over the edits that reach it. Codes against held-out real "
        "codes of the target class: 1, 1, 0 and 1 are what real codes have (of two halves of them "
        "the Gaussian distance is above 0, facts.json). "
        + (f"Images against {facts.samples['real']} of the target class, in the features of the "
           f"scoring judge and of another network: of two halves of those, {halves}; FID grows "
           "the fewer images there are, so compare methods and nothing published. SSIM and "
           "perceptual distance are those to the unedited image: 1 and 0 are no edit at all. "
           if facts.networks else "") + facts.judges,
    )


def behaviour(facts: Facts) -> Sheet:
    """How the edit behaves as a control."""
    names = ("monotone", "linearity", "round_trip", "commutator")
    rows = [
        (label_of(method), *(
            number(value, 2) if (value := mean_of(facts.of(method), name)) == value else ""
            for name in names if any(name in row for row in facts.rows)))
        for method in facts.methods
    ]
    titles = {"monotone": "monotone", "linearity": "linearity", "round_trip": "round trip error",
              "commutator": "order of two edits"}
    shown = [titles[name] for name in names if any(name in row for row in facts.rows)]
    return Sheet(
        "behaviour", "Does the edit behave as a control?", ("method", *shown), tuple(rows),
        "Monotone: share of images whose target score never falls over [d, 2d]; linearity: R² of "
        "its logit with α; round trip: error of undoing the edit at 2d, over its length; order of "
        "two edits: how far this edit and that of the next attribute, both at 2d, differ when done "
        "in the other order, over the length of both. 1, 1, 0 and 0 are best, and are also what "
        f"doing nothing has. {facts.judges}",
    )


def metrics(facts: Facts) -> Sheet:
    """Range, direction and sample size of everything that is measured."""
    rows = tuple(
        (metric.title, _range(metric), _best(metric), facts.samples[metric.name])
        for metric in all_metrics() if metric.name in facts.samples
    )
    return Sheet(
        "metrics", "What each metric can be, what is best, and on how many it was measured",
        ("metric", "range", "best", "sample of a cell"), rows,
        "A cell is one method, attribute, direction and seed. Best for the other attributes and "
        f"for the image; the target's own entries are best at the other end. {facts.judges}",
    )


def _range(metric: Metric) -> str:
    low, high = (f"{end:g}".replace("inf", "∞").replace("-", "−")
                 for end in (metric.low, metric.high))
    return f"{low} to {high}"


def _best(metric: Metric) -> str:
    end = {metric.low: "lower is better", metric.high: "higher is better"}
    return f"{metric.best:g}" + (f", {end[metric.best]}" if metric.best in end else "")


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
            none = NO_OTHERS if facts.alone else NOT_REACHED
            rows.append((label_of(method), none, none, ""))
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
        "d is the strength at which half of the calibration codes change by the scoring judge, "
        f"mean over seeds. {facts.judges}",
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
        f"Means over edits and seeds, one thread a task. {facts.judges}",
    )
