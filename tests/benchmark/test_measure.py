"""Truths that benchmark.measure and .bootstrap must meet: grids by hand, thresholds, intervals."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmark.bootstrap import Interval, bootstrap_mean
from benchmark.measure import READINGS, Cell, alphas_by_judge, counted, select_alpha

ALPHAS = torch.tensor([0.5, 1.0, 1.5, 2.0])


def grid(*images):
    """Verdicts from one string of 0 and 1 an image, over the strengths."""
    return torch.tensor([[c == "1" for c in verdicts] for verdicts in images]).T


# --- the strength of an edit -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "per_image", "for_all"),
    [
        (("0111", "0011", "1111"), [1.0, 1.5, 0.5], 1.5),  # from 1.5 on all are flipped
        (("0001", "0001"), [2.0, 2.0], 2.0),
        (("1111", "1111"), [0.5, 0.5], 0.5),
        (("0110", "0011", "1000"), [1.0, 1.5, 0.5], 1.5),  # none flips all: most are at 1.5
        (("0101", "0000"), [1.0, 2.0], 1.0),  # one never does, the other does and does not
        (("1010", "0110", "0010"), [0.5, 1.0, 1.5], 1.5),  # all at 1.5 and not beyond
        (("0000", "0000"), [2.0, 2.0], 0.5),  # nobody ever: equally few everywhere
    ],
)
def test_strengths_by_hand(images, per_image, for_all):
    flipped = grid(*images)
    assert select_alpha(flipped, ALPHAS, "per image").tolist() == per_image
    assert select_alpha(flipped, ALPHAS, "one for all").tolist() == [for_all] * len(images)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6))
def test_strengths_are_the_smallest_that_do(verdicts):
    flipped = torch.tensor(verdicts).T
    alphas = ALPHAS.tolist()
    for image, alpha in zip(verdicts, select_alpha(flipped, ALPHAS, "per image"), strict=True):
        assert alpha == next((a for a, yes in zip(alphas, image, strict=True) if yes), 2.0)
    count = [sum(at) for at in zip(*verdicts, strict=True)]
    best = next(a for a, yes in zip(alphas, count, strict=True) if yes == max(count))
    assert (select_alpha(flipped, ALPHAS, "one for all") == best).all()


def test_an_unknown_reading_is_named():
    assert READINGS == ("one for all", "per image", "by the judge")
    for name in ("per-image", "by the judge"):  # the latter has no grid of verdicts
        with pytest.raises(ValueError, match=rf"\('one for all', 'per image'\), got '{name}'"):
            select_alpha(grid("0111"), ALPHAS, name)


# --- the strength by the judge ---------------------------------------------------------------


class Judged:
    """Editor, generator and judge in one: image i has a digit more where `sees(i, alpha)`.

    A code is (i, alpha so far), an image is a code; every image drawn is kept in `drawn`.
    """

    def __init__(self, sees):
        self.sees, self.drawn = sees, []

    def edit(self, w, alpha):
        return torch.stack([w[:, 0, 0], w[:, 0, 1] + alpha], dim=1)[:, None]

    def generate(self, w, batch):
        return w[:, 0]

    def score(self, x):
        drawn = [(int(i), alpha) for i, alpha in x.tolist()]
        self.drawn += drawn
        return SimpleNamespace(count=torch.tensor([1 + self.sees(*image) for image in drawn]))

    def find(self, n, alpha_max=8.0, step=1.0, fine=0.125):
        codes = SimpleNamespace(w=torch.stack([torch.arange(n), torch.zeros(n)], dim=1)[:, None])
        task = SimpleNamespace(count=1)
        return alphas_by_judge(self, self, task, codes, alpha_max, step, fine).tolist()


@given(
    st.lists(st.floats(0.0625, 9.0, width=32), min_size=1, max_size=8),
    st.sampled_from([1.0, 0.7, 2.0, 5.0]),
    st.sampled_from([1.0, 0.5, 0.3, 0.125]),
    st.sampled_from([8.0, 5.5]),
)
def test_for_monotone_judges_the_strength_is_at_most_fine_above_the_threshold(
    thresholds, step, ratio, largest
):
    fine, judged = step * ratio, Judged(lambda i, alpha: alpha >= thresholds[i])
    found = judged.find(len(thresholds), largest, step, fine)
    for true, alpha in zip(thresholds, found, strict=True):
        if true > largest:
            assert alpha == largest
        else:
            assert 0 <= alpha - true <= 1.002 * fine


def test_few_images_are_drawn_and_never_again_after_their_threshold_is_known():
    thresholds = [0.3, 2.5, 99.0]
    judged = Judged(lambda i, alpha: alpha >= thresholds[i])
    assert judged.find(3) == [0.375, 2.5, 8.0]
    drawn = [[alpha for i, alpha in judged.drawn if i == k] for k in range(3)]
    assert drawn == [
        [1.0, 0.5, 0.25, 0.375],
        [1.0, 2.0, 3.0, 2.5, 2.25, 2.375],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
    ]


@given(st.sets(st.integers(1, 64)))
def test_a_judge_that_changes_its_mind_did_see_it_at_the_strength_chosen(eighths):
    """Any verdicts at the multiples of 1/8: a strength that counts is one of those seen."""
    judged = Judged(lambda i, alpha: round(8 * alpha) in eighths)
    (alpha,) = judged.find(1)
    if any(8 * k in eighths for k in range(1, 9)):
        assert 8 * alpha in eighths
        assert 8 * alpha - 1 not in eighths  # a threshold, though maybe not the first
    else:
        assert alpha == 8.0


def test_no_images_have_no_strengths():
    assert Judged(lambda i, alpha: True).find(0) == []


def test_the_latent_readings_count_flipped_verdicts_and_the_judges_counts_all():
    yes = np.array([True, True, False])
    cell = Cell(np.ones(3), yes, ~yes, yes, yes, yes, np.ones(3))
    for reading in ("one for all", "per image"):
        assert counted(cell, reading).tolist() == [True, True, False]
    assert counted(cell, "by the judge").tolist() == [True] * 3
    with pytest.raises(ValueError, match="reading must be one of .*'by the judge'.*, got 'judge'"):
        counted(cell, "judge")


# --- intervals -------------------------------------------------------------------------------


def bootstrap(values, counted=None, resamples=4000, seed=0):
    values = np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    counted = np.ones_like(values) if counted is None else np.asarray(counted, float)
    counted = counted[:, None] if counted.ndim == 1 else counted
    return bootstrap_mean(values, counted, resamples, np.random.default_rng(seed))


@pytest.mark.parametrize(("hits", "n"), [(30, 100), (950, 1000), (1, 40)])
def test_the_interval_of_a_share_is_binomial(hits, n):
    """A resampled count of successes is binomial with n draws of chance hits / n."""
    found = bootstrap(np.arange(n) < hits)
    assert found.mean == hits / n
    low, high = binom.ppf([0.025, 0.975], n, hits / n) / n
    assert found.low == pytest.approx(low, abs=1.5 / n)
    assert found.high == pytest.approx(high, abs=1.5 / n)


def test_the_interval_of_a_mean_is_normal():
    values = np.random.default_rng(1).normal(3, 2, 2000)
    found = bootstrap(values)
    error = 1.96 * values.std() / np.sqrt(2000)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_what_is_not_counted_does_not_matter():
    values, counted = [1, 0, 1, np.nan, 9], [1, 1, 1, 0, 0]
    found = bootstrap(values, counted)
    assert found.mean == pytest.approx(2 / 3)
    assert (found.low, found.high) == (0, 1)


def test_a_ratio_weighs_images_by_what_they_count():
    """Two seeds: the first image counts twice, the second once, the third never."""
    values, counted = [[1, 1], [0, 1], [1, 1]], [[1, 1], [1, 0], [0, 0]]
    assert bootstrap(values, counted).mean == pytest.approx(2 / 3)


def test_seeds_that_agree_do_not_narrow_the_interval():
    one = np.random.default_rng(2).random(200)
    assert bootstrap(np.stack([one] * 3, axis=1)) == pytest.approx(bootstrap(one))


def test_nothing_counted_is_no_number():
    assert all(np.isnan(bootstrap([1, 0], [0, 0])))


def test_the_same_state_gives_the_same_interval():
    values = np.random.default_rng(3).random(50)
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values)[1:] != bootstrap(values, seed=1)[1:]
    assert isinstance(bootstrap(values), Interval)
