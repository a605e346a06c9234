"""Truths that lwedit.classifier must meet: NumPy's correlation, known planes, symmetries."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from lwedit.classifier import ClassifierConfig, LatentClassifier, correlation
from lwedit.latents import LatentSet, Space
from lwedit.vocabulary import flatten_codes

SPACE = Space(generator="a" * 64, name="W+", layers=2, dim=4)
FAST = ClassifierConfig(hidden=(32, 16), epochs=12, lr=3e-3, batch=32)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def halves(n=1500, scale=1.0, shift=0.0):
    """Codes on both sides of two planes, none closer than .1 to either."""
    w = torch.randn(2 * n, 2, 4, generator=rng())
    score = torch.stack([w[:, 0, 0] + w[:, 1, 2], w[:, 0, 3] - w[:, 0, 1]], dim=1)
    clear = (score.abs() > 0.1).all(dim=1).nonzero()[:n, 0]
    y = (score[clear] > 0).long()
    return LatentSet(scale * w[clear] + shift, y, ("sum", "difference"), SPACE)


@pytest.fixture(scope="module")
def parts():
    latents = halves()
    return latents.subset(torch.arange(1000)), latents.subset(torch.arange(1000, len(latents)))


# --- gamma, Eq. 5 ----------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(5))
def test_correlation_is_numpys_in_absolute_value(k):
    y = (torch.rand(3000, 5, generator=rng()) < torch.tensor([0.5, 0.01, 0.9, 0.3, 0.5])).long()
    y[:, 3] |= y[:, 0]
    y[:, 4] = 1 - y[:, 0]  # correlation -1
    expected = np.abs(np.corrcoef(y.numpy().T))[k]
    np.testing.assert_allclose(correlation(y, k).numpy(), expected, atol=1e-5)


def test_a_constant_attribute_correlates_with_nothing_but_itself():
    y = torch.tensor([[0, 1, 0], [1, 1, 0], [0, 1, 0]])
    assert correlation(y, 0).tolist() == [1, 0, 0]
    assert correlation(y, 1).tolist() == [0, 1, 0]


def test_correlation_never_exceeds_one():
    y = (torch.rand(997, 1, generator=rng()) < 0.37).long().expand(-1, 4)
    assert (correlation(y, 2) <= 1).all()
    torch.testing.assert_close(correlation(y, 2), torch.ones(4))


# --- F ---------------------------------------------------------------------------------------


def test_logits_are_those_of_the_network_written_out():
    model = LatentClassifier(("a", "b", "c"), SPACE, (6, 5))
    model.centre.copy_(torch.arange(8.0))
    model.scale.fill_(3.0)
    w = torch.randn(7, 2, 4, generator=rng())
    weights = list(model.parameters())
    assert [tuple(p.shape) for p in weights] == [(6, 8), (6,), (5, 6), (5,), (3, 5), (3,)]
    h = (flatten_codes(w) - torch.arange(8.0)) / 3
    for weight, bias in zip(weights[:4:2], weights[1:4:2], strict=True):
        h = functional.leaky_relu(h @ weight.T + bias, 0.2)
    torch.testing.assert_close(model(w), h @ weights[4].T + weights[5])


def test_defaults_are_the_latent_transformers():
    config = ClassifierConfig()
    assert (config.hidden, config.epochs, config.batch) == ((2048, 512), 20, 256)
    assert (config.lr, config.weight_decay) == (1e-4, 5e-4)


def test_accuracy_by_hand():
    """One linear unit: logit = first entry of the code."""
    model = LatentClassifier(("a",), SPACE, ())
    with torch.no_grad():
        model.net[0].weight.copy_(torch.eye(1, 8))
        model.net[0].bias.zero_()
    w = torch.zeros(4, 2, 4)
    w[:, 0, 0] = torch.tensor([1.0, -1.0, 2.0, 0.0])  # a logit of 0 is a no
    y = torch.tensor([[1], [0], [0], [0]])
    assert model.accuracy(LatentSet(w, y, ("a",), SPACE)).tolist() == [0.75]


@pytest.mark.slow
def test_planes_are_found(parts):
    train, held = parts
    model = LatentClassifier.fit(train, FAST, rng())
    assert (model.accuracy(held) > 0.98).all()
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert (model.attributes, model.space) == (train.attributes, SPACE)


def test_training_is_a_function_of_its_generator_alone(parts):
    train, held = parts
    config = replace(FAST, epochs=1)
    logits = []
    for noise, seed in ((1, 0), (2, 0), (1, 3)):
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        logits.append(LatentClassifier.fit(train, config, rng(seed))(held.w))
        assert torch.equal(torch.get_rng_state(), state)  # the global state is left as it was
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


def test_standardised_logits_are_blind_to_scale_and_origin():
    config = replace(FAST, epochs=2)
    plain, moved = halves(400), halves(400, scale=64.0, shift=1024.0)  # powers of 2 round alike
    first = LatentClassifier.fit(plain, config, rng())
    second = LatentClassifier.fit(moved, config, rng())
    torch.testing.assert_close(second(moved.w), first(plain.w), rtol=1e-2, atol=1e-3)
    raw = LatentClassifier.fit(moved, replace(config, standardise=False), rng())
    assert (raw(moved.w) - first(plain.w)).abs().max() > 1  # the test can see a difference


def test_standardised_inputs_have_mean_0_and_one_overall_deviation():
    latents = halves(400, scale=5.0, shift=-2.0)
    model = LatentClassifier.fit(latents, replace(FAST, epochs=0), rng())
    v = ((flatten_codes(latents.w) - model.centre) / model.scale).numpy().astype(np.float64)
    np.testing.assert_allclose(v.mean(axis=0), 0, atol=1e-5)
    assert v.std() == pytest.approx(1, rel=1e-5)


def test_the_step_size_falls_by_ten_half_way(parts, monkeypatch):
    seen = []
    original = torch.optim.Adam.step

    def watch(self, *args, **kwargs):
        seen.append(self.param_groups[0]["lr"])
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", watch)
    LatentClassifier.fit(parts[0], replace(FAST, epochs=4, batch=500), rng())
    assert seen == pytest.approx([3e-3] * 4 + [3e-4] * 4)


# --- shift -----------------------------------------------------------------------------------


def marked(n=1200):
    """Codes with a label that two entries tell: one shared by a whole cloud, and one exact mark."""
    y = torch.arange(n) % 2
    w = 0.1 * torch.randn(n, 2, 4, generator=rng())
    w[:, 0, 0] += y  # goes with the label: the way between the centroids
    w[:, 1, 1] = torch.where(y == 1, 1.0, -1.0) * torch.where(torch.arange(n) % 4 < 2, 1.0, -1.0)
    w[:, 1, 2] = torch.where(torch.arange(n) % 4 < 2, 1.0, -1.0)  # the sign of the mark
    return LatentSet(w, y[:, None], ("a",), SPACE)


@pytest.mark.slow
def test_a_shifted_classifier_is_not_convinced_by_moving_the_cloud():
    latents = marked()
    plain = LatentClassifier.fit(latents, FAST, rng())
    wary = LatentClassifier.fit(latents, replace(FAST, shift=3.0, shift_along=("a",)), rng())
    source, target = latents.pair("a")
    moved = source + 2 * (target.mean(dim=0) - source.mean(dim=0))
    assert (plain(moved)[:, 0] > 0).float().mean() > 0.9
    assert (wary(moved)[:, 0] > 0).float().mean() < 0.1
    assert wary.accuracy(latents)[0] > 0.97  # it reads the product of the two other entries


def test_no_shift_is_the_published_training():
    latents, config = marked(200), replace(FAST, epochs=1)
    with pytest.raises(ValueError, match="shift must be positive exactly when shift_along"):
        replace(config, shift=0.5)
    with pytest.raises(ValueError, match="shift must be positive exactly when shift_along"):
        replace(config, shift_along=("a",))
    assert (ClassifierConfig().shift, ClassifierConfig().shift_along) == (0.0, ())
    first, again, shifted = (
        LatentClassifier.fit(latents, c, rng(1))(latents.w)
        for c in (config, config, replace(config, shift=0.5, shift_along=("a",)))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, shifted)
