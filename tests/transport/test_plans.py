"""Truths for plans: the gradient of GeomLoss's divergence, POT's plan, marginals, no bias."""

import ot
import pytest
import torch

from lwedit.transport import (
    displacement,
    divergence,
    iterations,
    potentials_at_rest,
    sinkhorn_divergence,
)


def clouds(n=120, m=90, dim=5, dtype=torch.float64):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, dim, generator=g, dtype=dtype)
    y = torch.randn(m, dim, generator=g, dtype=dtype) * 1.2 + 0.5
    a = torch.rand(n, generator=g, dtype=dtype) + 0.1
    return x, y, a / a.sum(), torch.full((m,), 1 / m, dtype=dtype)


def relative(found, truth):
    return float((found - truth).norm() / truth.norm())


@pytest.mark.parametrize("blur", [0.7, 1.5])
def test_displacement_is_minus_the_gradient_a_unit_of_mass(blur):
    x, y, a, b = clouds()
    moving = x.clone().requires_grad_()
    sinkhorn_divergence(moving, y, blur=blur, a=a, b=b, scaling=0.99).backward()
    found = displacement(x, y, blur**2, a, b).delta
    assert relative(found, -moving.grad / a[:, None]) < 2e-2


@pytest.mark.parametrize("blur", [0.5, 1.5])
def test_divergence_agrees_with_geomloss(blur):
    x, y, a, b = clouds()
    truth = sinkhorn_divergence(x, y, blur=blur, a=a, b=b, scaling=0.995).item()
    assert divergence(x, y, blur**2, a, b) == pytest.approx(truth, rel=2e-3)


def test_barycentres_agree_with_pot():
    x, y, a, b = clouds()
    eps = 1.0
    # POT's plan for cost |x - y|^2 and regularisation 2 eps is ours for half of both.

    def plan(p, q, mass_p, mass_q):
        cost = ot.dist(p.numpy(), q.numpy())
        masses = mass_p.numpy(), mass_q.numpy()
        return torch.from_numpy(ot.sinkhorn(*masses, cost, 2 * eps, stopThr=1e-12))

    truth = (plan(x, y, a, b) @ y - plan(x, x, a, a) @ x) / a[:, None]
    assert relative(displacement(x, y, eps, a, b, tolerance=1e-8).delta, truth) < 1e-5


def test_both_marginals_are_met():
    x, y, a, b = clouds()
    cost = iterations.cost_matrix(x, y)
    f, g, error = iterations.solve_plan(cost, a, b, [1.0], torch.zeros_like(b), 1e-10)
    plan = a[:, None] * b * torch.exp(f[:, None] + g - cost)
    torch.testing.assert_close(plan.sum(dim=1), a, atol=1e-12, rtol=1e-10)
    torch.testing.assert_close(plan.sum(dim=0), b, atol=1e-9, rtol=1e-7)
    assert error < 1e-10


def test_blocks_change_nothing(monkeypatch):
    x, y, a, b = clouds()
    whole = displacement(x, y, 1.0, a, b).delta
    monkeypatch.setattr(iterations, "_BLOCK", 7 * len(y))
    torch.testing.assert_close(displacement(x, y, 1.0, a, b).delta, whole)


def test_warm_start_gives_the_same_plan():
    x, y, a, b = clouds()
    cold = displacement(x, y, 1.0, a, b, tolerance=1e-9)
    warm = displacement(x, y, 1.0, a, b, cold.potentials, tolerance=1e-9)
    torch.testing.assert_close(warm.delta, cold.delta, atol=1e-6, rtol=1e-6)


def test_at_rest_nothing_moves():
    x, _, a, _ = clouds()
    step = displacement(x, x, 1.0, a, a, potentials_at_rest(x, 1.0, a))
    assert step.error < 1e-4
    assert float(step.delta.norm() / x.norm()) < 1e-3


def test_translation_is_found_exactly_at_any_blur():
    x, _, a, _ = clouds()
    shift = torch.arange(5, dtype=torch.float64)
    delta = displacement(x, x + shift, 1.0, a, a, tolerance=1e-9).delta
    torch.testing.assert_close(a @ delta, shift, atol=1e-5, rtol=1e-5)


def test_massless_points_change_nothing():
    x, y, a, b = clouds()
    more = torch.cat([x, 9 + torch.zeros(1, 5, dtype=x.dtype)])
    found = displacement(more, y, 1.0, torch.cat([a, a.new_zeros(1)]), b).delta
    expected = displacement(x, y, 1.0, a, b).delta
    assert found.isfinite().all()
    torch.testing.assert_close(found[:-1], expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("dim", [4, 64])
def test_without_self_matches_equal_distributions_do_not_shrink(dim):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 400, dim, generator=g)
    a = torch.full((400,), 1 / 400)
    eps = 0.04 * 2 * dim  # blur is a fifth of the median distance

    def stretch(excluded):  # slope of the moves along the codes
        delta = displacement(x, y, eps, a, a, exclude_self_matches=excluded).delta
        return float((delta * (x - x.mean(dim=0))).sum() / (x - x.mean(dim=0)).square().sum())

    assert abs(stretch(True)) < 0.06
    if dim == 64:
        assert stretch(False) < -0.2
    losses = [divergence(c * x, y, eps, a, a, exclude_self_matches=True) for c in (0.8, 1.0, 1.2)]
    assert min(losses) == losses[1]


def test_far_from_the_origin_float32_keeps_its_digits():
    x, y, a, b = clouds(dtype=torch.float32)
    near, far = (displacement(x + c, y + c, 1.0, a, b).delta for c in (0.0, 2000.0))
    torch.testing.assert_close(far, near, rtol=0, atol=2e-3)
    near, far = (divergence(x + c, y + c, 1.0, a, b) for c in (0.0, 2000.0))
    assert far == pytest.approx(near, abs=2e-3)


@pytest.mark.parametrize(
    ("eps", "a", "message"),
    [
        (0.0, [0.5, 0.5], "eps must be positive"),
        (1.0, [0.5, 0.6], "a must sum to 1"),
        (1.0, [0.5, 0.5], "needs every mass below 1/2"),
    ],
)
def test_bad_input_is_named(eps, a, message):
    points, a = torch.eye(2), torch.tensor(a)
    with pytest.raises(ValueError, match=message):
        displacement(points, points, eps, a, torch.full((2,), 0.5), exclude_self_matches=True)
