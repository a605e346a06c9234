"""Truths that benchmark.shares must meet: by hand, antisymmetry, pairing."""

import numpy as np
import pytest

from benchmark.cells import Cell
from benchmark.shares import differences
from benchmark.strengths import CHOSEN
from benchmark.tables.digits import gains_sheet


def cell(changed, flipped=None, exact=None, kept=None, accepted=None):
    """Whatever is not given: every verdict flipped, all else as `changed`."""
    changed = np.array(changed, bool)
    given = {"flipped": np.ones(len(changed)) if flipped is None else flipped, "exact": exact,
             "kept": kept, "accepted": accepted}
    held = {name: changed if value is None else np.array(value, bool)
            for name, value in given.items()}
    one = np.ones(len(changed))
    return Cell({"alpha": one, "changed": changed, "kept_photo": held["kept"], "fooled": changed,
                 "digit": one, "distance": one, **held})


def gains(a, b, strategy="per image"):
    cells = {("lw", "1→2", strategy): a, ("lt", "1→2", strategy): b}
    (row,) = differences(cells, "lw", 500)
    assert (row.method, row.other, row.task, row.strategy) == ("lw", "lt", "1→2", strategy)
    return row


def gain(a, b):
    return gains(a, b).gain


def test_the_gain_by_hand_over_images_and_seeds():
    a = [cell([1, 1, 0, 1]), cell([1, 0, 0, 1])]
    b = [cell([0, 1, 0, 0]), cell([0, 0, 1, 1])]
    assert gain(a, b).mean == pytest.approx((5 - 3) / 8)


def test_methods_of_different_numbers_of_seeds_compare_by_their_means():
    a, b = [cell([1, 1, 0, 1]), cell([1, 0, 0, 1])], [cell([0, 1, 0, 0])]
    assert gain(a, b).mean == pytest.approx((5 / 2 - 1) / 4)


def test_a_change_without_a_flipped_verdict_does_not_count():
    assert gain([cell([1, 1], [1, 0])], [cell([0, 0])]).mean == pytest.approx(0.5)


def test_clean_gains_by_hand():
    """Of four changed images one has a digit too many and one has lost a digit."""
    mine = [cell([1, 1, 1, 1], [1, 1, 1, 0], exact=[1, 0, 1, 1], kept=[1, 1, 0, 1])]
    theirs = [cell([1, 0, 0, 0], [0, 1, 1, 1])]
    for strategy, change, clean in (
        ("one for all", 3 / 4, 1 / 4),  # the verdict of their only change did not flip
        ("per image", 3 / 4, 1 / 4),
        (CHOSEN, (4 - 1) / 4, (2 - 1) / 4),  # where nothing is said, a change is accepted
    ):
        row = gains(mine, theirs, strategy)
        assert row.gain.mean == pytest.approx(change)
        assert row.clean.mean == pytest.approx(clean)
    swapped = gains(theirs, mine, CHOSEN)
    assert swapped.clean.mean == pytest.approx(-row.clean.mean)


def test_at_a_strength_chosen_for_all_what_was_accepted_counts_whatever_the_latent_verdict():
    never = [cell([1, 1], [0, 0], accepted=[1, 0])]
    assert gains(never, [cell([0, 0])], "per image").gain == (0.0, 0.0, 0.0)
    assert gains(never, [cell([0, 0])], CHOSEN).gain.mean == 0.5


def test_swapping_the_methods_turns_the_sign():
    a, b = [cell([1, 1, 0, 1, 0])], [cell([0, 1, 1, 0, 0])]
    assert gain(a, b).mean == pytest.approx(-gain(b, a).mean)


def test_pairing_makes_a_constant_gain_certain():
    rng = np.random.default_rng(1)
    same = rng.random(300) < 0.5
    interval = gain([cell(same)], [cell(same)])
    assert interval == (0.0, 0.0, 0.0)


def test_another_method_moves_no_interval():
    rng = np.random.default_rng(2)
    held = {name: [cell(rng.random(40) < 0.5)] for name in ("lw", "lt", "none")}
    cells = {(name, "1→2", CHOSEN): seeds for name, seeds in held.items()}
    both = differences(cells, "lw", 200)
    del cells["lt", "1→2", CHOSEN]
    assert differences(cells, "lw", 200) == [row for row in both if row.other == "none"]


def test_other_tasks_and_strategies_are_not_rivals():
    cells = {
        ("lw", "1→2", "per image"): [cell([1])],
        ("lt", "2→3", "per image"): [cell([1])],
        ("lt", "1→2", "one for all"): [cell([1])],
    }
    assert differences(cells, "lw", 10) == []


def test_the_table_names_both_methods():
    mine, theirs = cell([1, 1], exact=[0, 0]), cell([0, 0])
    cells = {("lw", "1→2", "per image"): [mine], ("lt", "1→2", "per image"): [theirs]}
    (row,) = gains_sheet(differences(cells, "lw", 10)).rows
    assert row == ("per image", "1→2", "LW, affine (ours)", "LT", "+1.000 [+1.000, +1.000]",
                   "+0.000 [+0.000, +0.000]")
