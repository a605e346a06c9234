"""Truths for the Latent Transformer: its loss computed by hand, and what it is trained for."""


import pytest
import torch

from baselines.latent_transformer import (
    LatentTransformer,
    LatentTransformerConfig,
    LatentTransformerStar,
    terms,
)
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.editors import AffineMap, FitData
from lwedit.latents import LatentSet, Space


def world(n=600, layers=2):
    g = torch.Generator().manual_seed(0)
    w = torch.randn(n, layers, 4, generator=g)
    y = torch.stack([w[:, 0, 0] > 0, w[:, 1, 1] > 0], dim=1).long()
    latents = LatentSet(w, y, ("k", "l"), Space("hash", "W+", layers, 4))
    config = ClassifierConfig(hidden=(16,), epochs=20, lr=1e-2)
    return FitData(latents, latents, LatentClassifier.fit(latents, config, g), "k", 3)


class Linear(LatentClassifier):
    """F(w) = the two coordinates of w."""

    def forward(self, w):
        return w[:, 0]


def test_terms_by_hand():
    classifier = Linear(("k", "l"), Space("h", "Z", 1, 2), (1,))
    # Three codes without the attribute and one with it; H moves by (1, 2).
    w = torch.tensor([[-1.0, 0.0], [-2.0, 1.0], [0.0, 3.0], [1.0, -1.0]])[:, None]
    found = terms(w, classifier(w), AffineMap(None, torch.tensor([[1.0, 2.0]])), classifier, 0,
                  torch.tensor([0.0, 0.5]))
    p = torch.sigmoid(torch.tensor([-1.0, -2.0, 0.0, 1.0]))
    alpha = torch.stack([1 - p[0], 1 - p[1], 1 - p[2], -p[3]])  # p = .5 counts as without
    logit = w[:, 0, 0] + alpha
    wanted = torch.sigmoid(logit) * torch.tensor([1, 1, 1, 0]) + (
        1 - torch.sigmoid(logit)
    ) * torch.tensor([0, 0, 0, 1])
    weight = torch.tensor([4 / 3, 4 / 3, 4 / 3, 4.0])
    torch.testing.assert_close(found.target, (-weight * wanted.log()).mean())
    torch.testing.assert_close(found.reconstruction, (alpha**2 * (1 + 4) / 2).mean())
    torch.testing.assert_close(found.preservation, ((0.5 * 2 * alpha) ** 2 / 2).mean())


def test_a_batch_of_one_side_is_finite():
    data = world()
    w = data.train.pair("k").source[:8]
    w[:, 0, 0] -= 5
    found = terms(w, data.classifier(w), AffineMap.zero("per_layer", 2, 4), data.classifier, 0,
                  torch.ones(2))
    assert all(torch.isfinite(term) for term in found)


@pytest.mark.slow
@pytest.mark.parametrize("method", [LatentTransformer, LatentTransformerStar])
def test_positive_strength_adds_and_negative_removes(method):
    data = world()
    editor = method.fit(data, LatentTransformerConfig(epochs=30))
    less, same, more = (
        data.classifier(editor.edit(data.train.w, alpha))[:, 0].mean() for alpha in (-1.0, 0.0, 1.0)
    )
    assert less + 1 < same < more - 1


@pytest.mark.slow
def test_star_moves_further_and_keeps_less():
    data = world()
    config = LatentTransformerConfig(epochs=30)
    full, star = (m.fit(data, config) for m in (LatentTransformer, LatentTransformerStar))
    moves = [e.displacement(data.train.w).norm() for e in (full, star)]
    assert moves[0] < moves[1]


def test_only_the_first_layers_are_edited():
    data = world(100, layers=4)
    editor = LatentTransformer.fit(data, LatentTransformerConfig(epochs=1, edited_layers=3))
    move = editor.displacement(data.train.w)
    assert torch.equal(move[:, 3], torch.zeros_like(move[:, 3]))
    assert (move[:, :3].abs().sum(dim=(0, 2)) > 0).all()


def test_layers_that_are_not_trained_stay_and_the_others_learn():
    data = world(300, layers=4)
    editor = LatentTransformer.fit(data, LatentTransformerConfig(epochs=2, layers=(1, 2)))
    move = editor.displacement(data.train.w)
    assert torch.equal(move[:, [0, 3]], torch.zeros_like(move[:, [0, 3]]))
    assert (move[:, 1:3].abs().sum(dim=(0, 2)) > 0).all()


def test_foreign_classifier_is_refused():
    data = world(50)
    data.classifier.attributes = ("l", "k")
    with pytest.raises(ValueError, match="classifier must predict the attributes of the codes"):
        LatentTransformer.fit(data)
