"""The faces tab as HTML: what stands under a picture is what was measured."""

import re

import pytest

from demo import faces, faces_tab
from demo.cards import percent
from demo.studio import Step


@pytest.fixture
def tab(monkeypatch, toy_faces):
    monkeypatch.setattr(faces_tab, "GALLERY", (1, 2))
    return toy_faces


def test_three_cards_name_their_methods_in_words(tab):
    html = faces_tab.compare_html(1, [], "disc", 1.0)
    assert html.count("<figure") == 3
    assert "moves the whole distribution (optimal transport)" in html
    assert "pushes across a classifier’s boundary" in html


def test_the_numbers_shown_are_those_measured(tab):
    html = faces_tab.compare_html(1, [("ring", 0.5)], "disc", 1.0)
    readings = faces.compare(1, [Step("ring", 0.5), Step("disc", 1.0)])
    before = percent(readings["original"].judge["disc"])
    for method in ("lt", "lw"):
        assert f"{before} → {percent(readings[method].judge['disc'])}" in html


def test_every_picture_has_its_words(tab):
    html = faces_tab.compare_html(1, [], "disc", 1.0)
    shown = re.findall(r"<img ([^>]*)>", html)
    assert len(shown) == 5  # two of them are the original again, laid over by the wipe
    assert sum('alt=""' in image for image in shown) == 2
    assert all("alt=" in image for image in shown)


def test_a_method_that_convinces_only_the_classifier_is_called_adversarial(tab, monkeypatch):
    real = faces.compare

    def fooled(seed, steps):
        readings = real(seed, steps)
        lt = readings["lt"]
        return readings | {"lt": lt._replace(latent={**lt.latent, "disc": 0.9},
                                             judge={**lt.judge, "disc": 0.1})}

    monkeypatch.setattr(faces, "compare", fooled)
    html = faces_tab.compare_html(1, [], "disc", 1.0)
    lt = html.split("<figure")[2]
    assert "adversarial: only the classifier is convinced" in lt


def test_what_else_changed_is_named_and_the_target_is_not(tab):
    html = faces_tab.compare_html(2, [], "disc", 2.0)
    readings = faces.compare(2, [Step("disc", 2.0)])
    original = readings["original"].judge
    for card, method in zip(html.split("<figure")[2:], ("lt", "lw"), strict=True):
        told = card.split("Also changed: ")[1].split("</p>")[0]
        changed = {name for name, p in readings[method].judge.items()
                   if (p > 0.5) != (original[name] > 0.5)} - {"disc"}
        for name in ("ring", "cross", "bar"):
            assert (name in told) == (name in changed)


def test_missing_weights_become_a_notice_that_says_what_to_do(monkeypatch):
    from demo import studio

    def missing(name):
        raise ValueError("assets/faces/judges/naming.safetensors must hold a judge of faces")

    monkeypatch.setattr(studio, "_open", missing)
    faces._face.cache_clear()
    html = faces_tab.compare_html(1, [], "eyeglasses", 1.0)
    assert 'class="notice"' in html
    assert "must hold a judge of faces" in html
    assert faces_tab.strip_html(1, [], "eyeglasses") == ""
    assert "must hold a judge" in faces_tab.gallery_html()


def test_choosing_an_attribute_that_the_face_has_offers_to_remove_it(tab):
    for seed in range(6):
        has = faces.face(seed).judge["cross"] > 0.5
        strength, *_ = faces_tab._choose(seed, [], "cross", 1.25)
        assert strength == (-1.25 if has else 1.25)


def test_keep_undo_and_reset(tab):
    kept, strength, chips, cards, _ = faces_tab._keep(1, [], "disc", 1.0)
    assert kept == [("disc", 1.0)]
    assert strength == 0
    assert "disc +1" in chips
    assert cards.count("<figure") == 3
    left, chips, *_ = faces_tab._undo(1, kept, "disc", 0.0)
    assert left == []
    assert "No edit kept" in chips
    assert faces_tab._reset(1, "disc")[0] == []


def test_a_strange_strength_is_a_notice_not_a_crash(tab):
    assert "The strength must be a number" in faces_tab.compare_html(1, [], "disc", float("nan"))
    assert "The seed must be" in faces_tab.compare_html(None, [], "disc", 1.0)


def test_the_tick_of_identity_is_where_the_judges_report_has_strangers(tab, monkeypatch):
    measure = tab.domain.identities[-1]
    assert faces_tab._stranger_likeness() is None  # the toy has no report
    assert "strangers" not in faces_tab.compare_html(1, [], "disc", 1.0)
    report = {"identity": {"faces": 60, measure: {"strangers": 0.31, "mirrored": 0.85}}}
    monkeypatch.setattr(type(tab.domain), "facts", lambda self: report)
    html = faces_tab.compare_html(1, [], "disc", 1.0)
    assert html.count("(strangers 0.31)") == 2
    assert html.count('<u style="left:31%">') == 2


def test_the_shipped_judges_report_has_strangers_under_that_key():
    from lwedit.domains import FacesDomain

    domain = FacesDomain.load()
    assert 0 < domain.facts()["identity"][domain.identities[-1]]["strangers"] < 1


@pytest.mark.parametrize(
    ("judge", "ringed"),
    [
        ((0.1, 0.4, 0.9, 0.9, 0.9, 0.9, 0.9), (-2.0, -1.0)),  # it has it: only removing can succeed
        ((0.6, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9), ()),
        ((0.0, 0.0, 0.1, 0.3, 0.6, 0.4, 0.9), (1.0, 2.0)),  # it lacks it: nothing to remove
    ],
)
def test_a_ring_says_that_what_was_asked_for_came_true(tab, monkeypatch, judge, ringed):
    pixels = faces.strip(1, [], "disc")["lw"].pixels
    monkeypatch.setattr(faces, "strip", lambda *_: {"lw": faces.FaceStrip(faces.STRIP, pixels,
                                                                          judge)})
    html = faces_tab.strip_html(1, [], "disc")
    cells = re.findall(r'<td class="([^"]*)"><img src="[^"]*" alt="LW affine at strength ([^:]*):',
                       html)
    assert [float(strength) for _, strength in cells] == list(faces.STRIP)
    assert tuple(float(strength) for kinds, strength in cells if "hit" in kinds) == ringed
