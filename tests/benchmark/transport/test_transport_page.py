"""Truths for the page of transport: verdicts by hand, and what a missing measurement looks like."""

import pytest

from benchmark.transport.page import bars_of, to_markdown

MACHINE = {"torch": "2", "cpu": "c", "cores": 2, "load_before": 1.0, "load_after": 1.0}
SETTINGS = {"threads": 2, "blur": 0.3, "budget": 20.0, "batches": [512]}


def fit(loss, seconds, reached, stopped):
    return {"loss": loss, "seconds": seconds, "reached": reached, "steps": 3, "stopped": stopped,
            "sides": [5, 6]}


def report(adam):
    return {
        "exactness": {"value": 0.004, "gradient": 0.02, "map": 0.03, "bits": True},
        "duels": [{"task": "1→2", "dim": 7, "alternate": fit(2.0, 10.0, 10.0, True),
                   "alternate_gigabytes": 3.0, "adam": [adam], "adam_gigabytes": [2.0]}],
        "growth": [], "machine": MACHINE, "settings": SETTINGS,
        "soundness": [
            {"domain": "toy", "edit": "disc", "lam": 0.0, "alpha": alpha, "flipped": 0.9,
             "spread": spread, "distance": 1.0}
            for alpha, spread in ((0.0, 0.5), (1.0, 0.95))
        ],
    }


def verdict(rows, words):
    (row,) = [row for row in rows if words in row["what"]]
    return row["met"], row["measured"]


def test_bars_are_met_within_their_limits_only():
    rows = bars_of(report(fit(2.5, 50.0, None, True)))
    assert verdict(rows, "POT") == (True, "0.004")
    assert verdict(rows, "finite differences") == (False, "0.02")
    assert verdict(rows, "seconds of alternate") == (True, "10")
    assert verdict(rows, "smallest spread") == (True, "0.95")  # alpha = 0 is no edit


@pytest.mark.parametrize(
    ("adam", "met", "shown"),
    [
        (fit(2.0, 250.0, 250.0, False), True, "25"),
        (fit(2.0, 150.0, 150.0, False), False, "15"),
        (fit(2.5, 50.0, None, True), True, "never: stopped above it after 5 times"),
        (fit(2.5, 120.0, None, False), False, "> 12, time was up"),
    ],
)
def test_the_ratio_counts_seconds_to_the_same_loss(adam, met, shown):
    assert verdict(bars_of(report(adam)), "how much faster") == (met, shown)


def test_held_out_loss_is_compared_with_the_best_of_adam():
    assert verdict(bars_of(report(fit(1.9, 9.0, 9.0, True))), "held-out divergence of")[0] is False
    assert verdict(bars_of(report(fit(2.0, 9.0, 9.0, True))), "held-out divergence of")[0] is True


def test_a_report_with_parts_missing_is_still_a_page():
    empty = {"exactness": {}, "duels": [], "growth": [], "soundness": []}
    text = to_markdown(empty | {"machine": MACHINE, "settings": SETTINGS})
    assert text.startswith("# Transport")
    assert "| 1→2 | alternate | 5 × 6 | 2 |" in to_markdown(report(fit(2.5, 50.0, None, True)))
