"""Truths that lwedit.metrics.codes must meet: Gaussians, shifts, shrinkage, POT."""

import ot
import pytest
import torch

from lwedit.metrics import gaussian_distance, nearest_ratio, norm_ratio, target_spread


def gaussian(n, seed, layers=2, dim=4):
    return torch.randn(n, layers, dim, generator=torch.Generator().manual_seed(seed))


def test_spread_by_hand():
    targets = torch.tensor([[[0.0]], [[1.0]], [[3.0]]])
    assert target_spread(targets) == pytest.approx((1 + 1 + 2) / 3)


def test_the_second_neighbour_by_hand():
    targets = torch.tensor([[[0.0]], [[1.0]], [[3.0]]])
    assert target_spread(targets, 2) == pytest.approx((3 + 2 + 3) / 3)
    found = nearest_ratio(torch.tensor([[[1.5]]]), targets, 0.5, 2)
    assert found.tolist() == [pytest.approx(1.5 / 0.5)]
    with pytest.raises(ValueError, match="targets must be 4 codes at least, got 3"):
        target_spread(targets, 3)


def test_real_codes_are_at_distance_one_and_collapsed_ones_below():
    targets = gaussian(2000, 0)
    spread = target_spread(targets)
    fresh = gaussian(500, 1)
    assert nearest_ratio(fresh, targets, spread).mean().item() == pytest.approx(1.0, abs=0.05)
    assert nearest_ratio(0.3 * fresh, targets, spread).mean() < 0.7
    assert nearest_ratio(3 * fresh, targets, spread).mean() > 3


def test_norms_are_relative_to_real_ones():
    targets = gaussian(3000, 0)
    assert norm_ratio(gaussian(3000, 1), targets).mean().item() == pytest.approx(1.0, abs=0.02)
    torch.testing.assert_close(norm_ratio(2 * targets, targets).mean(), torch.tensor(2.0))


def test_the_gaussian_distance_is_pots_over_the_variance():
    u, v = gaussian(400, 0) * 1.5 + 0.3, gaussian(500, 1)
    a, b = u.flatten(1).double().numpy(), v.flatten(1).double().numpy()
    expected = ot.gaussian.empirical_bures_wasserstein_distance(a, b, reg=0) ** 2
    variance = v.flatten(1).double().var(dim=0, correction=0).sum().item()
    assert gaussian_distance(u, v) == pytest.approx(float(expected) / variance, rel=0.02)
    assert gaussian_distance(v, v) == pytest.approx(0.0, abs=1e-6)


def test_a_shift_costs_its_square_also_in_very_many_dimensions():
    v = gaussian(60, 0, layers=6, dim=100)
    shift = (v[0] - v.mean(dim=0)) * 0.5  # within the span of the codes
    variance = v.flatten(1).double().var(dim=0, correction=0).sum()
    expected = shift.double().square().sum() / variance
    assert gaussian_distance(v + shift, v) == pytest.approx(expected.item(), rel=1e-3)


@pytest.mark.parametrize(
    ("targets", "message"),
    [(torch.zeros(1, 1, 2), "two codes at least"), (torch.ones(5, 1, 2), "must differ")],
)
def test_targets_without_spread_are_named(targets, message):
    with pytest.raises(ValueError, match=message):
        target_spread(targets)
