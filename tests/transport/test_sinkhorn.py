"""Truths that the Sinkhorn divergence must meet: exact transport, finite differences, symmetry."""

import ot
import pytest
import torch

from lwedit.transport import blur_from_fraction, median_distance, sinkhorn_divergence


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def clouds(n=200, dim=3, m=None):
    g = rng()
    x = torch.randn(n, dim, generator=g, dtype=torch.float64)
    y = torch.randn(m or n, dim, generator=g, dtype=torch.float64) * 1.3 + 0.8
    return x, y


def masses(n, seed=1):
    a = torch.rand(n, generator=rng(seed), dtype=torch.float64) + 0.1
    return a / a.sum()


@pytest.mark.slow
def test_small_blur_is_half_the_exact_squared_distance():
    x, y = clouds()
    a, b = masses(200), masses(200, 2)
    exact = ot.emd2(a.numpy(), b.numpy(), ot.dist(x.numpy(), y.numpy())) / 2
    value = sinkhorn_divergence(x, y, blur=0.02, a=a, b=b, scaling=0.99)
    assert value.item() == pytest.approx(exact, rel=1e-2)


def test_gradient_matches_finite_differences():
    x, y = clouds(30, 3)
    direction = torch.randn(x.shape, generator=rng(3), dtype=torch.float64)

    def value(x):
        return sinkhorn_divergence(x, y, blur=0.5, scaling=0.99)

    moving = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(moving), moving)
    step = 1e-4
    slope = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-2)


def test_zero_on_itself_and_symmetric():
    x, y = clouds(40)
    assert sinkhorn_divergence(x, x, blur=0.3).item() == pytest.approx(0, abs=1e-9)
    forward, back = (sinkhorn_divergence(*p, blur=0.3) for p in ((x, y), (y, x)))
    assert forward.item() == pytest.approx(back.item(), rel=1e-6)


def test_far_from_the_origin_float32_keeps_its_digits():
    x, y = (c.float() for c in clouds(50))
    near = sinkhorn_divergence(x, y, blur=0.3)
    far = sinkhorn_divergence(x + 1000, y + 1000, blur=0.3)
    assert far.item() == pytest.approx(near.item(), rel=1e-3)


def test_grad_mode_is_left_as_it_was():
    x, y = clouds(10)
    with torch.no_grad():
        value = sinkhorn_divergence(x.requires_grad_(), y, blur=0.3)
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert not value.requires_grad


def test_equal_single_points_have_divergence_zero():
    x = torch.ones(1, 3)
    assert sinkhorn_divergence(x, x.clone(), blur=0.1).item() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blur": 0.0}, "blur must be positive"),
        ({"scaling": 1.0}, "scaling must lie between 0 and 1"),
        ({"a": torch.full((10,), 0.2)}, "a must sum to 1, got 2"),
        ({"b": torch.full((4,), 0.25)}, "b must weigh every point: 10 points, 4"),
        ({"a": torch.tensor([2.0, -1.0] + 8 * [0.0])}, "a must be finite and non-negative"),
    ],
)
def test_bad_input_is_named(change, message):
    x, y = (c.float() for c in clouds(10))
    with pytest.raises(ValueError, match=message):
        sinkhorn_divergence(x, y, **{"blur": 0.3, **change})


def test_empty_cloud_is_named():
    with pytest.raises(ValueError, match="must hold points, got 0 and 3"):
        sinkhorn_divergence(torch.zeros(0, 2), torch.zeros(3, 2), blur=0.1)


def test_blur_follows_the_scale_of_the_codes():
    x, y = clouds(100)
    small, large = (blur_from_fraction(0.2, s * x, s * y, rng()) for s in (1, 7))
    assert large == pytest.approx(7 * small, rel=1e-6)
    assert small == pytest.approx(0.2 * median_distance(x, y, rng()))
    with pytest.raises(ValueError, match="must differ"):
        blur_from_fraction(0.2, torch.ones(4, 2), torch.ones(4, 2), rng())


def test_the_unit_of_blur_is_the_median_distance():
    """Of three codes that are near and one that is far the mean would say little."""
    y = torch.tensor([[1.0], [1.0], [2.0], [900.0]])
    assert median_distance(torch.zeros(1, 1), y, rng()) == 1.0  # of an even number the lower
