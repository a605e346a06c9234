"""Truths of composed edits: orthogonality, Gram matrices, order, saving."""

from dataclasses import replace

import pytest
import torch

from lwedit.editors import AffineEditor, AffineMap
from lwedit.editors.compose import ConditionalEditor, edit_in_turn
from lwedit.latents import Space

SPACE = Space("a" * 64, "W+", 2, 3)
RNG = torch.Generator().manual_seed(0)
W = torch.randn(7, 2, 3, generator=RNG)


class Given(AffineEditor):
    """An affine editor from a map."""

    method = "given"

    @classmethod
    def fit(cls, data):
        raise NotImplementedError


def editor(name, shape="per_layer"):
    zero = AffineMap.zero(shape, 2, 3)
    weight = None if zero.weight is None else torch.randn(zero.weight.shape, generator=RNG)
    return Given(name, SPACE, AffineMap(weight, torch.randn(zero.bias.shape, generator=RNG)))


def flat(editor):
    return editor.displacement(W).flatten(1).double()


@pytest.mark.parametrize("shape", ["per_layer", "full", "translation"])
def test_what_is_left_is_orthogonal_to_the_others_and_nothing_more_is_lost(shape):
    one, two, three = (editor(name, shape) for name in "abc")
    aside = ConditionalEditor.of(one, [two, three])
    left = flat(aside)
    for other in (two, three):
        torch.testing.assert_close((left * flat(other)).sum(dim=1), torch.zeros(7).double(),
                                   atol=1e-5, rtol=0)
    lost = flat(one) - left
    basis = torch.stack([flat(two), flat(three)], dim=2)
    again = (basis @ torch.linalg.lstsq(basis, lost[:, :, None]).solution)[:, :, 0]
    torch.testing.assert_close(lost, again, atol=1e-5, rtol=1e-5)


def test_with_one_condition_it_is_interfacegans_formula():
    one, two = editor("a", "translation"), editor("b", "translation")
    n = flat(two)[0] / flat(two)[0].norm()
    expected = flat(one)[0] - (flat(one)[0] @ n) * n
    torch.testing.assert_close(flat(ConditionalEditor.of(one, [two]))[0], expected, atol=1e-6,
                               rtol=1e-5)


def test_nothing_is_left_of_an_edit_that_another_one_is():
    one, two = editor("a"), editor("b")
    same = Given("c", SPACE, one.map)
    assert flat(ConditionalEditor.of(one, [same, two])).abs().max() < 1e-5
    still = Given("d", SPACE, AffineMap.zero("translation", 2, 3))
    torch.testing.assert_close(flat(ConditionalEditor.of(one, [still])), flat(one))
    torch.testing.assert_close(flat(ConditionalEditor.of(one, [])), flat(one))


def test_edits_in_turn_by_hand_and_their_order():
    shift, grow = editor("a", "translation"), Given(
        "b", SPACE, AffineMap(torch.eye(3).expand(2, 3, 3).clone(), torch.zeros(2, 3))
    )
    expected = (W + 2 * shift.map.bias) * 1.5
    torch.testing.assert_close(edit_in_turn(W, [(shift, 2.0), (grow, 0.5)]), expected)
    torch.testing.assert_close(edit_in_turn(W, [(grow, 0.5), (shift, 2.0)]),
                               W * 1.5 + 2 * shift.map.bias)
    assert torch.equal(edit_in_turn(W, []), W)


def test_backwards_it_stands_aside_for_what_the_others_run_backwards(tmp_path):
    maps = [replace(editor(name).map, back=torch.randn(2, 3, generator=RNG)) for name in "ab"]
    plain = editor("c")
    one, two = (Given(name, SPACE, map) for name, map in zip("ab", maps, strict=True))
    aside = ConditionalEditor.of(one, [two, plain])
    moved = (W - aside.edit(W, -1.0)).flatten(1).double()
    others = [two.map.back.expand(7, -1, -1).flatten(1).double(), flat(plain)]
    for other in others:
        torch.testing.assert_close((moved * other).sum(dim=1), torch.zeros(7).double(), atol=1e-5,
                                   rtol=0)
    lost = one.map.back.flatten().double() - moved
    basis = torch.stack(others, dim=2)
    again = (basis @ torch.linalg.lstsq(basis, lost[:, :, None]).solution)[:, :, 0]
    torch.testing.assert_close(lost, again, atol=1e-5, rtol=1e-5)
    aside.save(tmp_path)
    assert torch.equal(ConditionalEditor.load(tmp_path, SPACE).edit(W, -1.0), aside.edit(W, -1.0))


def test_a_saved_one_edits_the_same(tmp_path):
    aside = ConditionalEditor.of(editor("a"), [editor("b", "translation"), editor("c", "full")])
    aside.save(tmp_path)
    again = ConditionalEditor.load(tmp_path, SPACE)
    assert again.attribute == "a"
    assert torch.equal(again.edit(W, 0.7), aside.edit(W, 0.7))


def test_what_does_not_fit_is_named(unchecked):
    other = Given("b", Space("b" * 64, "W+", 2, 3), AffineMap.zero("translation", 2, 3))
    with pytest.raises(ValueError, match="space must have generator"):
        ConditionalEditor.of(editor("a"), [other])
    with pytest.raises(ValueError, match="space must have generator"):
        edit_in_turn(W, [(editor("a"), 1.0), (other, 1.0)])
    with pytest.raises(ValueError, match="others must edit something else, got 'a'"):
        ConditionalEditor.of(editor("a"), [editor("a")])
    with pytest.raises(ValueError, match="must hold a bias for each map"):
        ConditionalEditor.restore({"1.bias": torch.zeros(2, 3)}, "a", SPACE)
    with pytest.raises(ValueError, match="must be made from fitted ones"):
        ConditionalEditor.fit(None)
