"""The digits tab: widgets, and the HTML of what they show."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from demo import digits
from demo.cards import Card, Frame, comparison, html, notice, strip_table, verdict
from demo.handwriting import to_domain
from demo.pictures import read_data_uri, read_picture
from demo.studio import METHODS_SHOWN, STRONGEST, Step, studio

__all__ = ["build", "compare_html", "drawn_image", "strip_html", "uploaded_image"]

_START = (4, "add", 1.5)  # the first held-out image of one digit
_PAD = """<div class="pad"><canvas width="320" height="320" role="img"
aria-label="Canvas for digits, by mouse, pen or finger; a picture can be uploaded instead"></canvas>
</div>"""
_SEND = """(drawn, ...rest) => [document.querySelector('.pad canvas').toDataURL('image/png'),
...rest]"""
Edits = list[tuple[str, float]]
Own = np.ndarray | None


def counted(n: int) -> str:
    """A number of digits in words."""
    return f"{n} digit" if n == 1 else f"{n} digits"


def compare_html(own: Own, index: float, edits: Edits, way: str, strength: float) -> str:
    """The image, its reconstruction, LT's and LW's edit, or in their place what is wrong."""
    try:
        pixels = own if own is not None else digits.heldout_image(index)
        count = digits.source_count(pixels)
        steps, warning = _steps(count, edits, way, strength)
        readings = digits.compare(pixels, steps)
    except ValueError as error:
        return notice("That cannot be shown", str(error))
    goal = digits.goal_after(count, steps)
    before = readings["original"]
    subtitle = "your picture, in the size of the domain" if own is not None else (
        f"held-out number {int(index)}")
    cards = [
        Card("plain", "Image", subtitle, readings["image"].pixels,
             f"Image with {counted(readings['image'].judge)}", [_counts(readings["image"])]),
        Card("plain", "Reconstruction", "by encoder and generator; this is what gets edited",
             before.pixels, f"Reconstruction with {counted(before.judge)}",
             [_counts(before), f'<p class="soft">latent classifier: {counted(before.latent)}</p>']),
    ]
    cards += [_method_card(method, readings[method], before, goal, steps)
              for method in METHODS_SHOWN]
    above = notice("No such edit", warning) if warning else ""
    return f'<div class="stack">{above}{comparison(cards)}</div>'


def strip_html(own: Own, index: float, edits: Edits, way: str) -> str:
    """Both methods over strengths; empty where `compare_html` says what is wrong."""
    try:
        pixels = own if own is not None else digits.heldout_image(index)
        count = digits.source_count(pixels)
        kept = [Step(*edit) for edit in edits]
        step = digits.next_step(count, kept, add=way == "add", strength=1.0)
        strips = digits.strip(pixels, kept, step)
    except ValueError:
        return ""
    goal = digits.goal_after(count, [*kept, step])
    sign = 1 if way == "add" else -1
    rows = {
        method: [
            Frame(strength, image, f"{seen} seen, {latent} latent", sign * (seen - goal) >= 0)
            for strength, image, seen, latent in zip(
                one.strengths, one.pixels, one.judge, one.latent, strict=True)
        ]
        for method, one in strips.items()
    }
    verb = "Adding" if way == "add" else "Removing"
    return strip_table(f"{verb} a digit, from less to more: digits that the image judge sees, "
                       "digits that the latent classifier claims", rows)


def drawn_image(drawing: str) -> np.ndarray:
    """What somebody drew, as an image of the domain.

    Args:
        drawing: The canvas as a data URI.

    Raises:
        ValueError: In plain words, if there is nothing on the canvas, or too much.
    """
    return to_domain(read_data_uri(drawing), studio("digits").domain.geometry)


def uploaded_image(path: str) -> np.ndarray:
    """What somebody sent, as an image of the domain.

    Raises:
        ValueError: In plain words, if it is no picture of digits.
    """
    return to_domain(read_picture(Path(path)), studio("digits").domain.geometry)


def chips_html(edits: Edits) -> str:
    """Edits kept so far."""
    if not edits:
        return '<div class="chips">No edit kept yet.</div>'
    chips = "".join(f"<span>{'+' if s > 0 else '−'}1 digit, strength {abs(s):g}</span>"
                    for _, s in edits)
    return f'<div class="chips">Kept: {chips}</div>'


def _steps(count: int, edits: Edits, way: str, strength: float) -> tuple[list[Step], str]:
    """Kept edits and the one on the slider; where there is none such, why."""
    kept = [Step(*edit) for edit in edits]
    if not 0 <= strength <= STRONGEST:  # NaN too
        raise ValueError(f"The strength must be a number from 0 to {STRONGEST:g}.")
    if strength == 0:
        return kept, ""
    try:
        return [*kept, digits.next_step(count, kept, add=way == "add", strength=strength)], ""
    except ValueError as error:
        return kept, str(error)


def _counts(reading: digits.DigitReading) -> str:
    read = " ".join(reading.classes) or "none"
    return f"<p>image judge: <b>{counted(reading.judge)}</b>, reads {read}</p>"


def _method_card(
    method: str, after: digits.DigitReading, before: digits.DigitReading, goal: int,
    steps: list[Step],
) -> Card:
    sign = 1 if steps and steps[-1].strength > 0 else -1
    agrees = [sign * (n - goal) >= 0 for n in (after.latent, after.judge)]
    lost = Counter(before.classes) - Counter(after.classes)
    gone = ("<span class=\"no\">no longer read: "
            f"{' '.join(sorted(lost.elements()))}</span>" if lost
            else '<span class="yes">all still there</span>')
    facts = [
        verdict(counted(after.latent), agrees[0], counted(after.judge), agrees[1],
                asked=bool(steps)),
        f"<p>reads {' '.join(after.classes) or 'none'}; the digits before: {gone}</p>",
    ]
    alpha = "α " + ", ".join(f"{value:+.2f}" for value in after.alpha) if after.alpha else "no edit"
    return Card(
        method, "", "", after.pixels, f"Edited by {method.upper()}: {counted(after.judge)}", facts,
        f"{alpha} · {after.milliseconds:.0f} ms", before=before.pixels,
    )


def build(page: gr.Blocks) -> None:
    """Lay out the tab and connect it.

    Args:
        page: Whose load event shows the first image.
    """
    edits, own = gr.State([]), gr.State(None)
    with gr.Row(equal_height=False, elem_classes="sides"):
        with gr.Column(scale=3, min_width=290, elem_classes="controls"):
            with gr.Row(elem_classes="seedrow"):
                index = gr.Number(_START[0], label="Held-out image", precision=0, minimum=0,
                                  maximum=3999, scale=2, min_width=110)
                other = gr.Button("Random", scale=1, min_width=90)
            way = gr.Radio([("Add a digit", "add"), ("Remove a digit", "remove")], value=_START[1],
                           label="Edit", elem_classes="choices")
            strength = gr.Slider(0, 3, _START[2], step=0.05, label="Strength")
            html('<p class="note">At 1, the latent classifier accepts half of the edits, whichever '
                 "the method.</p>")
            keep = gr.Button("Keep and edit further", variant="primary")
            with gr.Row():
                undo = gr.Button("Undo", min_width=60)
                reset = gr.Button("Reset", min_width=60)
            chips = html(chips_html([]))
            with gr.Accordion("Draw your own, or upload a picture", open=False):
                html(_PAD)
                drawn = gr.Textbox(visible=False)
                use = gr.Button("Edit this drawing", variant="primary")
                with gr.Row():
                    clear = gr.Button("Clear", min_width=60)
                    upload = gr.UploadButton("Upload", type="filepath", file_types=["image"],
                                             min_width=60)
                message = html('<p class="note">One to four digits, apart from each other.</p>')
        with gr.Column(scale=9, min_width=320):
            cards, table = html(elem_classes="first"), html()
    shown = [own, index, edits, way, strength]
    quiet = {"api_visibility": "private", "show_progress": "hidden", "concurrency_id": "cpu",
             "concurrency_limit": 1, "trigger_mode": "always_last"}
    gr.on([strength.release, strength.input], compare_html, shown, cards, **quiet)
    gr.on([way.input], _both, shown, [cards, table], **quiet)
    gr.on([index.change], _from_heldout, [index, way, strength],
          [own, edits, chips, cards, table], **quiet)
    other.click(lambda: random.randrange(4000), None, index, **quiet)
    received = [own, edits, chips, message, cards, table]
    use.click(_from_drawing, [drawn, *shown], received, js=_SEND, **quiet)
    clear.click(None, js="() => lwClear()")
    upload.upload(_from_upload, [upload, *shown], received, **quiet)
    keep.click(_keep, shown, [edits, chips, cards, table], **quiet)
    undo.click(_undo, shown, [edits, chips, cards, table], **quiet)
    reset.click(_from_heldout, [index, way, strength], [own, edits, chips, cards, table], **quiet)
    page.load(_both, shown, [cards, table], **quiet)


def _both(
    own: Own, index: float, edits: Edits, way: str, strength: float
) -> tuple[str, str]:
    return compare_html(own, index, edits, way, strength), strip_html(own, index, edits, way)


def _from_heldout(
    index: float, way: str, strength: float
) -> tuple[None, Edits, str, str, str]:
    return None, [], chips_html([]), *_both(None, index, [], way, strength)


def _from_drawing(
    drawing: str, own: Own, index: float, edits: Edits, way: str, strength: float
) -> tuple[Own, Edits, str, str, str, str]:
    return _received(lambda: drawn_image(drawing), own, index, edits, way, strength)


def _from_upload(
    path: str, own: Own, index: float, edits: Edits, way: str, strength: float
) -> tuple[Own, Edits, str, str, str, str]:
    return _received(lambda: uploaded_image(path), own, index, edits, way, strength)


def _received(
    make: Any, own: Own, index: float, edits: Edits, way: str, strength: float  # noqa: ANN401
) -> tuple[Own, Edits, str, str, str, str]:
    """A picture of one's own in place of what was edited; where it is none, why, and no change."""
    try:
        own, edits = make(), []
        said = '<p class="note">Encoded: edit it with the controls above.</p>'
    except ValueError as error:
        said = notice("That cannot be used", str(error))
    return own, edits, chips_html(edits), said, *_both(own, index, edits, way, strength)


def _keep(
    own: Own, index: float, edits: Edits, way: str, strength: float
) -> tuple[Edits, str, str, str]:
    try:
        pixels = own if own is not None else digits.heldout_image(index)
        steps, _ = _steps(digits.source_count(pixels), edits, way, strength)
        kept = [tuple(step) for step in steps]
    except ValueError:
        kept = edits
    return kept, chips_html(kept), *_both(own, index, kept, way, strength)


def _undo(
    own: Own, index: float, edits: Edits, way: str, strength: float
) -> tuple[Edits, str, str, str]:
    left = edits[:-1]
    return left, chips_html(left), *_both(own, index, left, way, strength)
