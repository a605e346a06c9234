"""Faces behind the page, on a stand-in whose attributes and best edits are formulas."""

import numpy as np
import pytest
import torch

from demo import faces
from demo.studio import STRONGEST, Step
from lwedit.vocabulary import from_unit_range


def test_without_edits_all_three_pictures_are_the_face_itself(toy_faces):
    readings = faces.compare(3, [])
    assert list(readings) == ["original", "lt", "lw"]
    w = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(3))
    truth = from_unit_range(toy_faces.domain.generate(w))[0]
    for reading in readings.values():
        assert (reading.pixels == truth).all()
        assert reading.identity == pytest.approx(1.0, abs=1e-5)


def test_the_numbers_are_the_scoring_judges_of_the_picture_shown(toy_faces):
    reading = faces.compare(4, [Step("ring", 1.0)])["lw"]
    domain, bundle = toy_faces.domain, toy_faces.bundle
    w = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(4))
    edited = bundle.editors["lw"]["ring"].edit(w, bundle.units["lw"]["ring"].add)
    # One image a method, as the page draws them: a batch of another size has other last bits.
    x = domain.generate(edited.repeat(len(faces.METHODS_SHOWN), 1, 1))
    assert (reading.pixels == from_unit_range(x)[-1]).all()
    expected = dict(zip(domain.attributes, domain.score(x)[-1].tolist(), strict=True))
    assert reading.judge == pytest.approx(expected)
    assert reading.alpha == (bundle.units["lw"]["ring"].add,)


def test_edits_are_made_in_turn(toy_faces):
    first, second = Step("disc", 1.0), Step("bar", -0.5)
    both = faces.compare(5, [first, second])["lt"]
    w = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(5))
    for step in (first, second):
        w, _ = toy_faces.move(w, "lt", step)
    assert (both.pixels == from_unit_range(toy_faces.domain.generate(w))[0]).all()


def test_the_same_arguments_give_the_same_pictures_whoever_asked_between(toy_faces):
    before = faces.compare(6, [Step("disc", 1.0)])
    faces.compare(7, [Step("ring", -2.0)])
    after = faces.compare(6, [Step("disc", 1.0)])
    for name in before:
        assert (before[name].pixels == after[name].pixels).all()


def test_the_strip_holds_the_single_edits(toy_faces):
    strips = faces.strip(8, [Step("bar", 0.5)], "disc")
    for method in ("lt", "lw"):
        for i, strength in enumerate(faces.STRIP):
            one = faces.compare(8, [Step("bar", 0.5), Step("disc", strength)])[method]
            difference = strips[method].pixels[i].astype(int) - one.pixels
            assert np.abs(difference).max() <= 1  # another batch, another order of sums
            assert strips[method].judge[i] == pytest.approx(one.judge["disc"], abs=1e-4)


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, float("nan"), float("inf"), None, "1"])
def test_a_strange_seed_gets_a_plain_message(toy_faces, seed):
    with pytest.raises(ValueError, match="The seed must be a whole number from 0 to 2147483647"):
        faces.compare(seed, [])


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), STRONGEST + 0.1, -1e9, "1", None])
def test_a_strange_strength_gets_a_plain_message(toy_faces, strength):
    with pytest.raises(ValueError, match="The strength must be a number from -5 to 5"):
        faces.compare(0, [Step("disc", strength)])


def test_an_unknown_attribute_and_too_many_edits_get_a_plain_message(toy_faces):
    with pytest.raises(ValueError, match="There is no attribute '../../etc'; choose from disc"):
        faces.compare(0, [Step("../../etc", 1.0)])
    with pytest.raises(ValueError, match="At most 12 edits"):
        faces.compare(0, [Step("disc", 0.1)] * 13)
