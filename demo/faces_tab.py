"""The faces tab: widgets, and the HTML of what they show."""

import random
from collections.abc import Sequence

import gradio as gr

from demo import faces
from demo.cards import (
    Card,
    Frame,
    comparison,
    html,
    meter,
    notice,
    percent,
    strip_table,
    verdict,
)
from demo.pictures import data_uri, enlarge
from demo.studio import METHODS_SHOWN, Step, studio

__all__ = ["build", "compare_html", "gallery_html", "strip_html"]

GALLERY = (57, 47, 101, 83, 41, 90, 22, 66, 38, 58, 113, 104)
_START = (GALLERY[0], "eyeglasses", 1.25)
_TITLE = "The faces tab needs its weights"
_PICK = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-seed]');
  if (button) trigger('select', {index: Number(button.dataset.seed), value: button.dataset.seed});
});"""
Edits = list[tuple[str, float]]


def words(attribute: str) -> str:
    """An attribute as people write it."""
    return attribute.replace("_", " ")


def compare_html(seed: float, edits: Edits, attribute: str, strength: float) -> str:
    """The face, LT's and LW's, or in their place what is wrong."""
    try:
        steps = _steps(edits, attribute, strength)
        readings = faces.compare(seed, steps)
    except ValueError as error:
        return notice("That cannot be shown", str(error))
    before = readings["original"]
    cards = [_original_card(seed, before, attribute)]
    for method in METHODS_SHOWN:
        cards.append(_method_card(method, readings[method], before, steps, attribute, strength))
    return comparison(cards)


def strip_html(seed: float, edits: Edits, attribute: str) -> str:
    """Both methods over strengths; empty where `compare_html` says what is wrong."""
    try:
        strips = faces.strip(seed, [Step(*edit) for edit in edits], attribute)
    except ValueError:
        return ""
    rows = {
        method: [
            Frame(strength, pixels, percent(p), _turned(strength, p, one))
            for strength, pixels, p in zip(one.strengths, one.pixels, one.judge, strict=True)
        ]
        for method, one in strips.items()
    }
    title = (f"“{words(attribute)}” from less to more, and how sure the image judge is of it; "
             "green: its verdict turned as asked")
    return strip_table(title, rows)


def _turned(strength: float, p: float, strip: faces.FaceStrip) -> bool:
    """Whether the judge's verdict is what was asked for, and was not before the edit."""
    had = strip.judge[strip.strengths.index(0.0)] > 0.5
    return strength != 0 and (p > 0.5) == (strength > 0) != had


def gallery_html() -> str:
    """A dozen faces to begin with."""
    try:
        shown = {seed: data_uri(enlarge(faces.face(seed).pixels, 128)) for seed in GALLERY}
    except ValueError as error:
        return notice(_TITLE, str(error))
    buttons = "".join(
        f'<button type="button" data-seed="{seed}" title="seed {seed}">'
        f'<img src="{uri}" alt="Face of seed {seed}"></button>'
        for seed, uri in shown.items()
    )
    return f'<div class="thumbs" role="group" aria-label="Faces to begin with">{buttons}</div>'


def chips_html(edits: Edits) -> str:
    """Edits kept so far."""
    if not edits:
        return '<div class="chips">No edit kept yet.</div>'
    chips = "".join(f"<span>{words(name)} {strength:+g}</span>" for name, strength in edits)
    return f'<div class="chips">Kept: {chips}</div>'


def _steps(edits: Edits, attribute: str, strength: float) -> list[Step]:
    """Kept edits and the one on the slider; at 0 it is none."""
    steps = [Step(*edit) for edit in edits]
    return steps if strength == 0 else [*steps, Step(attribute, strength)]


def _original_card(seed: float, before: faces.FaceReading, attribute: str) -> Card:
    has = [words(name) for name, p in before.judge.items() if p > 0.5]
    listed = ", ".join(has) or "none of the attributes"
    facts = [
        meter(f"judge: {words(attribute)}", before.judge[attribute],
              percent(before.judge[attribute])),
        f'<p class="soft">The image judge sees: {listed}.</p>',
    ]
    return Card(
        "plain", "Original", f"the face of seed {int(seed)}, which nobody has", before.pixels,
        f"Generated face of seed {int(seed)}: {listed}", facts, "64 px, enlarged", wide=True,
    )


def _method_card(
    method: str, after: faces.FaceReading, before: faces.FaceReading, steps: Sequence[Step],
    attribute: str, strength: float,
) -> Card:
    asked = strength != 0
    wanted = strength > 0
    latent, judge = after.latent[attribute] > 0.5, after.judge[attribute] > 0.5
    said = {True: "yes", False: "no"}
    targets = {step.attribute for step in steps} | {attribute}
    changed = [
        f"{'+' if after.judge[name] > 0.5 else '−'} {words(name)}"
        for name, p in before.judge.items()
        if name not in targets and (p > 0.5) != (after.judge[name] > 0.5)
    ]
    others = (f'<span class="no">{", ".join(changed)}</span>' if changed
              else '<span class="yes">nothing else</span>')
    strangers = _stranger_likeness()
    facts = [
        verdict(said[latent], latent == wanted, said[judge], judge == wanted, asked=asked),
        meter(f"judge: {words(attribute)}", after.judge[attribute],
              f"{percent(before.judge[attribute])} → {percent(after.judge[attribute])}"),
        f"<p>Also changed: {others}</p>",
        meter("identity kept", after.identity, _likeness(after.identity, strangers),
              mark=strangers),
    ]
    alpha = "α " + ", ".join(f"{value:+.2f}" for value in after.alpha) if after.alpha else "no edit"
    alt = f"The face edited by {method.upper()}: {words(attribute)} {said[judge]}"
    return Card(
        method, "", "", after.pixels, alt, facts, f"{alpha} · {after.milliseconds:.0f} ms",
        before=before.pixels,
    )


def _likeness(value: float, strangers: float | None) -> str:
    return f"{value:.2f}" if strangers is None else f"{value:.2f} (strangers {strangers:.2f})"


def _stranger_likeness() -> float | None:
    """Likeness of two different faces by the measure shown, where the judges' report has it."""
    domain = studio("faces").domain
    known = domain.facts().get("identity", {}).get(domain.identities[-1], {})
    value = known.get("strangers") if isinstance(known, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _attributes() -> tuple[str, ...]:
    from lwedit.domains import FacesDomain

    return FacesDomain.editable


def build(page: gr.Blocks) -> None:
    """Lay out the tab and connect it.

    Args:
        page: Whose load event shows the first face.
    """
    edits = gr.State([])
    with gr.Row(equal_height=False, elem_classes="sides"):
        with gr.Column(scale=3, min_width=290, elem_classes="controls"):
            with gr.Row(elem_classes="seedrow"):
                seed = gr.Number(_START[0], label="Face (seed)", precision=0, minimum=0,
                                 maximum=faces.LAST_SEED, scale=2, min_width=110)
                other = gr.Button("Random", scale=1, min_width=90)
            attribute = gr.Radio([(words(name), name) for name in _attributes()], value=_START[1],
                                 label="Attribute", elem_classes="choices")
            strength = gr.Slider(-2.5, 2.5, _START[2], step=0.05, label="Strength")
            html('<p class="note">Below 0 removes. At 1, half of all faces change, whichever the '
                 "method.</p>")
            keep = gr.Button("Keep and edit further", variant="primary")
            with gr.Row():
                undo = gr.Button("Undo", min_width=60)
                reset = gr.Button("Reset", min_width=60)
            chips = html(chips_html([]))
        with gr.Column(scale=9, min_width=320):
            cards, table = html(elem_classes="first"), html()
            html('<p class="note">Faces to begin with, picked by hand for being bright and '
                 "looking at you; the generator makes many that are not.</p>")
            gallery = html(js_on_load=_PICK)
    shown = [seed, edits, attribute, strength]
    quiet = {"api_visibility": "private", "show_progress": "hidden", "concurrency_id": "cpu",
             "concurrency_limit": 1, "trigger_mode": "always_last"}
    gr.on([strength.release, strength.input], compare_html, shown, cards, **quiet)
    gr.on([attribute.input], _choose, [seed, edits, attribute, strength],
          [strength, cards, table], **quiet)
    gr.on([seed.change], _both, shown, [cards, table], **quiet)
    other.click(lambda: random.randint(0, 99_999), None, seed, **quiet)
    gallery.select(_picked, None, seed, **quiet)
    keep.click(_keep, shown, [edits, strength, chips, cards, table], **quiet)
    undo.click(_undo, shown, [edits, chips, cards, table], **quiet)
    reset.click(_reset, [seed, attribute], [edits, strength, chips, cards, table], **quiet)
    page.load(_first, shown, [cards, table, gallery], **quiet)


def _both(seed: float, edits: Edits, attribute: str, strength: float) -> tuple[str, str]:
    return compare_html(seed, edits, attribute, strength), strip_html(seed, edits, attribute)


def _first(seed: float, edits: Edits, attribute: str, strength: float) -> tuple[str, str, str]:
    return *_both(seed, edits, attribute, strength), gallery_html()


def _choose(
    seed: float, edits: Edits, attribute: str, strength: float
) -> tuple[float, str, str]:
    """Another attribute: removed where the face has it, added where it has not."""
    try:
        has = faces.face(seed).judge[attribute] > 0.5
    except ValueError:
        has = False
    size = abs(strength) or _START[2]
    strength = -size if has else size
    return strength, *_both(seed, edits, attribute, strength)


def _picked(event: gr.SelectData) -> int:
    return int(event.index)


def _keep(
    seed: float, edits: Edits, attribute: str, strength: float
) -> tuple[Edits, float, str, str, str]:
    kept = edits if strength == 0 else [*edits, (attribute, strength)]
    return kept, 0.0, chips_html(kept), *_both(seed, kept, attribute, 0.0)


def _undo(
    seed: float, edits: Edits, attribute: str, strength: float
) -> tuple[Edits, str, str, str]:
    left = edits[:-1]
    return left, chips_html(left), *_both(seed, left, attribute, strength)


def _reset(seed: float, attribute: str) -> tuple[Edits, float, str, str, str]:
    strength, cards, table = _choose(seed, [], attribute, _START[2])
    return [], strength, chips_html([]), cards, table
