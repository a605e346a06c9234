"""Truths of what measures a latent space: codes whose separability and importance are known."""

import pytest
import torch

from lwedit.metrics import dci, distance_gap, linear_separability, two_afc


def codes(n=600, dim=4, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def test_a_plane_is_separated_and_a_ring_and_a_coin_are_not():
    x = codes()
    plane, ring = x @ torch.tensor([1.0, -2, 0, 0.5]) > 0.1, x[:, :2].norm(dim=1) > 1.18
    coin = codes(seed=1)[:, 0] > 0
    found = linear_separability(x, torch.stack([plane, ring, coin], dim=1).long())
    assert found.each[0] > 0.96
    assert (found.each[1:] < 0.65).all()
    assert found.least == pytest.approx(float(found.each.min()))
    assert found.most == pytest.approx(float(found.each[0]))
    assert found.mean == pytest.approx(float(found.each.mean()))


def test_the_svm_does_not_see_what_it_is_scored_on():
    """Labels that are those of a plane for the first 80 %, and the opposite afterwards."""
    x = codes()
    y = (x[:, 0] > 0).long()
    y[480:] = 1 - y[480:]
    assert linear_separability(x, y[:, None]).mean < 0.1


def test_an_entry_an_attribute_is_all_there_is_to_want():
    x = codes(4000)
    found = dci(x, (x[:, :3] > 0).long())
    assert found.disentanglement == pytest.approx(1, abs=0.02)
    assert found.completeness == pytest.approx(1, abs=0.02)


def test_one_entry_for_two_attributes_is_complete_and_not_disentangled():
    x = codes()
    y = (x[:, 0] > 0).long()
    found = dci(x, torch.stack([y, 1 - y], dim=1))
    assert found.disentanglement == pytest.approx(0, abs=0.02)
    assert found.completeness == pytest.approx(1, abs=0.05)


def test_an_attribute_said_by_two_of_four_entries_is_half_complete():
    """1 - log 2 / log 4, for equal importance."""
    signs = torch.where(codes(4000) > 0, 1.0, -1.0)
    y = torch.stack([signs[:, 0] + signs[:, 1] + 0.5 * signs[:, 2] > 0, signs[:, 3] > 0], dim=1)
    found = dci(torch.cat([signs[:, :2], signs[:, 3:], codes(4000, 1, 1)], dim=1), y.long())
    assert found.completeness == pytest.approx((0.5 + 1) / 2, abs=0.01)


def test_the_error_of_what_cannot_be_predicted_is_that_of_the_mean():
    coins = (codes(seed=1)[:, :2] > 0).long()
    found = dci(codes(), coins, alpha=10.0)
    assert found[:2] == (0.0, 0.0)
    assert found.error == pytest.approx(0.5, abs=0.02)


def test_gap_and_forced_choice_by_hand():
    a, b = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 1.0, 4.0])
    assert distance_gap(a, b) == pytest.approx((1.0, (2 / 3) ** 0.5))
    latent = torch.tensor([[1.0, 2.0], [3.0, 1.0], [0.0, 5.0], [2.0, 1.0]])
    perceptual = torch.tensor([[0.1, 0.9], [0.1, 0.9], [0.2, 0.3], [9.0, 8.0]])
    assert two_afc(latent, perceptual) == 0.75
    assert two_afc(latent, latent) == 1.0


def test_what_cannot_be_measured_is_named():
    x = codes(20)
    with pytest.raises(ValueError, match="y must have two attributes at least, got 1"):
        dci(x, (x[:, :1] > 0).long())
    with pytest.raises(ValueError, match="both labels of every attribute among the first 16 codes"):
        linear_separability(x, torch.zeros(20, 2, dtype=torch.long))
