"""Truths for W*: T can be undone, its losses reach their aims, the edit is InterFaceGAN's."""

from dataclasses import replace

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from baselines.interfacegan import InterFaceGan
from baselines.wstar import WStar, WStarConfig, unfold
from baselines.wstar_flow import Coupling, RealNvp, generator_features, linear_classifiers, pairwise
from lwedit.classifier import LatentClassifier
from lwedit.editors import FitData
from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.dcgan import Dcgan
from lwedit.generators.features import feature_maps
from lwedit.latents import LatentSet, Space
from lwedit.metrics import perceptual_distance

SPACE = Space("hash", "W+", 2, 3)


def gaussian(n, *shape, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def shaken(flow, seed=0):
    """All weights drawn anew: nothing is the identity any more."""
    for i, part in enumerate(flow.parameters()):
        part.data = gaussian(*part.shape, seed=seed + i) * part[0].numel() ** -0.5
    return flow


def world(n=500):
    w = gaussian(n, 2, 3)
    bent = w[:, 0, 0] + 1.5 * (w[:, 1, 1].square() - 1) > 0  # no plane
    y = torch.stack([bent, w[:, 0, 1] > 0], dim=1).long()
    latents = LatentSet(w + 1, y, ("k", "l"), SPACE)
    return FitData(latents, latents, LatentClassifier(("k", "l"), SPACE, (2,)), "k", 0)


@pytest.mark.parametrize("dim", [6, 7])
@pytest.mark.parametrize("couplings", [3, 13])
def test_t_is_a_bijection_to_float_precision(dim, couplings):
    flow = shaken(RealNvp(dim, couplings, 8, torch.Generator().manual_seed(0))).double()
    x = gaussian(50, dim).double()
    y = flow(x)
    assert (y - x).abs().max() > 0.5
    torch.testing.assert_close(flow.inverse(y), x, atol=1e-12, rtol=0)
    single = flow.float()
    torch.testing.assert_close(single.inverse(single(x.float())), x.float(), atol=1e-4, rtol=0)


def test_a_coupling_moves_one_half_by_the_other():
    step = shaken(Coupling(5, 4, 1))
    x = gaussian(1, 5)
    y = step(x)
    kept = x[:, [0, 2, 4]]
    torch.testing.assert_close(y[:, [0, 2, 4]], kept)
    expected = x[:, [1, 3]] * step.scale(kept).exp() + step.translation(kept)
    torch.testing.assert_close(y[:, [1, 3]], expected)
    slope = torch.autograd.functional.jacobian(step, x)[0, :, 0]
    assert (slope[[0, 2, 4]][:, [1, 3]] == 0).all()
    assert slope[1, 3] == slope[3, 1] == 0


def test_t_starts_as_the_identity():
    x = gaussian(5, 6)
    assert torch.equal(RealNvp(6, 3, 8, torch.Generator().manual_seed(0))(x), x)


def test_the_classifiers_are_the_planes():
    """Those of scikit-learn, whose C is one over twice the decay and the number of codes."""
    x = gaussian(400, 4)
    y = torch.stack([x[:, 0] + x[:, 1] > 0.3, x[:, 2] + gaussian(400, seed=1) > 0], dim=1)
    weight, bias = linear_classifiers(x, y.float())
    for k in range(2):
        other = LogisticRegression(C=1 / (2 * 1e-2 * 400), tol=1e-8).fit(x.numpy(), y[:, k].numpy())
        expected = torch.tensor([*other.coef_[0], *other.intercept_]).float()
        torch.testing.assert_close(torch.cat([weight[k], bias[k, None]]), expected,
                                   atol=1e-2, rtol=0)


@pytest.mark.slow
def test_attributes_that_no_plane_separates_become_linear_for_the_frozen_classifiers():
    data = world()
    config = WStarConfig(steps=150, hidden=16, lr=1e-2, batch=64)
    before, after = (
        unfold(data.train, None, replace(config, steps=steps), torch.Generator().manual_seed(0))
        for steps in (0, 150)
    )
    x, y = before.forward(data.train.w), data.train.y.float()
    weight, bias = linear_classifiers(x, y)
    right = [((t.forward(data.train.w) @ weight.T + bias > 0) == (y == 1)).float().mean(dim=0)
             for t in (before, after)]
    assert right[0][0] < 0.85
    assert right[1][0] > right[0][0] + 0.08
    assert right[1][1] > 0.97


@pytest.mark.slow
def test_distances_become_those_that_are_asked_for():
    """Only the first entry is seen: distances in W* must follow it, which those of codes do not."""
    data = world(200)
    seen = lambda w: 3 * w[:, 0, :1]  # noqa: E731
    config = WStarConfig(steps=100, hidden=16, lr=1e-2, batch=64, identity=0.0, drawn=200)
    spread = []
    for steps in (0, 100):
        t = unfold(data.train, seen, replace(config, steps=steps), torch.Generator().manual_seed(0))
        latent = pairwise(t.forward(data.train.w)).flatten()
        spread.append(torch.corrcoef(torch.stack([latent, pairwise(seen(data.train.w)).flatten()])))
    assert spread[1][0, 1] > spread[0][0, 1] + 0.2


def test_the_generators_features_are_the_perceptual_distance_of_its_maps():
    for generator, w in ((Generator(GeneratorConfig(8, 1, 4, 1, (5, 3))), gaussian(2, 4, 4)),
                         (Dcgan(4, (5, 3), 1), gaussian(2, 1, 4))):
        f = generator_features(generator)(w)
        maps = feature_maps(generator, w).maps
        expected = perceptual_distance([m[:1] for m in maps], [m[1:] for m in maps])
        torch.testing.assert_close((f[0] - f[1]).square().sum(), expected[0])


def test_where_t_is_the_identity_the_edit_is_interfacegans():
    data = world()
    w = data.train.w[:20]
    editor = WStar.fit(data, WStarConfig(steps=0))
    torch.testing.assert_close(editor.edit(w, 1.7), InterFaceGan.fit(data).edit(w, 1.7),
                               atol=5e-3, rtol=0)


def test_an_edit_is_a_straight_line_in_w_star_and_can_be_undone():
    data = world()
    editor = WStar.fit(data, WStarConfig(steps=60, hidden=16, lr=1e-2))
    w, t = data.train.w[:20], editor.unfolding
    alpha = torch.linspace(-2, 2, 20)
    edited = editor.edit(w, alpha)
    expected = t.forward(w) + alpha[:, None] * editor.move
    torch.testing.assert_close(t.forward(edited), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(editor.edit(edited, -alpha), w, atol=1e-4, rtol=0)
    bent = editor.edit(w, 2.0) - 2 * editor.edit(w, 1.0) + w
    assert bent.abs().max() > 0.01


def test_a_generator_is_looked_at_and_left_alone():
    generator, data = Generator(GeneratorConfig(4, 1, 3, 1, (4,))), world(60)
    config = WStarConfig(steps=5, hidden=8, drawn=10)
    with_images = WStar.fit(replace(data, generator=generator), config)
    assert not torch.equal(with_images.edit(data.train.w, 1.0),
                           WStar.fit(data, config).edit(data.train.w, 1.0))
    assert all(part.grad is None for part in generator.parameters())


def test_damaged_state_is_named():
    state = WStar.fit(world(60), WStarConfig(steps=0, hidden=4)).state()
    with pytest.raises(ValueError, match="move must hold 8 numbers, got 6"):
        WStar.restore(state, "k", Space("hash", "W+", 2, 4))
    with pytest.raises(ValueError, match="state must hold T, got"):
        WStar.restore({"move": state["move"], "centre": state["centre"]}, "k", SPACE)
    with pytest.raises(ValueError, match="dim must be 2 at least"):
        RealNvp(1, 3, 4, torch.Generator())
    with pytest.raises(ValueError, match="batch must be at least 2, got 1"):
        WStarConfig(batch=1)
