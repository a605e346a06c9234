"""Digits behind the page, on the shipped domain and a small bundle fitted for it."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from demo import digits, digits_tab, studio
from demo.studio import METHODS_SHOWN, Step
from lwedit.vocabulary import from_unit_range, to_unit_range


@pytest.fixture(scope="module")
def place(shipped, tmp_path_factory):
    """Class centroids in place of both methods: fitted in no time, whatever the weights are."""
    from baselines import Centroids
    from demo.bundles import Bundle, Unit
    from lwedit.classifier import ClassifierConfig, LatentClassifier
    from lwedit.domains.digits import labels
    from lwedit.editors import FitData
    from lwedit.latents import LatentSet

    images = shipped.images("train", 300)
    latents = LatentSet(shipped.encode(images), labels(images), shipped.attributes, shipped.space)
    rng = torch.Generator().manual_seed(0)
    classifier = LatentClassifier.fit(latents, ClassifierConfig(hidden=(16,), epochs=3), rng)
    editors = {
        method: {
            task.attribute: Centroids.fit(FitData(latents, latents, classifier, task.attribute, 0))
            for task in shipped.tasks
        }
        for method in METHODS_SHOWN
    }
    units = {m: dict.fromkeys(e, Unit(1.0, 1.0, (True, True))) for m, e in editors.items()}
    return studio.Studio(shipped, Bundle(shipped.space, classifier, editors, units))


@pytest.fixture
def page(monkeypatch, place):
    """The page's digits with that bundle, and forty held-out images."""
    few = place.domain.images("heldout").images[:40]
    monkeypatch.setattr(studio, "_open", lambda name: place)
    monkeypatch.setattr(digits, "_heldout", lambda: few)
    digits._encoded.cache_clear()
    yield place
    digits._encoded.cache_clear()


def test_what_is_edited_is_the_reconstruction_which_stands_beside_the_image(page):
    pixels = digits.heldout_image(5)
    readings = digits.compare(pixels, [])
    assert (readings["image"].pixels == pixels).all()
    w = page.domain.encoder.encode(to_unit_range(pixels[None]))
    truth = from_unit_range(page.domain.generate(w))[0]
    for name in ("original", "lt", "lw"):
        assert (readings[name].pixels == truth).all()


def test_counts_are_the_judges_of_the_picture_shown(page):
    pixels = digits.heldout_image(7)
    step = Step("at_least_2", 0.7)
    reading = digits.compare(pixels, [step])["lw"]
    w = page.domain.encoder.encode(to_unit_range(pixels[None]))
    x = page.domain.generate(page.bundle.editors["lw"]["at_least_2"].edit(w, 0.7))
    scores = page.domain.score(x)
    assert reading.judge == int(scores.count[0])
    assert [reading.classes.count(str(c)) for c in range(10)] == scores.classes[0].tolist()


@pytest.mark.parametrize(
    ("count", "steps", "add", "attribute", "sign"),
    [
        (1, [], True, "at_least_2", 1),
        (3, [], True, "at_least_4", 1),
        (1, [Step("at_least_2", 1.0)], True, "at_least_3", 1),
        (1, [Step("at_least_2", 1.0)], False, "at_least_2", -1),
        (4, [], False, "at_least_4", -1),
        (4, [Step("at_least_4", -1.0)], False, "at_least_3", -1),
    ],
)
def test_the_next_edit_follows_the_number_of_digits_there_should_be(
    count, steps, add, attribute, sign
):
    step = digits.next_step(count, steps, add=add, strength=1.5)
    assert step == Step(attribute, 1.5 * sign)


def test_no_fifth_digit_and_never_none():
    with pytest.raises(ValueError, match="no editor adds a fifth"):
        digits.next_step(4, [], add=True, strength=1.0)
    with pytest.raises(ValueError, match="no editor removes the last"):
        digits.next_step(1, [], add=False, strength=1.0)


@pytest.mark.parametrize("index", [-1, 40, 0.5, float("nan"), None, "../1"])
def test_a_strange_image_number_gets_a_plain_message(page, index):
    with pytest.raises(ValueError, match="The image must be a whole number from 0 to 39"):
        digits.heldout_image(index)


def test_the_strip_holds_the_single_edits(page):
    pixels = digits.heldout_image(3)
    step = Step("at_least_3", -1.0)
    strips = digits.strip(pixels, [], step)
    for i, strength in enumerate(strips["lw"].strengths):
        one = digits.compare(pixels, [Step("at_least_3", strength)])["lw"]
        assert np.abs(strips["lw"].pixels[i].astype(int) - one.pixels).max() <= 1
    assert strips["lw"].strengths == tuple(-s for s in digits.STRIP)


def test_an_edit_that_convinces_only_the_classifier_is_called_adversarial(page, monkeypatch):
    real = digits.compare

    def fooled(pixels, steps):
        readings = real(pixels, steps)
        goal = digits.goal_after(digits.source_count(pixels), steps)
        readings["lt"] = readings["lt"]._replace(latent=goal, judge=goal - 1)
        readings["lw"] = readings["lw"]._replace(latent=goal, judge=goal)
        return readings

    monkeypatch.setattr(digits, "compare", fooled)
    index = next(i for i in range(40) if digits.source_count(digits.heldout_image(i)) == 2)
    html = digits_tab.compare_html(None, index, [], "add", 1.0)
    lt, lw = html.split("<figure")[3:]
    assert "latent classifier: 3 digits <b class=\"yes\">✓</b>" in lt
    assert "image judge: 2 digits <b class=\"no\">✗</b>" in lt
    assert "adversarial" in lt
    assert "really changed" in lw


def test_at_four_digits_the_page_says_so_and_still_shows_the_image(page):
    index = next(i for i in range(40) if digits.source_count(digits.heldout_image(i)) == 4)
    html = digits_tab.compare_html(None, index, [], "add", 1.0)
    assert "no editor adds a fifth" in html
    assert html.count("<figure") == 4


@pytest.mark.parametrize("strength", [float("nan"), -1.0, 1e9])
def test_a_strange_strength_is_a_notice_not_a_crash(page, strength):
    html = digits_tab.compare_html(None, 0, [], "add", strength)
    assert "The strength must be a number from 0 to 5" in html


def as_uri(canvas):
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize("drawing", [None, "", "data:image/png;base64,!!", "/etc/passwd",
                                     "data:image/png;base64,aGVsbG8="])
def test_what_is_no_canvas_gets_a_plain_message(page, drawing):
    with pytest.raises(ValueError, match="not a picture that can be read"):
        digits_tab.drawn_image(drawing)


def test_a_drawing_takes_the_place_of_the_image_and_a_bad_one_does_not(page):
    canvas = np.zeros((320, 320, 4), np.uint8)
    canvas[100:220, 150:168] = (17, 17, 17, 255)
    own, edits, _, said, cards, _ = digits_tab._from_drawing(
        as_uri(canvas), None, 0, [("at_least_2", 1.0)], "add", 1.0)
    assert own.shape == (1, 64, 64)
    assert edits == []
    assert "your picture" in cards
    again, edits, _, said, *_ = digits_tab._from_drawing(
        as_uri(np.zeros((320, 320, 4), np.uint8)), own, 0, [("at_least_2", 1.0)], "add", 1.0)
    assert again is own
    assert edits == [("at_least_2", 1.0)]
    assert "no drawing yet" in said


def test_keep_adds_digit_after_digit(page):
    index = next(i for i in range(40) if digits.source_count(digits.heldout_image(i)) == 1)
    edits = []
    for n in (2, 3, 4):
        edits, chips, cards, _ = digits_tab._keep(None, index, edits, "add", 1.0)
        assert edits[-1] == (f"at_least_{n}", 1.0)
        assert chips.count("+1 digit") == n - 1
    assert "no editor adds a fifth" in cards
