"""Truths for the collapse of codes: scalings and translations whose effect is known."""

import pytest
import torch

from lwedit.metrics.collapse import Collapse, collapse


def cloud(n, seed, dim=40):
    return torch.randn(n, 2, dim // 2, generator=torch.Generator().manual_seed(seed)) + 3


def test_codes_of_the_target_itself_are_neither_shrunk_nor_far():
    found = collapse(cloud(500, 0), cloud(500, 1))
    assert found.spread == pytest.approx(1, abs=0.02)
    assert found.distance == pytest.approx(1, abs=0.02)
    assert found.in_distribution


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3])
def test_spread_is_the_factor_by_which_codes_shrink_about_the_mean(factor):
    targets, others = cloud(500, 1), cloud(500, 0)
    mean = targets.mean(dim=0)
    found = collapse(mean + factor * (others - others.mean(dim=0)), targets)
    assert found.spread == pytest.approx(factor, rel=0.02)
    assert not found.in_distribution


def test_codes_on_the_mean_have_no_spread_and_lie_nearer_than_real_ones():
    targets = cloud(500, 1)
    found = collapse(targets.mean(dim=0).expand(9, -1, -1), targets)
    assert found.spread == pytest.approx(0, abs=1e-5)
    assert found.distance < 0.9  # a nearest distance alone would praise the collapse


def test_codes_far_off_are_far_by_their_distance():
    found = collapse(cloud(300, 0) + 100, cloud(500, 1))
    step = 100 * 40**0.5
    real = torch.cdist(*[cloud(500, 1).flatten(1)] * 2).fill_diagonal_(torch.inf).amin(1).mean()
    assert found.distance == pytest.approx(step / float(real), rel=0.03)


def test_ten_per_cent_either_way_are_in_distribution():
    assert Collapse(0.9, 1.1).in_distribution
    assert not Collapse(0.89, 1.0).in_distribution
    assert not Collapse(1.0, 1.11).in_distribution
    assert Collapse(1.0, 1.11).off_manifold
    assert not Collapse(0.5, 1.1).off_manifold  # tight, and among the data
    with pytest.raises(ValueError, match="targets must be two codes"):
        collapse(cloud(3, 0), cloud(1, 1))
