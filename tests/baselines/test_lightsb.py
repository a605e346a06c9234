"""Truths for LightSB: quadrature, the closed form between Gaussians, Sinkhorn."""

from dataclasses import replace

import ot
import pytest
import torch

from baselines.bridges import Bridge
from baselines.lightsb import LightSb, LightSbConfig, fit_bridge
from lwedit.classifier import LatentClassifier
from lwedit.editors import FitData
from lwedit.latents import LatentSet, Space


def gaussian(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def bridge(eps=0.4):
    return Bridge(torch.tensor([0.3, -1.0]), torch.tensor([[0.5], [-1.0]]),
                  torch.tensor([[0.2], [-0.7]]), eps)


def test_plan_and_its_normaliser_by_quadrature():
    """c(x) is the integral of v(y) exp(xy / eps), and the mean that of y under the same density."""
    held, x, step = bridge(), torch.tensor([[-0.8], [0.1], [1.3]]), 1e-3
    y = torch.arange(-12, 12, step)[:, None]
    constant = torch.tensor(2 * torch.pi * held.eps).log() / 2
    density = (held.log_potential(y) - constant + (x * y.T / held.eps).double()).exp() * step
    torch.testing.assert_close(held.log_shares(x).logsumexp(dim=1).double(),
                               density.sum(dim=1).log(), rtol=1e-4, atol=1e-4)
    mean = (density * y.T).sum(dim=1) / density.sum(dim=1)
    torch.testing.assert_close(held.mean(x)[:, 0].double(), mean, rtol=1e-4, atol=1e-4)


def test_gaussians_are_joined_by_the_closed_form():
    """S = ((4 s t + eps^2)^(1/2) - eps) / 2 s (Janati et al., 2020), found from elsewhere."""
    s, t = torch.tensor([0.5, 2.0, 1.0]), torch.tensor([1.5, 0.4, 1.0])
    shift, eps = torch.tensor([1.0, 0.0, -2.0]), 0.6
    x, y = gaussian(4000, 3) * s.sqrt(), gaussian(4000, 3, 1) * t.sqrt() + shift
    config = LightSbConfig(components=3, eps=eps, steps=200, lr=1e-2, batch=1000, check=50)
    found = fit_bridge((x, y), (x, y), config, torch.Generator().manual_seed(0))
    slope = ((4 * s * t + eps**2).sqrt() - eps) / (2 * s)
    expected = shift + slope * x
    assert (found.mean(x) - expected).square().mean().sqrt() < 0.08


@pytest.mark.slow
def test_one_component_off_the_optimum_is_brought_to_it(monkeypatch):
    off = Bridge(torch.zeros(1), torch.tensor([[2.0, 0.0]]), torch.tensor([[0.8, -0.5]]), 0.6)
    monkeypatch.setattr("baselines.lightsb.start_bridge", lambda *_: off)
    s, t = torch.tensor([0.5, 2.0]), torch.tensor([1.5, 0.4])
    x, y = gaussian(4000, 2) * s.sqrt(), gaussian(4000, 2, 1) * t.sqrt() + 1
    config = LightSbConfig(1, 0.6, steps=300, lr=3e-2, batch=2000)
    found = fit_bridge((x, y), (x, y), config, torch.Generator().manual_seed(0))
    s, t = x.var(dim=0), y.var(dim=0)
    slope = ((4 * s * t + 0.36).sqrt() - 0.6) / (2 * s)
    torch.testing.assert_close(found.log_s.exp()[0], slope, atol=0.05, rtol=0)
    torch.testing.assert_close(found.r[0], y.mean(dim=0) - slope * x.mean(dim=0), atol=0.05, rtol=0)


@pytest.mark.slow
def test_two_modes_are_split_as_sinkhorn_splits_them():
    sign = torch.where(torch.arange(600) % 2 == 0, 1.0, -1.0)[:, None]
    x, y = gaussian(600, 2), 0.3 * gaussian(600, 2, 1) + 2 * sign * torch.tensor([1.0, 0.0])
    cost = torch.cdist(x, y).square().numpy().astype("f8") / 2
    plan = torch.from_numpy(ot.sinkhorn([], [], cost, 0.5, numItermax=5000)).float()
    expected = plan @ y / plan.sum(dim=1, keepdim=True)
    config = LightSbConfig(4, 0.5, steps=300, lr=3e-2, batch=600)
    found = fit_bridge((x, y), (x, y), config, torch.Generator().manual_seed(0)).mean(x)
    error = (found - expected).square().sum(dim=1).mean().sqrt()
    assert error < 0.1 * (expected - x).square().sum(dim=1).mean().sqrt()


@pytest.fixture(scope="module")
def data():
    space = Space("hash", "W+", 2, 3)
    w = gaussian(600, 6).reshape(600, 2, 3) * 0.2 + 5
    y = torch.stack([torch.arange(600) % 2, torch.arange(600) // 300], dim=1)
    w[y[:, 0] == 1] += torch.tensor([[1.0, 0, 0], [0, -1.0, 0]])
    latents = LatentSet(w, y, ("k", "l"), space)
    return FitData(latents, latents, LatentClassifier(("k", "l"), space, (2,)), "k", 0)


def test_sources_become_targets_and_targets_sources(data):
    editor = LightSb.fit(data, LightSbConfig(2, steps=100))
    source, target = data.train.pair("k")
    torch.testing.assert_close(editor.edit(source, 1.0).mean(dim=0), target.mean(dim=0),
                               atol=0.03, rtol=0)
    torch.testing.assert_close(editor.edit(target, -1.0).mean(dim=0), source.mean(dim=0),
                               atol=0.03, rtol=0)
    # Entropy draws codes together, by what the closed form says and not further.
    s, t, eps = source.var(dim=0), target.var(dim=0), 0.1 * editor.scale**2
    expected = ((4 * s * t + eps**2).sqrt() - eps) / 2 / s.sqrt()
    found = editor.edit(source, 1.0).std(dim=0)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)


def test_the_unit_of_the_codes_does_not_matter(data):
    config = LightSbConfig(2, steps=20)
    big = LatentSet(100 * data.train.w - 7, data.train.y, data.train.attributes, data.train.space)
    one = LightSb.fit(data, config).edit(data.train.w, 1.0)
    many = LightSb.fit(replace(data, train=big, validation=big), config).edit(big.w, 1.0)
    torch.testing.assert_close((many + 7) / 100, one, atol=1e-3, rtol=0)


def test_damaged_state_is_named(data):
    state = LightSb.fit(data, LightSbConfig(2, steps=1)).state()
    with pytest.raises(ValueError, match="bridges must join codes of 8 numbers, got 6"):
        LightSb.restore(state, "k", Space("hash", "W+", 2, 4))
    del state["units"]
    with pytest.raises(ValueError, match="state must hold two bridges, centre and units"):
        LightSb.restore(state, "k", data.train.space)
    with pytest.raises(ValueError, match="eps must be positive, got 0.0"):
        LightSbConfig(eps=0.0)
