"""Truths for affine editors: hand-computed moves and the contract of every editor."""

from dataclasses import replace

import pytest
import torch

from lwedit.editors import AffineEditor, AffineMap
from lwedit.latents import Space

SPACE = Space("hash", "W+", 2, 3)


class Plain(AffineEditor):
    method = "plain"

    @classmethod
    def fit(cls, data):
        raise NotImplementedError


class Other(Plain):
    method = "other"


def random_map(shape):
    g = torch.Generator().manual_seed(0)
    map = AffineMap.zero(shape, 2, 3, rank=2)
    weight, bias, right = (
        None if part is None else torch.randn(part.shape, generator=g)
        for part in (map.weight, map.bias, map.right)
    )
    return AffineMap(weight, bias, right)


def codes(n=5):
    return torch.randn(n, 2, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", ["per_layer", "full", "low_rank", "translation"])
def test_moves_are_those_of_a_loop(shape):
    map, w = random_map(shape), codes()
    for code, move in zip(w, map(w), strict=True):
        if shape == "full":
            expected = (map.weight @ code.flatten() + map.bias).reshape(2, 3)
        elif shape == "low_rank":
            expected = (map.weight @ (map.right @ code.flatten()) + map.bias).reshape(2, 3)
        elif shape == "per_layer":
            expected = torch.stack([map.weight[i] @ code[i] + map.bias[i] for i in range(2)])
        else:
            expected = map.bias
        torch.testing.assert_close(move, expected)
    assert map.shape == shape


@pytest.mark.parametrize("shape", ["per_layer", "full", "low_rank", "translation"])
def test_saved_and_loaded_it_edits_bit_for_bit(shape, tmp_path):
    editor, w = Plain("smile", SPACE, random_map(shape)), codes()
    editor.save(tmp_path)
    loaded = Plain.load(tmp_path, SPACE)
    assert loaded.attribute == "smile"
    assert torch.equal(loaded.edit(w, 0.7), editor.edit(w, 0.7))


def test_strength_zero_returns_the_codes_and_strength_scales_the_move():
    editor, w = Plain("smile", SPACE, random_map("per_layer")), codes()
    assert torch.equal(editor.edit(w, 0.0), w)
    alpha = torch.tensor([0.0, 1.0, -1.0, 2.0, 0.5])
    expected = w + alpha[:, None, None] * editor.displacement(w)
    torch.testing.assert_close(editor.edit(w, alpha), expected)


@pytest.mark.parametrize("shape", ["per_layer", "full", "low_rank", "translation"])
def test_a_move_back_stands_in_for_h_where_the_strength_is_negative(shape, tmp_path):
    back = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]])
    map, w = replace(random_map(shape), back=back), codes()
    editor = Plain("smile", SPACE, map)
    torch.testing.assert_close(editor.edit(w, -2.0), w - 2 * back)
    torch.testing.assert_close(editor.edit(w, 2.0), w + 2 * map(w))
    alpha = torch.tensor([-1.0, 1.0, 0.0, -0.5, 2.0])
    by_hand = [
        code + a * (back if a < 0 else map(code[None])[0]) for code, a in zip(w, alpha, strict=True)
    ]
    torch.testing.assert_close(editor.edit(w, alpha), torch.stack(by_hand))
    editor.save(tmp_path)
    assert torch.equal(Plain.load(tmp_path, SPACE).edit(w, alpha), editor.edit(w, alpha))
    assert torch.equal(editor.to("cpu").edit(w, alpha), editor.edit(w, alpha))


def test_a_move_back_of_another_space_is_refused():
    with pytest.raises(ValueError, match="map must move codes of shape"):
        Plain("smile", SPACE, replace(random_map("full"), back=torch.zeros(2, 4)))


def test_another_space_is_refused_by_name(tmp_path):
    Plain("smile", SPACE, random_map("full")).save(tmp_path)
    with pytest.raises(ValueError, match="space must have generator = other, got hash"):
        Plain.load(tmp_path, Space("other", "W+", 2, 3))
    with pytest.raises(ValueError, match="space must have layers = 4, got 2"):
        Plain.load(tmp_path, Space("hash", "W+", 4, 3))


def test_another_method_is_refused_by_name(tmp_path):
    Plain("smile", SPACE, random_map("full")).save(tmp_path)
    with pytest.raises(ValueError, match="must hold a 'other' editor, got 'plain'"):
        Other.load(tmp_path, SPACE)


def test_maps_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="map must move codes of shape"):
        Plain("smile", Space("hash", "W+", 3, 3), random_map("per_layer"))
    with pytest.raises(ValueError, match="state must hold bias"):
        Plain.restore({"weight": torch.zeros(2, 3, 3)}, "smile", SPACE)


def test_a_restricted_edit_leaves_the_other_layers_alone_also_after_loading(tmp_path):
    editor, w = Plain("smile", SPACE, random_map("full")), codes()
    everywhere = editor.edit(w, 0.7)
    restricted = editor.restrict((1,)).edit(w, 0.7)
    assert torch.equal(restricted[:, 1], everywhere[:, 1])
    assert torch.equal(restricted[:, 0], w[:, 0])
    editor.save(tmp_path)
    loaded = Plain.load(tmp_path, SPACE)
    assert loaded.layers == (1,)
    assert torch.equal(loaded.edit(w, 0.7), restricted)


@pytest.mark.parametrize("layers", [(), (2,), (0, -1)])
def test_layers_that_are_not_there_are_refused(layers):
    with pytest.raises(ValueError, match=r"layers must be some of 0 .. 1, got "):
        Plain("smile", SPACE, random_map("full")).restrict(layers)
