"""Truths that benchmark.measure and .bootstrap must meet: grids by hand, intervals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmark.bootstrap import Interval, bootstrap_mean
from benchmark.cells import SHAPES, Cell
from benchmark.shares import counted
from benchmark.strengths import PAPERS, STRICT, Hits, choose_strength, select_alpha
from lwedit.classifier import LatentClassifier
from lwedit.latents import Space

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
    for name in ("per-image", "chosen"):  # the latter has no grid of verdicts
        with pytest.raises(ValueError, match=rf"\('one for all', 'per image'\), got '{name}'"):
            select_alpha(grid("0111"), ALPHAS, name)


@pytest.mark.parametrize(
    ("accepted", "clean", "best"),
    [
        ((1, 6, 3, 2), (9, 6, 9, 9), 1.0),  # most accepted, whatever else
        ((1, 6, 6, 2), (9, 7, 8, 9), 1.5),  # equally many: most that are clean
        ((1, 6, 6, 2), (9, 8, 8, 9), 1.0),  # and of those the smallest
        ((0, 0, 0, 0), (0, 0, 3, 1), 1.5),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.5),
    ],
)
def test_the_strength_of_a_method_is_the_smallest_with_most_accepted_edits(accepted, clean, best):
    hits = {alpha: Hits(*pair) for alpha, pair in
            zip(ALPHAS.tolist(), zip(accepted, clean, strict=True), strict=True)}
    assert choose_strength(hits) == best
    assert choose_strength(dict(reversed(hits.items()))) == best


def test_logits_along_a_line_are_those_of_the_codes_on_it():
    rng = torch.Generator().manual_seed(0)
    model = LatentClassifier(("k", "l"), Space("h", "W+", 2, 3), (7, 5))
    model.centre.normal_(generator=rng)
    model.scale.fill_(2.5)
    w, move = torch.randn(2, 4, 2, 3, generator=rng)
    along = model.along(w, move, ALPHAS)
    for alpha, found in zip(ALPHAS.tolist(), along, strict=True):
        torch.testing.assert_close(found, model(w + alpha * move).detach())


def test_the_readings_of_the_paper_count_flipped_verdicts_and_the_strict_ones_all():
    yes = np.array([True, True, False])
    cell = Cell(dict.fromkeys(SHAPES["digits"], yes))
    for reading in PAPERS:
        assert counted(cell, reading).tolist() == [True, True, False]
    for strategy in STRICT:
        assert counted(cell, strategy).tolist() == [True] * 3
    with pytest.raises(ValueError, match="strategy must be one of .*'per image'.*, got 'judge'"):
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


@pytest.mark.filterwarnings("error")
def test_what_no_sample_counts_has_no_interval_and_no_warning():
    values = np.ones((60, 1))
    counted = np.zeros((60, 1))
    counted[7] = 1.0
    seed = next(s for s in range(50)
                if 7 not in np.random.default_rng(s).integers(60, size=(1, 60)))
    found = bootstrap_mean(values, counted, 1, np.random.default_rng(seed))
    assert found.mean == 1.0
    assert np.isnan([found.low, found.high]).all()


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
