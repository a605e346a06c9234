"""Truths for the non-affine map: a bend that no affine map makes, and the contract of editors."""

from dataclasses import replace

import pytest
import torch

from lwedit.classifier import LatentClassifier
from lwedit.editors import (
    AffineMap,
    FitData,
    LatentWassersteinConfig,
    LatentWassersteinMlp,
    ResidualConfig,
    ResidualMap,
)
from lwedit.latents import LatentSet, Space

CONFIG = LatentWassersteinConfig(lam=0.0, blur=(0.2,), blur_held_out=0.1)
RESIDUAL = ResidualConfig(rank=2, hidden=64, blur=(0.1,), rounds=8, epochs=10, batch=64)


def bent(n, seed):
    """A row of codes, and a parabola: the optimal map is (x, z) -> (x, z + x^2 / 4).

    Optimal, because near z = 0 it is the gradient of the convex x^2 / 2 + z^2 / 2 + x^2 z / 4.
    """
    g = torch.Generator().manual_seed(seed)
    x, y = 4 * torch.rand(2, n, generator=g) - 2
    noise = 0.05 * torch.randn(2, n, generator=g)
    bow = y.square() / 4 + noise[1]
    source, target = torch.stack([x, noise[0]], dim=1), torch.stack([y, bow], dim=1)
    labels = torch.cat([torch.zeros(n), torch.ones(n)]).long()[:, None]
    return LatentSet(torch.cat([source, target])[:, None], labels, ("k",), Space("h", "Z", 1, 2))


@pytest.fixture(scope="module")
def fitted():
    train = bent(400, 0)
    unasked = LatentClassifier(("k",), train.space, (4,))
    data = FitData(train, bent(300, 1), unasked, "k", 0)
    return data, LatentWassersteinMlp.fit(data, CONFIG, RESIDUAL)


def test_it_bends_what_no_affine_map_can(fitted):
    _, editor = fitted
    assert editor.solution.loss < 0.5 * editor.solution.affine_loss
    x = torch.linspace(-1.6, 1.6, 9)
    moved = editor.edit(torch.stack([x, 0 * x], dim=1)[:, None], 1.0)[:, 0]
    torch.testing.assert_close(moved[:, 1], x.square() / 4, atol=0.2, rtol=0)


def test_strength_zero_moves_nothing_and_a_loaded_editor_edits_bit_for_bit(fitted, tmp_path):
    data, editor = fitted
    w = data.validation.w
    assert torch.equal(editor.edit(w, 0.0), w)
    editor.save(tmp_path)
    assert torch.equal(LatentWassersteinMlp.load(tmp_path, data.train.space).edit(w, 1.3),
                       editor.edit(w, 1.3))


def test_same_seed_same_bits(fitted):
    data, _ = fitted
    quick = replace(RESIDUAL, rounds=1)
    one, two = (LatentWassersteinMlp.fit(data, CONFIG, quick) for _ in range(2))
    assert torch.equal(one.displacement(data.train.w), two.displacement(data.train.w))


def test_it_starts_at_the_affine_map_and_spares_masked_layers():
    g = torch.Generator().manual_seed(0)
    codes = torch.randn(20, 2, 3, generator=g)
    affine = AffineMap(None, torch.tensor([[1.0, 2, 3], [0, 0, 0]]))
    axes = torch.linalg.qr(torch.randn(6, 4, generator=g)).Q.T.contiguous()
    map = ResidualMap.start(affine, axes, codes, torch.tensor([[1.0], [0.0]]), 8, g)
    torch.testing.assert_close(map(codes), affine(codes), rtol=0, atol=0)
    bent_map = replace(map, last=torch.randn(4, 8, generator=g))
    assert not torch.equal(bent_map(codes)[:, 0], affine(codes)[:, 0])
    assert torch.equal(bent_map(codes)[:, 1], affine(codes)[:, 1])


def test_what_does_not_fit_is_named(fitted):
    data, editor = fitted
    with pytest.raises(ValueError, match="solver must be 'alternate' for a network"):
        LatentWassersteinMlp.fit(data, replace(CONFIG, solver="adam"))
    with pytest.raises(ValueError, match="map must move codes of shape"):
        LatentWassersteinMlp("k", Space("h", "Z", 1, 3), editor.map)
    with pytest.raises(ValueError, match="state must hold"):
        LatentWassersteinMlp.restore({"axes": editor.map.axes}, "k", data.train.space)
    with pytest.raises(ValueError, match="blur must hold a candidate"):
        ResidualConfig(blur=())
