"""Truths for ULightOT: unbalanced Sinkhorn by quadrature, and balanced Gaussians in closed form."""

import math

import pytest
import torch

from baselines.bridges import Bridge
from baselines.lightsb import LightSbConfig, fit_bridge
from baselines.ulightot import Plan, ULightOt, ULightOtConfig, fit_plan
from lwedit.classifier import LatentClassifier
from lwedit.editors import FitData
from lwedit.latents import LatentSet, Space

EPS, TAU = 0.5, 4.0
RNG = torch.Generator


def normal(at, mean, deviation):
    scaled = (at - mean) / deviation
    return (-scaled.square() / 2).exp() / (deviation * math.sqrt(2 * math.pi))


def sample(n, seed, *, outliers=0.2):
    """Sources about 0; targets about 1, and some far off."""
    g = RNG().manual_seed(seed)
    x, y = torch.randn(n, 1, generator=g), 1 + 0.6 * torch.randn(n, 1, generator=g)
    y[: int(outliers * n)] += 5
    return x, y


@pytest.fixture(scope="module")
def truth():
    """gamma on a grid of sources and targets, from Sinkhorn's damped iterations."""
    at, step = torch.arange(-6, 10, 0.02, dtype=torch.float64), 0.02
    p, q = normal(at, 0, 1), 0.8 * normal(at, 1, 0.6) + 0.2 * normal(at, 6, 0.6)
    kernel = (-(at[:, None] - at).square() / (2 * EPS)).exp()
    a, b, damp = torch.ones_like(at), torch.ones_like(at), TAU / (TAU + EPS)
    for _ in range(300):
        a = (p / (kernel @ b * step)) ** damp
        b = (q / (kernel.T @ a * step)) ** damp
    gamma = a[:, None] * kernel * b
    phi, psi = EPS * a.log(), EPS * b.log()
    least = (EPS * gamma.sum() * step**2 + TAU * ((-phi / TAU).exp() - 1) @ p * step
             + TAU * ((-psi / TAU).exp() - 1) @ q * step)
    return at, gamma, float(gamma.sum() * step**2), float(least)


@pytest.fixture(scope="module")
def plan():
    config = ULightOtConfig(4, EPS, steps=500, lr=3e-2, batch=1000)
    return fit_plan(sample(4000, 0), sample(4000, 1), config, TAU, RNG().manual_seed(0))


def test_the_plan_is_sinkhorn_s(truth, plan):
    at, gamma, mass, least = truth
    expected = (gamma @ at / gamma.sum(dim=1)).float()
    there = (at > -2) & (at < 2)
    found = plan.bridge.mean(at.float()[:, None])[:, 0]
    assert (found - expected)[there].abs().mean() < 0.1
    assert float(plan.mass) == pytest.approx(mass, abs=0.03)
    assert float(plan.loss(*sample(20_000, 2), TAU)) == pytest.approx(least, abs=0.08)


def test_outliers_are_reached_less_than_by_the_balanced_plan(truth, plan):
    at, gamma, _, _ = truth
    x, _ = sample(4000, 3)
    balanced = fit_bridge(sample(4000, 0), sample(4000, 1),
                          LightSbConfig(4, EPS, steps=500, lr=3e-2, batch=1000),
                          RNG().manual_seed(0))

    def reached(bridge):
        share = bridge.log_shares(x).softmax(dim=1)
        slope = bridge.log_s.exp()[:, 0]
        above = torch.special.ndtr((bridge.r[:, 0] + slope * x - 3.5) / (EPS * slope).sqrt())
        return float((share * above).sum(dim=1).mean())

    share = gamma[:, at > 3.5].sum(dim=1) / gamma.sum(dim=1)
    expected = float(share @ normal(at, 0, 1) * (at[1] - at[0]))
    assert reached(balanced) == pytest.approx(0.2, abs=0.03)
    assert reached(plan.bridge) == pytest.approx(expected, abs=0.03)
    assert expected < 0.1


def test_both_factors_of_the_start_are_the_best_ones():
    x, y = sample(500, 0)
    held = Bridge(torch.tensor([0.3, -1.0]), torch.tensor([[0.5], [-1.0]]),
                  torch.tensor([[0.2], [-0.7]]), EPS)
    best = Plan(held, held._replace(log_a=held.log_a + 0.5)).scaled(x, y, TAU)
    s, t = torch.zeros(2, requires_grad=True).unbind()
    moved = Plan(best.bridge._replace(log_a=best.bridge.log_a + t),
                 best.u._replace(log_a=best.u.log_a + s))
    slopes = torch.autograd.grad(moved.loss(x, y, TAU), (s, t))
    torch.testing.assert_close(torch.stack(slopes), torch.zeros(2), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_balanced_gaussians_are_joined_by_the_closed_form(monkeypatch):
    """S = ((4 s t + eps^2)^(1/2) - eps) / 2 s, from a start that is off; the mass is 1."""
    off = Bridge(torch.zeros(1), torch.tensor([[2.0, 0.0]]), torch.tensor([[0.8, -0.5]]), 0.6)
    monkeypatch.setattr("baselines.ulightot.start_bridge", lambda *_: off)
    g = RNG().manual_seed(0)
    x = torch.randn(4000, 2, generator=g) * torch.tensor([0.5, 2.0]).sqrt()
    y = torch.randn(4000, 2, generator=g) * torch.tensor([1.5, 0.4]).sqrt() + 1
    config = ULightOtConfig(1, 0.6, steps=400, lr=3e-2, batch=2000)
    found = fit_plan((x, y), (x, y), config, 1e4, RNG().manual_seed(0))
    s, t = x.var(dim=0), y.var(dim=0)
    slope = ((4 * s * t + 0.36).sqrt() - 0.6) / (2 * s)
    torch.testing.assert_close(found.bridge.log_s.exp()[0], slope, atol=0.05, rtol=0)
    torch.testing.assert_close(found.bridge.r[0], y.mean(dim=0) - slope * x.mean(dim=0), atol=0.05,
                               rtol=0)
    assert float(found.mass) == pytest.approx(1, abs=0.01)


def test_far_targets_draw_the_edit_less_the_cheaper_they_are_to_leave():
    x, y = sample(600, 0)
    labels = (torch.arange(1200) >= 600).long()[:, None]
    space = Space("hash", "Z", 1, 1)
    latents = LatentSet(torch.cat([x, y])[:, :, None], labels, ("k",), space)
    data = FitData(latents, latents, LatentClassifier(("k",), space, (2,)), "k", 0)
    means = []
    for tau in (0.5, 1e3):
        config = ULightOtConfig(4, tau=tau, steps=300, lr=3e-2)
        means.append(float(ULightOt.fit(data, config).edit(x[:, :, None], 1.0).mean()))
    assert means[0] < means[1] - 0.4
    assert means[1] == pytest.approx(float(y.mean()), abs=0.15)


def test_settings_are_positive():
    with pytest.raises(ValueError, match="tau must be positive, got -1.0"):
        ULightOtConfig(tau=-1.0)
