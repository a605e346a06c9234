"""Truths of the paired bootstrap at equal change: by hand, pairing, coverage, not reached."""

import numpy as np
import pytest

from benchmark.collect import Measured
from benchmark.compare import (
    Edit,
    Sampled,
    difference,
    interval,
    mean_over,
    resample,
)
from benchmark.runs import Key

EDIT = Edit("smile", "add")


class _Cell:
    """What `resample` reads of a cell."""

    def __init__(self, identity):
        self.identity, self.index = identity, np.arange(identity.shape[1])


def measured(method, change, kept, seed=0):
    change, kept = np.array(change, float), np.array(kept, float)
    key = Key(method, *EDIT, seed)
    return key, Measured(key, _Cell(np.full(kept.shape, 0.8)), change, kept, kept.mean(1), ())


def random_cell(method, rng, n=400, level=0.8):
    strength = np.linspace(0.2, 1.2, 6)[:, None]
    change = (rng.random(n) < strength).astype(float)
    return measured(method, change, np.clip(level + 0.1 * rng.standard_normal((6, n)), 0, 1))


def test_the_point_is_read_between_strengths_by_hand():
    cells = dict([measured("lw", [[1, 0], [1, 1]], [[0.9, 0.7], [0.6, 0.4]])])
    found = resample(cells, 5)
    assert found["lw", EDIT, "50", "preservation"].point == pytest.approx(0.8)
    assert found["lw", EDIT, "90", "preservation"].point == pytest.approx(0.8 - 0.3 * 0.8)
    assert found["lw", EDIT, "70", "identity"].point == pytest.approx(0.8)


def test_the_same_cell_under_two_names_differs_by_nothing():
    rng = np.random.default_rng(0)
    key, one = random_cell("lw", rng)
    cells = {key: one, key._replace(method="lt"): one}
    found = resample(cells, 50)
    gain = difference(*(found[name, EDIT, "90", "preservation"] for name in ("lw", "lt")))
    assert interval(gain) == (0.0, 0.0, 0.0)


def test_a_constant_gain_is_certain_however_images_vary():
    rng = np.random.default_rng(1)
    key, one = random_cell("lw", rng, level=0.7)
    other = one._replace(kept=one.kept - 0.05)
    found = resample({key: one, key._replace(method="lt"): other}, 50)
    gain = difference(*(found[name, EDIT, "70", "preservation"] for name in ("lw", "lt")))
    assert interval(gain).low == pytest.approx(0.05)
    assert interval(gain).high == pytest.approx(0.05)


def test_seeds_are_averaged():
    one, two = ([[height, height]] for height in (0.9, 0.5))
    cells = dict([measured("lw", [[1, 1]], one, 0), measured("lw", [[1, 1]], two, 1)])
    assert resample(cells, 5)["lw", EDIT, "90", "preservation"].point == pytest.approx(
        1 - 0.9 * 0.3
    )


def test_a_seed_that_falls_short_means_not_reached():
    cells = dict([measured("lw", [[1, 1]], [[1, 1]], 0), measured("lw", [[1, 0]], [[1, 1]], 1)])
    found = resample(cells, 5)
    assert np.isnan(found["lw", EDIT, "90", "preservation"].point)
    assert np.isnan(found["lw", EDIT, "area", "preservation"].point)
    assert mean_over([found["lw", EDIT, "90", "preservation"]]) is None


@pytest.mark.slow
def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        change = np.ones((1, 80))
        kept = rng.random((1, 80))  # mean 1/2; read at 90 %: 1 - .9 / 2
        found = resample(dict([measured("lw", change, kept)]), 200, seed)
        low, high = interval(found["lw", EDIT, "90", "preservation"])[1:]
        hits += low <= 0.55 <= high
    assert 0.88 <= hits / 120 <= 0.99


def test_the_mean_over_edits_leaves_out_what_was_not_reached():
    a, b = Sampled(0.8, np.array([0.7, 0.9])), Sampled(0.6, np.array([0.5, np.nan]))
    lost = Sampled(float("nan"), np.array([np.nan, np.nan]))
    mean = mean_over([a, b, lost])
    assert mean.point == pytest.approx(0.7)
    np.testing.assert_allclose(mean.samples, [0.6, 0.9])
