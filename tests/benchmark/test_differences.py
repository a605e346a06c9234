"""Truths that benchmark.differences must meet: by hand, antisymmetry, pairing."""

import numpy as np
import pytest

from benchmark.differences import differences, to_markdown
from benchmark.measure import Cell


def cell(more, flipped=None, exact=None, kept=None):
    more = np.array(more, bool)
    flipped = np.ones(len(more), bool) if flipped is None else np.array(flipped, bool)
    exact, kept = (more if given is None else np.array(given, bool) for given in (exact, kept))
    one = np.ones(len(more))
    return Cell(one, flipped, more, exact, kept, kept, one)


def gains(a, b, reading="per image"):
    cells = {("lw", "1→2", reading): a, ("lt", "1→2", reading): b}
    (row,) = differences(cells, "lw", 500, np.random.default_rng(0))
    assert (row.method, row.other, row.task, row.reading) == ("lw", "lt", "1→2", reading)
    return row


def gain(a, b):
    return gains(a, b).gain


def test_the_gain_by_hand_over_images_and_seeds():
    a = [cell([1, 1, 0, 1]), cell([1, 0, 0, 1])]
    b = [cell([0, 1, 0, 0]), cell([0, 0, 1, 1])]
    assert gain(a, b).mean == pytest.approx((5 - 3) / 8)


def test_a_change_without_a_flipped_verdict_does_not_count():
    assert gain([cell([1, 1], [1, 0])], [cell([0, 0])]).mean == pytest.approx(0.5)


def test_clean_gains_by_hand():
    """Of four changed images one has a digit too many and one has lost a digit."""
    mine = [cell([1, 1, 1, 1], [1, 1, 1, 0], exact=[1, 0, 1, 1], kept=[1, 1, 0, 1])]
    theirs = [cell([1, 0, 0, 0], [0, 1, 1, 1])]
    for reading, change, clean in (
        ("one for all", 3 / 4, 1 / 4),  # the verdict of their only change did not flip
        ("per image", 3 / 4, 1 / 4),
        ("by the judge", (4 - 1) / 4, (2 - 1) / 4),
    ):
        row = gains(mine, theirs, reading)
        assert row.gain.mean == pytest.approx(change)
        assert row.clean.mean == pytest.approx(clean)
    swapped = gains(theirs, mine, "by the judge")
    assert swapped.clean.mean == pytest.approx(-row.clean.mean)


def test_by_the_judge_a_change_counts_whatever_the_latent_verdict():
    never = [cell([1, 1], [0, 0])]
    assert gains(never, [cell([0, 0])], "per image").gain == (0.0, 0.0, 0.0)
    assert gains(never, [cell([0, 0])], "by the judge").gain == (1.0, 1.0, 1.0)


def test_swapping_the_methods_turns_the_sign():
    a, b = [cell([1, 1, 0, 1, 0])], [cell([0, 1, 1, 0, 0])]
    assert gain(a, b).mean == pytest.approx(-gain(b, a).mean)


def test_pairing_makes_a_constant_gain_certain():
    rng = np.random.default_rng(1)
    same = rng.random(300) < 0.5
    interval = gain([cell(same)], [cell(same)])
    assert interval == (0.0, 0.0, 0.0)


def test_other_tasks_and_readings_are_not_rivals():
    cells = {
        ("lw", "1→2", "per image"): [cell([1])],
        ("lt", "2→3", "per image"): [cell([1])],
        ("lt", "1→2", "one for all"): [cell([1])],
    }
    assert differences(cells, "lw", 10, np.random.default_rng(0)) == []


def test_the_table_names_both_methods():
    mine, theirs = cell([1, 1], exact=[0, 0]), cell([0, 0])
    cells = {("lw", "1→2", "per image"): [mine], ("lt", "1→2", "per image"): [theirs]}
    rows = differences(cells, "lw", 10, np.random.default_rng(0))
    lines = to_markdown(rows, {"lw": "LW", "lt": "LT"})
    assert lines[-1] == (
        "| per image | 1→2 | LW | LT | +1.000 [+1.000, +1.000] | +0.000 [+0.000, +0.000] |"
    )
