"""Truths for Gaussians: POT, commuting covariances, the push-forward."""

import ot
import pytest
import torch

from lwedit.transport import Moments, bures_wasserstein, gaussian_map, moments, shrink


def covariance(dim, seed):
    root = torch.randn(dim, dim, generator=torch.Generator().manual_seed(seed)).double()
    return root @ root.T / dim + 0.2 * torch.eye(dim)


def pair(dim=6):
    source = Moments(torch.zeros(dim).double(), covariance(dim, 1))
    return source, Moments(torch.arange(dim).double(), covariance(dim, 2))


def test_agrees_with_pot():
    source, target = pair()
    arrays = [m.numpy() for m in (source.mean, target.mean, source.covariance, target.covariance)]
    assert bures_wasserstein(source, target).sqrt().item() == pytest.approx(
        float(ot.gaussian.bures_wasserstein_distance(*arrays)), rel=1e-9
    )
    weight, bias = ot.gaussian.bures_wasserstein_mapping(*arrays)
    found = gaussian_map(source, target)
    torch.testing.assert_close(found.weight, torch.from_numpy(weight), atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.bias, torch.from_numpy(bias).flatten(), atol=1e-9, rtol=1e-9)


def test_commuting_covariances_scale_each_axis():
    v, u = torch.tensor([1.0, 4.0, 9.0]).double(), torch.tensor([4.0, 1.0, 9.0]).double()
    m = torch.tensor([1.0, 2.0, 3.0]).double()
    source, target = Moments(0 * m, v.diag()), Moments(m, u.diag())
    torch.testing.assert_close(gaussian_map(source, target).weight, (u / v).sqrt().diag())
    assert bures_wasserstein(source, target).item() == pytest.approx(14 + 1 + 1)


def test_map_carries_source_to_target_and_costs_the_distance():
    source, target = pair()
    map = gaussian_map(source, target)
    torch.testing.assert_close(map.weight @ source.covariance @ map.weight.T, target.covariance)
    gap = map.weight - torch.eye(6)
    cost = map.bias.square().sum() + (gap @ source.covariance @ gap.T).trace()
    assert cost.item() == pytest.approx(bures_wasserstein(source, target).item())


def test_singular_source_still_maps():
    zero, one = torch.zeros(2).double(), torch.ones(2).double()
    flat = torch.diag(torch.tensor([1.0, 0.0])).double()
    source, target = Moments(zero, flat), Moments(one, 4 * flat)
    map = gaussian_map(source, target)
    assert map.weight.isfinite().all()
    assert map.weight[0, 0].item() == pytest.approx(2)
    with pytest.raises(ValueError, match="positive variance"):
        gaussian_map(Moments(source.mean, 0 * source.covariance), target)


def test_moments_and_shrinkage_by_hand():
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]])
    found = moments(x, torch.tensor([0.5, 0.25, 0.25]))
    torch.testing.assert_close(found.mean, torch.tensor([0.5, 1.0]).double())
    expected = torch.tensor([[0.75, -0.5], [-0.5, 3.0]]).double()
    torch.testing.assert_close(found.covariance, expected)
    shrunk = torch.tensor([[1.3125, -0.25], [-0.25, 2.4375]]).double()
    torch.testing.assert_close(shrink(expected, 0.5), shrunk)
    with pytest.raises(ValueError, match=r"share must lie in \[0, 1\]"):
        shrink(expected, 1.5)
