"""Digits behind the page, on the shipped domain and a small bundle fitted for it."""

import base64
import io
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from demo import animate, digits, digits_cards, digits_tab, studio
from demo.digits import METHODS, Edit
from demo.digits_cards import View
from lwedit.editors import LatentWassersteinNeural, NeuralConfig
from lwedit.editors.token_transport import Transport
from lwedit.vocabulary import from_unit_range, to_unit_range

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(shipped, tmp_path_factory):
    """Class centroids in place of all methods: fitted in no time, whatever the weights are."""
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
        for method in METHODS
    }
    units = {m: dict.fromkeys(e, Unit(1.0, 1.0, (True, True))) for m, e in editors.items()}
    return studio.Studio(shipped, Bundle(shipped.space, classifier, editors, units))


@pytest.fixture
def page(monkeypatch, place):
    """The page's digits with that bundle, and forty held-out images."""
    few = place.domain.images("heldout").images[:40]
    monkeypatch.setattr(studio, "_open", lambda name: place)
    monkeypatch.setattr(digits, "_heldout", lambda: few)
    caches = digits._encoded, digits._compared  # a test may put something else in their place
    for cached in caches:
        cached.cache_clear()
    yield place
    for cached in caches:
        cached.cache_clear()


def edit(n, strength=1.0, *, add=True, draw=0):
    return Edit(f"at_least_{n}", add, dict.fromkeys(METHODS, strength), draw)


def of_count(n):
    """Number of a held-out image whose reconstruction has n digits."""
    return next(i for i in range(40) if digits.source_count(digits.heldout_image(i)) == n)


def read(classes, judge=None, latent=None, sure=True):
    judge = len(classes) if judge is None else judge
    return digits.DigitReading(np.zeros((1, 64, 64), np.uint8), judge, classes, sure,
                               judge if latent is None else latent, (), 0.0)


def test_what_is_edited_is_the_reconstruction_which_stands_beside_the_image(page):
    pixels = digits.heldout_image(5)
    readings = digits.compare(pixels, [])
    assert (readings["image"].pixels == pixels).all()
    w = page.domain.encoder.encode(to_unit_range(pixels[None]))
    truth = from_unit_range(page.domain.generate(w))[0]
    for name in ("original", *METHODS):
        assert (readings[name].pixels == truth).all()


def test_counts_are_the_judges_of_the_picture_shown(page):
    pixels = digits.heldout_image(7)
    reading = digits.compare(pixels, [edit(2, 0.7)])["lw"]
    w = page.domain.encoder.encode(to_unit_range(pixels[None]))
    x = page.domain.generate(page.bundle.editors["lw"]["at_least_2"].edit(w, 0.7))
    scores = page.domain.score(x)
    assert reading.judge == int(scores.count[0])
    assert [reading.classes.count(str(c)) for c in range(10)] == scores.classes[0].tolist()


def test_each_method_has_its_own_strength(page):
    strengths = {"lt": 0.25, "lw_neural": 1.0, "lw": 2.0}
    readings = digits.compare(digits.heldout_image(7), [Edit("at_least_2", False, strengths)])
    assert [readings[method].alpha for method in strengths] == [(-0.25,), (-1.0,), (-2.0,)]


@pytest.mark.parametrize(
    ("count", "edits", "add", "attribute"),
    [
        (1, [], True, "at_least_2"),
        (3, [], True, "at_least_4"),
        (1, [edit(2)], True, "at_least_3"),
        (1, [edit(2)], False, "at_least_2"),
        (4, [], False, "at_least_4"),
        (4, [edit(4, add=False)], False, "at_least_3"),
    ],
)
def test_the_next_edit_follows_the_number_of_digits_there_should_be(count, edits, add, attribute):
    strengths = {"lt": 1.5, "lw_neural": 1.0, "lw": 0.5}
    made = digits.next_edit(count, edits, add=add, strengths=strengths, draw=3)
    assert made == Edit(attribute, add, strengths, 3)
    assert made.step("lt").strength == (1.5 if add else -1.5)


def test_no_fifth_digit_and_never_none():
    with pytest.raises(ValueError, match="no editor adds a fifth"):
        digits.next_edit(4, [], add=True, strengths={"lt": 1.0})
    with pytest.raises(ValueError, match="no editor removes the last"):
        digits.next_edit(1, [], add=False, strengths={"lt": 1.0})


@pytest.mark.parametrize("index", [-1, 40, 0.5, float("nan"), None, "../1"])
def test_a_strange_image_number_gets_a_plain_message(page, index):
    with pytest.raises(ValueError, match="The image must be a whole number from 0 to 39"):
        digits.heldout_image(index)


@pytest.mark.parametrize(
    ("edits", "before", "after", "came"),
    [
        ([edit(2)], read("3"), read("37"), "changed"),
        ([edit(2)], read("3"), read("17"), "digit lost"),
        ([edit(2)], read("3"), read("377"), "too much"),
        ([edit(2)], read("3"), read("3", latent=2), "fooled"),
        ([edit(2)], read("3"), read("3"), "not changed"),
        ([edit(2)], read("3"), read("3", judge=2, sure=False), "unsure"),  # of no clear class
        ([edit(3, add=False)], read("357"), read("35"), "changed"),
        ([edit(3, add=False)], read("357"), read("38"), "digit lost"),
        ([edit(3, add=False)], read("357"), read("3"), "too much"),
        ([edit(3, add=False)], read("357"), read("357", latent=2), "fooled"),
        ([edit(2), edit(3)], read("3"), read("37"), "not changed"),
        ([edit(2), edit(2, add=False)], read("3"), read("7"), "changed"),
        ([edit(3, add=False), edit(3)], read("357"), read("378"), "changed"),
        ([edit(3, add=False), edit(3)], read("357"), read("488"), "digit lost"),
    ],
)
def test_an_edit_is_real_with_exactly_the_digits_wanted_and_the_others_kept(
    edits, before, after, came
):
    assert digits.outcome(before, after, len(before.classes), edits) == came


def test_the_strip_holds_the_single_edits(page):
    pixels = digits.heldout_image(3)
    strips = digits.strip(pixels, [], edit(3, add=False), ("lt", "lw"))
    assert list(strips) == ["lt", "lw"]
    for strength, reading in zip(digits.STRIP, strips["lw"].readings, strict=True):
        one = digits.compare(pixels, [edit(3, strength, add=False)], ("lw",))["lw"]
        assert np.abs(reading.pixels.astype(int) - one.pixels).max() <= 1


def test_the_strength_found_is_the_least_that_both_judges_accept(page, monkeypatch):
    """The judges replaced: sure of a digit more from strength 1 on, and of two from 2 on."""
    real = digits._read
    index = of_count(1)
    was = digits.compare(digits.heldout_image(index), [])["original"]

    def judged(x, w):
        readings = real(x, w)
        if len(readings) != len(digits._TRIED):
            return readings
        new = ["", "8", "88"]
        return [
            one._replace(classes=was.classes + new[(s >= 0.7) + (s >= 2)], sure=s >= 1,
                         judge=1 + (s >= 0.7) + (s >= 2))
            for one, s in zip(readings, digits._TRIED, strict=True)
        ]

    monkeypatch.setattr(digits, "_read", judged)
    pixels = digits.heldout_image(index)
    assert digits.find_strength(pixels, [], edit(2), "lt") == 1.0
    found = digits_tab._find(*View(index, lt=0.3, lw=0.4, methods=("lt", "lw")))
    assert found[3:6] == (1.0, 1.0, 1.0)  # LT's, LW neural's as it was, LW affine's
    assert "LT: the least strength accepted is 1." in found[-3]
    monkeypatch.setattr(digits, "_read", real)
    monkeypatch.setattr(digits, "SURE", 1.0)  # nobody is ever so sure
    assert digits.find_strength(pixels, [], edit(2), "lt") is None
    found = digits_tab._find(*View(index, lt=0.3))
    assert "LT: no strength up to 3 makes an edit that the judges accept" in found[-3]
    assert found[3] == 0.3


def card(html, method):
    return html.split(f'<figure class="card {method}">')[1].split("</figure>")[0]


def test_the_cards_say_what_came_of_the_edit(page, monkeypatch):
    real = digits.compare

    def told(pixels, edits, methods):
        readings = real(pixels, edits, methods)
        was = readings["original"].classes
        readings["lt"] = readings["lt"]._replace(classes=was, latent=3, judge=2)
        readings["lw_neural"] = readings["lw_neural"]._replace(
            classes=was + "8", latent=3, judge=3, sure=True)
        readings["lw"] = readings["lw"]._replace(classes="8", latent=3, judge=3)
        return readings

    monkeypatch.setattr(digits, "compare", told)
    html = digits_cards.compare_html(View(of_count(2), methods=METHODS))
    lt = card(html, "lt")
    assert "latent classifier: 3 digits <b class=\"yes\">✓</b>" in lt
    assert "image judge: 2 digits <b class=\"no\">✗</b>" in lt
    assert "not changed: only the classifier is convinced" in lt
    neural = card(html, "lw_neural")
    assert "image judge: 3 digits <b class=\"yes\">✓</b>" in neural
    assert "✓ really changed<" in neural
    assert "new: 8" in neural
    affine = card(html, "lw")
    assert "image judge: 3 digits <b class=\"no\">✗</b>" in affine  # the number alone is no tick
    assert "digit lost" in affine


@pytest.fixture
def only_neural_adds(page, monkeypatch):
    """LW neural's first edit adds an 8, whatever else is asked of whom does nothing."""
    real = digits._compared

    def judged(data, shape, steps):
        readings = real(data, shape, steps)
        was = readings["original"]
        for method, own in steps:
            more = method == "lw_neural" and len(own) == 1
            readings[method] = was._replace(classes=was.classes + "8" * more, sure=True,
                                            judge=was.judge + more)
        return readings

    return lambda: monkeypatch.setattr(digits, "_compared", judged)


def test_who_adds_nothing_has_nothing_to_remove(only_neural_adds):
    only_neural_adds()
    html = digits_cards.compare_html(View(of_count(1), [edit(2)], "remove"))
    assert "✓ really changed" in card(html, "lw_neural")
    assert "an edit before this one came to nothing" in card(html, "lt")
    assert "✓" not in card(html, "lt").split("latent")[0]


def test_a_strip_rings_only_what_the_edit_itself_made_true(only_neural_adds, monkeypatch):
    """LT added nothing, so where it is asked to remove, the number wanted is no success."""
    index = of_count(1)
    before = digits.compare(digits.heldout_image(index), [])["original"]
    removed = [before._replace(sure=True) for _ in digits.STRIP]
    only_neural_adds()
    monkeypatch.setattr(digits, "strip", lambda *_: {
        method: digits.DigitStrip(digits.STRIP, removed) for method in ("lt", "lw_neural")})
    html = digits_cards.strip_html(View(index, [edit(2)], "remove"))
    lt, neural = html.split('scope="row"')[1:]
    assert lt.count('class="hit') == 0
    assert neural.count('class="hit') == len(digits.STRIP) - 1  # none where nothing was done


def test_only_the_methods_chosen_are_shown(page):
    html = digits_cards.compare_html(View(of_count(1)))
    assert html.count("<figure") == 3
    assert 'class="card lw"' not in html
    *visible, html = digits_tab._chosen(*View(of_count(1), methods=["lw", "lt"]))
    assert [update["visible"] for update in visible] == [True, False, True]
    assert html.index('class="card lt"') < html.index('class="card lw"')


def test_a_missing_editor_is_said_and_the_other_methods_go_on(page, monkeypatch):
    can = studio.Studio.can
    monkeypatch.setattr(studio.Studio, "can", lambda self, method, step: (
        can(self, method, step) and (method != "lw_neural" or step.attribute != "at_least_3")))
    html = digits_cards.compare_html(View(of_count(2)))
    assert "No editor of LW neural for 2→3" in card(html, "lw_neural")
    assert "<img" not in card(html, "lw_neural")
    assert "image judge" in card(html, "lt")
    assert digits_cards.strip_html(View(of_count(2))).count('scope="row"') == 1


def test_at_four_digits_the_page_says_so_and_still_shows_the_image(page):
    html = digits_cards.compare_html(View(of_count(4)))
    assert "no editor adds a fifth" in html
    assert html.count("<figure") == 3


@pytest.mark.parametrize("strength", [float("nan"), -1.0, 1e9])
def test_a_strange_strength_is_a_notice_not_a_crash(page, strength):
    html = digits_cards.compare_html(View(of_count(1), lt=strength))
    assert "The strength must be a number from 0 to 5" in html


@pytest.mark.parametrize("draw", [-1, 2**31, None])
def test_a_strange_draw_is_a_notice_and_the_next_draw_mends_it(page, draw):
    html = digits_cards.compare_html(View(of_count(1), draw=draw))
    assert "The draw must be a whole number" in html
    assert digits_tab._another(*View(of_count(1), draw=draw))[6] == 1


def test_random_takes_images_that_have_the_edit(page):
    rng = random.Random(0)
    for add, without in ((True, 4), (False, 1)):
        for _ in range(15):
            index = digits.random_index(rng, add=add)
            assert digits.source_count(digits.heldout_image(index)) != without


def test_a_number_out_of_range_is_said_beside_the_field_and_changes_nothing(page):
    answer = digits_tab._numbered(99, *View(3))
    said = [value for value in answer if isinstance(value, str)]
    assert len(said) == 1
    assert "The image must be a whole number from 0 to 39, got 99" in said[0]
    assert digits_tab._another(*View(3))[9] == 3  # and any other widget puts the number back
    answer = digits_tab._numbered(7, *View(3, lt=2.0, draw=4))
    assert answer[0] == 7
    assert answer[3:7] == (1.0, 1.0, 1.0, 0)
    assert "held-out image 7" in answer[-1]


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
    view = View(of_count(1), [edit(2)], lt=2.0)
    own, edits, *rest = digits_tab._from_drawing(as_uri(canvas), *view)
    assert "Encoded" in rest[-2]
    assert own.shape == (1, 64, 64)
    assert edits == []
    assert "your picture" in rest[-1]
    source, edits, *_, said, _ = digits_tab._from_drawing(
        as_uri(np.zeros((320, 320, 4), np.uint8)), *view)
    assert source == view.source
    assert edits == [edit(2)]
    assert "no drawing yet" in said


def test_an_upload_without_digits_is_not_called_undrawn(page, tmp_path):
    Image.new("L", (200, 200), 230).save(tmp_path / "empty.png")
    *_, said, _ = digits_tab._from_upload(str(tmp_path / "empty.png"), *View(of_count(1)))
    assert "No digits were found in this picture" in said


def test_an_upload_in_which_the_judge_sees_no_digit_is_refused(page, monkeypatch):
    real = digits._encoded
    monkeypatch.setattr(digits, "_encoded", lambda *image: real(*image)._replace(image=read("")))
    with pytest.raises(ValueError, match="The image judge sees no digit in this picture"):
        digits.source_count(digits.heldout_image(0))


def test_keep_adds_digit_after_digit_and_sets_the_strengths_back(page):
    view = View(of_count(1), lt=2.0, draw=5)
    for n in (2, 3, 4):
        values = digits_tab._keep(*view)
        kept = View(*values[:8])
        assert kept.edits[-1].attribute == f"at_least_{n}"
        assert (kept.lt, kept.lw_neural, kept.lw, kept.draw) == (0, 0, 0, 0)
        assert values[-5].count("+1 digit") == n - 1
        view = kept.at(1.0)
    assert view.edits[0] == Edit("at_least_2", True, {"lt": 2.0, "lw_neural": 1.0, "lw": 1.0}, 5)
    assert "no editor adds a fifth" in digits_cards.compare_html(view)
    assert list(digits_tab._keep(*view)[1]) == view.edits


def test_reset_resets_all_of_it(page):
    own = digits.heldout_image(3)
    view = View(own, [edit(2)], "remove", 2.0, 0.5, 0.1, 9, ["lt"], 7)
    assert digits_tab._reset(5, *view)[:10] == (5, [], "add", 1.0, 1.0, 1.0, 0, ["lt"], -1, 5)
    assert digits_tab._reset(99, *view)[0] == digits_cards.EXAMPLES[0]


def test_the_digit_asked_for_is_the_one_that_lw_neural_adds():
    """With the shipped editor of the real domain, as the page reads the image."""
    index = next(i for i in digits_cards.EXAMPLES
                 if digits.source_count(digits.heldout_image(i)) == 1)
    pixels, read = digits.heldout_image(index), 0
    for digit in range(10):
        asked = digits.next_edit(1, [], add=True, strengths={"lw_neural": 1.0}, digit=digit)
        reading = digits.compare(pixels, [asked], ("lw_neural",))["lw_neural"]
        read += str(digit) in reading.classes
    assert read >= 8
    with pytest.raises(ValueError, match="The digit must be a whole number from 0 to 9, got 10"):
        digits.next_edit(1, [], add=True, strengths={"lw_neural": 1.0}, digit=10)


def test_another_digit_is_the_next_draw_and_a_draw_is_always_the_same(page):
    values = digits_tab._another(*View(of_count(1), lw_neural=0, draw=2))
    assert values[6] == 3
    assert values[4] == 1.0
    space, task = page.domain.space, page.domain.tasks[0]
    net = Transport(16, 20, True, NeuralConfig(cells=16))
    rng = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(net.map.end.weight, generator=rng)
    editor = LatentWassersteinNeural(task.attribute, space, {"add": net},
                                     torch.randn(16, 8, generator=rng))
    bundle = replace(page.bundle, editors={"lw_neural": {task.attribute: editor}})
    place = studio.Studio(page.domain, bundle)
    w = torch.randn(1, space.layers, space.dim, generator=rng)
    made = [place.move(w, "lw_neural", studio.Step(task.attribute, 1.0, draw))[0]
            for draw in (0, 1, 2, 1)]
    assert torch.equal(made[0], editor.edit(w, 1.0))
    assert torch.equal(made[1], made[3])
    assert not torch.equal(made[1], made[0])
    assert not torch.equal(made[1], made[2])
    assert place.can("lw_neural", studio.Step(task.attribute, 1.0))
    with pytest.raises(ValueError, match="k must be one of the editor's 0 classes"):
        place.move(w, "lw_neural", studio.Step(task.attribute, 1.0, k=3))
    assert not place.can("lw_neural", studio.Step(task.attribute, -1.0))


def test_the_page_opens_where_the_point_is_seen():
    """With the shipped editors; where others are shipped, open on another of the examples."""
    view = View()
    count, edits, _ = view.asked()
    readings = digits.compare(view.pixels, edits, view.shown)
    before = readings["original"]
    assert digits.outcome(before, readings["lt"], count, edits) == "fooled"
    assert digits.outcome(before, readings["lw_neural"], count, edits) == "changed"
    assert readings["lw_neural"].sure


def test_the_animation_is_green_where_the_edit_is_accepted(page, monkeypatch, tmp_path):
    index, real, side = of_count(1), digits._read, 160 + 14
    before = digits.compare(digits.heldout_image(index), [])["original"]

    def judged(x, w):  # every second picture of a strip has a digit more
        return [one._replace(classes=before.classes + "8" * (i % 2), judge=before.judge + i % 2,
                             sure=True) for i, one in enumerate(real(x, w))]

    monkeypatch.setattr(digits, "_read", judged)
    frames = animate.draw_strip(index, (0.0, 0.5, 1.0, 1.5))
    assert [frame.size for frame in frames] == [(3 * side - 14, 186)] * 4
    green = [[frame.getpixel((column * side, 100)) == (11, 138, 90) for column in range(3)]
             for frame in frames]
    assert green == [[False] * 3, [True] * 3, [False] * 3, [True] * 3]
    still = [frames[0].crop((column * side, 26, column * side + 160, 186)).tobytes()
             for column in range(3)]
    assert len(set(still)) == 1  # nothing is done at strength 0
    animate.main(["--image", str(index), "--out", str(tmp_path / "strip.gif")])
    with Image.open(tmp_path / "strip.gif") as made:
        assert made.n_frames == len(animate.STRENGTHS)
