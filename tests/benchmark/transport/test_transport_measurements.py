"""Truths for the measurements of transport: known seconds, known counts, known strengths."""

import time

import pytest
import torch

from baselines import METHODS
from benchmark.command import trial_run
from benchmark.digits import of_count
from benchmark.transport.exactness import gradient_error, value_error
from benchmark.transport.in_distribution import SHARES, leaves_at, placements
from benchmark.transport.isolated import measured
from benchmark.transport.sources import gaussian_data
from lwedit.editors import AffineMap
from lwedit.latents import LatentSet, Space
from lwedit.metrics.codes import target_spread
from lwedit.metrics.collapse import collapse

SPACE = Space("h", "Z", 1, 1)


def nap(seconds):
    time.sleep(seconds)
    return 2 * seconds


def fail():
    raise SystemExit(3)


@pytest.mark.slow
def test_a_call_in_its_own_process_gives_its_value_its_seconds_and_its_memory():
    cost = measured(nap, 0.5, threads=1)
    assert cost.value == 1.0
    assert 0.5 <= cost.seconds < 2
    assert 0.05 < cost.gigabytes < 4
    with pytest.raises(RuntimeError, match="fail ended with code"):
        measured(fail, threads=1)


def test_small_clouds_meet_the_bar():
    assert value_error(40) < 0.01


@pytest.mark.slow
def test_gradients_meet_the_bar():
    assert gradient_error() < 0.01


def test_the_optimal_map_carries_one_gaussian_to_the_other():
    data, truth = gaussian_data(20_000, 3)
    source, target = (side[:, 0].double() for side in data.train.pair("k"))
    carried = source @ truth.weight.T + truth.bias
    torch.testing.assert_close(carried.mean(dim=0), target.mean(dim=0), atol=0.05, rtol=0)
    torch.testing.assert_close(carried.T.cov(), target.T.cov(), atol=0.05, rtol=0.05)


def test_counts_are_those_of_the_labels():
    y = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    names = ("at_least_2", "at_least_3", "at_least_4")
    latents = LatentSet(torch.zeros(4, 1, 1), y, names, SPACE)
    assert of_count(latents, 1, 3).tolist() == [True, False, True, False]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return trial_run("toy", tmp_path_factory.mktemp("toy"), (0,), 500)


@pytest.mark.slow
def test_the_latent_classifier_knows_rare_attributes(toy):
    """One code in five has a bar: a classifier that has not learnt long says no to all of them."""
    heldout, classifier, domain = toy.heldout, toy.classifier(0), toy.domain
    says = classifier(heldout.w) > 0
    found = {
        name: float(says[heldout.labels(name) == 1, heldout.column(name)].float().mean())
        for name in domain.attributes
    }
    assert min(found.values()) >= 0.75, found
    assert classifier.accuracy(heldout).min() >= 0.9


def shifted(delta, seed=0, n=600, dim=20):
    """Codes of a Gaussian, and others of it moved by delta along the first axis."""
    rng = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, n, 1, dim, generator=rng)
    y[:, 0, 0] += delta
    move = torch.zeros(1, dim)
    move[0, 0] = delta
    space = Space("h", "Z", 1, dim)
    return x, y, METHODS["centroids"]("k", space, AffineMap(None, move))


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0, 3.0])
def test_an_edit_linear_in_alpha_leaves_the_target_as_the_formula_says(alpha):
    """(alpha - 1) delta too far: spread = sqrt(1 + that^2 / tr T), distance at most with r^2."""
    delta, dim = 2.0, 20
    x, y, editor = shifted(delta, dim=dim)
    found = collapse(editor.edit(x, alpha), y)
    off = (alpha - 1) * delta
    assert found.spread == pytest.approx((1 + off**2 / dim) ** 0.5, rel=0.02)
    bound = (1 + (off / target_spread(y)) ** 2) ** 0.5
    assert found.distance <= bound * 1.02
    assert found.distance >= 1 + (bound - 1) / 2


@pytest.mark.slow
def test_an_edit_leaves_the_data_at_a_multiple_of_d():
    x, y, editor = shifted(1.0, dim=5)
    end = leaves_at(editor, x, y, 0.8)
    assert collapse(editor.edit(x, 0.8 * (end - 0.1)), y).in_distribution
    assert not collapse(editor.edit(x, 0.8 * end), y).in_distribution
    assert leaves_at(editor, x, y, 0.25) is None  # 4 d = 1 is the target itself
    assert leaves_at(editor, x, y, 5.0) == 1.0


@pytest.mark.slow
def test_both_meanings_of_d_stand_side_by_side(toy):
    """By formula half of the discs change by about .4 of the move; nine in ten need all of it."""
    rows = placements(toy, ("disc",))
    assert [row.by for row in rows[:7]] == [""] + ["judge"] * 3 + ["latent"] * 3
    assert [row.times for row in rows[:7]] == [0.0, 1.0, 1.5, 2.0, 1.0, 1.5, 2.0]
    assert all(row.reached and row.alpha == pytest.approx(row.times * d)
               for row in rows for d in {r.alpha for r in rows
                                         if (r.by, r.lam, r.times) == (row.by, row.lam, 1.0)})
    judge, latent = (next(row.alpha for row in rows if row.by == by) for by in SHARES)
    # f < 0 of a standard Gaussian moves by 2 phi(0) / Phi(0): the median at .674, a tenth at 1.645.
    assert judge == pytest.approx(0.674 / 1.596, abs=0.12)
    assert latent == pytest.approx(1.645 / 1.596, abs=0.12)
    assert all(row.found.in_distribution for row in rows if row.by == "judge")
