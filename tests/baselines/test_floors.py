"""Truths for floors and ceiling, and the contract that all methods share."""

from dataclasses import replace

import ot
import pytest
import torch

from baselines import METHODS, Centroids, GaussianTransport, Nearest, NoEdit, RandomDirection
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.editors import FitData
from lwedit.generators import Generator, GeneratorConfig
from lwedit.latents import LatentSet, Space

GENERATOR = Generator(GeneratorConfig(4, 1, 3, 1, (4,)))
SPACE = Space("hash", "W+", 2, 3)


def codes(n, seed):
    g = torch.Generator().manual_seed(seed)
    w = torch.randn(n, 2, 3, generator=g) + 1
    y = torch.stack([w[:, 0, 0] > 1, w[:, 1, 1] > 1], dim=1).long()
    return LatentSet(w, y, ("k", "l"), SPACE)


@pytest.fixture(scope="module")
def data():
    train, rng = codes(300, 0), torch.Generator().manual_seed(0)
    classifier = LatentClassifier.fit(train, ClassifierConfig(hidden=(8,), epochs=3), rng)
    return FitData(train, codes(100, 1), classifier, "k", 5, GENERATOR)


@pytest.mark.parametrize("name", [n for n, kind in METHODS.items() if kind.needs_generator])
def test_what_needs_a_generator_says_so(name, data):
    with pytest.raises(ValueError, match=f"{name} needs the generator's .*, got None"):
        METHODS[name].fit(replace(data, generator=None))


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_the_contract(name, data, quick, tmp_path):
    with quick():
        editor = METHODS[name].fit(data)
        again = METHODS[name].fit(data)
    w = data.validation.w
    assert editor.method == name
    assert torch.equal(editor.edit(w, 0.0), w)
    edited = editor.edit(w, torch.linspace(-1, 1, len(w)))
    assert edited.shape == w.shape
    assert torch.equal(edited, again.edit(w, torch.linspace(-1, 1, len(w))))
    editor.save(tmp_path)
    loaded = METHODS[name].load(tmp_path, SPACE)
    assert torch.equal(loaded.edit(w, 1.0), editor.edit(w, 1.0))
    with pytest.raises(ValueError, match="space must have name = Z"):
        METHODS[name].load(tmp_path, Space("hash", "Z", 2, 3))


def test_none_moves_nothing(data):
    assert torch.equal(NoEdit.fit(data).edit(data.validation.w, 2.0), data.validation.w)


def test_centroid_of_the_edited_source_is_the_centroid_of_the_target(data):
    source, target = data.train.pair("k")
    moved = Centroids.fit(data).edit(source, 1.0)
    torch.testing.assert_close(moved.mean(dim=0), target.mean(dim=0))


def test_random_is_as_long_as_centroids_and_elsewhere(data):
    random, centroids = (m.fit(data).map.bias for m in (RandomDirection, Centroids))
    torch.testing.assert_close(random.norm(), centroids.norm())
    assert abs(float((random * centroids).sum() / centroids.norm() ** 2)) < 0.9


def test_gaussian_ot_agrees_with_pot_up_to_shrinkage(data):
    source, target = (w.flatten(1).double().numpy() for w in data.train.pair("k"))
    weight, bias = ot.gaussian.empirical_bures_wasserstein_mapping(source, target, reg=1e-9)
    expected = torch.from_numpy(source @ weight + bias).float()
    found = GaussianTransport.fit(data).edit(data.train.pair("k").source, 1.0).flatten(1)
    assert float((found - expected).norm() / expected.norm()) < 0.1


def test_gaussian_ot_on_some_layers_is_that_of_their_codes_alone(data):
    """The others are neither read nor written; saved and loaded it is the same."""
    found = GaussianTransport.fit(data, layers=(1,))
    space = Space("hash", "W+", 1, 3)
    alone = replace(data, train=LatentSet(data.train.w[:, 1:], data.train.y, ("k", "l"), space))
    expected = GaussianTransport.fit(alone).edit(data.validation.w[:, 1:], 0.7)
    edited = found.edit(data.validation.w, 0.7)
    torch.testing.assert_close(edited[:, 1:], expected)
    assert torch.equal(edited[:, :1], data.validation.w[:, :1])
    again = GaussianTransport.restore(found.state(), "k", SPACE)
    torch.testing.assert_close(again.edit(data.validation.w, 0.7), edited)


def test_nearest_is_the_nearest_code(data):
    w, target = data.validation.w[:20], data.train.pair("k").target
    found = Nearest.fit(data).edit(w, 1.0)
    for code, edited in zip(w, found, strict=True):
        expected = target[(target - code).flatten(1).norm(dim=1).argmin()]
        torch.testing.assert_close(edited, expected)
    with pytest.raises(ValueError, match="state must hold targets"):
        Nearest.restore({}, "k", SPACE)
