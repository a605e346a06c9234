"""Truths for the page of transport: verdicts by hand, and what a missing measurement looks like."""

import pytest

from benchmark.transport.page import bars_of, to_markdown
from benchmark.transport_bars import _merged

MACHINE = {"torch": "2", "threads": 2, "cpu": "c", "cores": 2, "load_before": 1.0,
           "load_after": 1.0}
SETTINGS = {"threads": 2, "blur": 0.3, "budget": 20.0, "runs": [[512, True]]}


def fit(loss, seconds, reached, stopped):
    return {"loss": loss, "seconds": seconds, "reached": reached, "steps": 3, "stopped": stopped,
            "sides": [5, 6]}


def report(adam):
    return {
        "exactness": {"value": 0.004, "gradient": 0.02, "map": 0.03, "bits": True},
        "solvers": [{"task": "1→2", "dim": 7, "alternate": fit(2.0, 10.0, 10.0, True),
                   "alternate_gigabytes": 3.0, "adam": [adam], "adam_gigabytes": [2.0]}],
        "growth": [], "machines": {"solvers": MACHINE}, "settings": SETTINGS,
        "in_distribution": [
            {"domain": "toy", "edit": edit, "lam": 0.0, "by": by, "times": times, "alpha": alpha,
             "reached": True, "flipped": 0.9, "leaves": leaves, "spread": spread,
             "distance": distance}
            for edit, by, times, alpha, leaves, spread, distance in (
                ("disc", "", 0.0, 0.0, None, 0.5, 1.3),
                ("disc", "judge", 1.0, 0.4, None, 0.95, 1.0),
                ("bar", "", 0.0, 0.0, None, 1.2, 1.3),
                ("bar", "judge", 2.0, 0.8, 2.5, 0.97, 1.05),
                ("bar", "latent", 2.0, 2.0, 1.7, 0.99, 1.3),
            )
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
    assert verdict(rows, "spread of edited codes in [d, 2d], d: half") == (True, "0.95")  # not .5
    tight = verdict(rows, "lie tighter, d: half")  # .97 of "bar", whose codes lay wide before
    assert tight == (True, "0.97")
    assert verdict(rows, "target codes in [d, 2d], d: half") == (True, "1.05")
    assert verdict(rows, "target codes in [d, 2d], d: .9") == (False, "1.3")


@pytest.mark.parametrize(
    ("adam", "met", "shown"),
    [
        (fit(2.0, 250.0, 250.0, False), True, "25"),
        (fit(2.0, 150.0, 150.0, False), False, "15"),
        (fit(2.5, 50.0, None, True), False, "not shown: adam stopped above it after 5 times"),
        (fit(2.5, 120.0, None, False), False, "> 12, time was up"),
    ],
)
def test_the_ratio_counts_seconds_to_the_same_loss(adam, met, shown):
    assert verdict(bars_of(report(adam)), "how much faster") == (met, shown)


def test_every_run_of_adam_has_a_ratio_of_its_own():
    made = report(fit(2.5, 50.0, None, True))
    made["solvers"][0] |= {"adam": [fit(2.5, 250.0, None, False), fit(1.9, 60.0, 60.0, True)],
                         "adam_gigabytes": [2.0, 2.0]}
    made["settings"] = SETTINGS | {"runs": [[None, True], [512, False]]}
    rows = bars_of(made)
    assert verdict(rows, "all codes a step, early") == (True, "> 25, time was up")
    assert verdict(rows, "512 codes a step, no early") == (False, "6")
    assert verdict(rows, "held-out divergence of")[0] is True  # of the first run
    assert "| 1→2 | adam, 512 codes a step, no early stopping |" in to_markdown(made)


def test_held_out_loss_is_compared_with_the_first_run_of_adam():
    assert verdict(bars_of(report(fit(1.9, 9.0, 9.0, True))), "held-out divergence of")[0] is False
    assert verdict(bars_of(report(fit(2.0, 9.0, 9.0, True))), "held-out divergence of")[0] is True


def test_an_edit_of_other_settings_has_bars_of_its_own():
    made = report(fit(2.5, 50.0, None, True))
    other = [row | {"method": "lw_layer0", "distance": row["distance"] + 0.02}
             for row in made["in_distribution"]]
    rows = bars_of(made | {"in_distribution": made["in_distribution"] + other})
    assert verdict(rows, "toy, largest distance to real target codes in [d, 2d], d: half") == (
        True, "1.05")
    assert verdict(rows, "toy, LW, layer 0 only, largest distance to real target codes in [d, 2d], "
                         "d: half") == (True, "1.07")


def test_a_domain_says_which_edit_leaves_the_data_first_and_when():
    text = to_markdown(report(fit(2.5, 50.0, None, True)))
    assert "| toy | d: half change by the judge | 2.5 | bar, λ 0 | 2 of 2 |" in text
    assert "| toy | d: .9 change by the classifier | 1.7 | bar, λ 0 | 0 of 1 |" in text


def test_a_piece_measured_again_takes_the_place_of_the_old_one():
    held = [{"domain": "digits", "edit": "1→2"}, {"domain": "toy", "edit": "disc"}]
    new = [{"domain": "faces", "edit": "smiling"}, {"domain": "faces", "edit": "masculine"}]
    assert _merged(held, new) == [held[0], *new, held[1]]
    assert _merged([{"dim": 9, "n": 5, "seconds": 1}, {"dim": 1, "n": 5, "seconds": 1}],
                   [{"dim": 9, "n": 5, "seconds": 2}]) == [
        {"dim": 1, "n": 5, "seconds": 1}, {"dim": 9, "n": 5, "seconds": 2}]
    assert _merged({}, {"value": 1}) == {"value": 1}


def test_a_report_with_parts_missing_is_still_a_page():
    empty = {"exactness": {}, "solvers": [], "growth": [], "in_distribution": []}
    text = to_markdown(empty | {"machines": {}, "settings": SETTINGS})
    assert text.startswith("# Transport")
    assert "| 1→2 | alternate | 5 × 6 | 2 |" in to_markdown(report(fit(2.5, 50.0, None, True)))


def test_every_part_names_the_machine_it_was_measured_on():
    seen = report(fit(2.5, 50.0, None, True))
    seen["machines"]["in_distribution"] = MACHINE | {"cpu": "another", "load_before": 2.0}
    text = to_markdown(seen)
    assert "| solvers | 2 | c | 2 | 2 | 1.0 | 1.0 |" in text
    assert "| in_distribution | 2 | another | 2 | 2 | 2.0 | 1.0 |" in text
