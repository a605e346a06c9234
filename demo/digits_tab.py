"""The digits tab: its widgets and what each of them does."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np

from demo import digits
from demo.cards import html, notice
from demo.digits import DEFAULT, METHODS
from demo.digits_cards import (
    START,
    Source,
    View,
    chips_html,
    compare_html,
    gallery_html,
    strip_html,
)
from demo.handwriting import to_domain
from demo.pictures import read_data_uri, read_picture
from demo.studio import studio
from demo.style import METHODS_IN_WORDS

__all__ = ["build", "drawn_image", "uploaded_image"]

_FINDS = ("lt", "lw")  # methods whose strength is looked for; LW neural's is the transport itself
_STRONGEST = 3
_PAD = """<div class="pad"><canvas width="320" height="320" role="img"
aria-label="Canvas for digits, by mouse, pen or finger; a picture can be uploaded instead"></canvas>
</div>"""
_SEND = """(drawn, ...rest) => [document.querySelector('.pad canvas').toDataURL('image/png'),
...rest]"""
_PICK = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-example]');
  if (button) trigger('select', {index: Number(button.dataset.example), value: ''});
});"""
_NOT_DRAWN = "There is no drawing yet: draw one to four digits, apart from each other."
_NO_DIGITS = ("No digits were found in this picture: send one to four digits, dark on bright or "
              "bright on dark, apart from each other.")
_HOW_MANY = '<p class="note">One to four digits, apart from each other.</p>'


def drawn_image(drawing: str) -> np.ndarray:
    """What somebody drew, as an image of the domain.

    Args:
        drawing: The canvas as a data URI.

    Raises:
        ValueError: In plain words, if there is nothing on the canvas, or too much.
    """
    return to_domain(read_data_uri(drawing), studio("digits").domain.geometry, _NOT_DRAWN)


def uploaded_image(path: str) -> np.ndarray:
    """What somebody sent, as an image of the domain.

    Raises:
        ValueError: In plain words, if it is no picture of digits.
    """
    return to_domain(read_picture(Path(path)), studio("digits").domain.geometry, _NO_DIGITS)


def build(page: gr.Blocks) -> None:
    """Lay out the tab and connect it.

    Args:
        page: Whose load event shows the first image.
    """
    first = View()
    source, edits = gr.State(first.source), gr.State(list(first.edits))
    with gr.Row(equal_height=False, elem_classes="sides pictures-first"):
        with gr.Column(scale=3, min_width=290, elem_classes="controls"):
            way = gr.Radio([("Add a digit", "add"), ("Remove a digit", "remove")],
                           value=first.way, label="Edit", elem_classes="choices")
            sliders = {
                method: gr.Slider(0, _STRONGEST, getattr(first, method), step=0.05,
                                  label=f"Strength of {METHODS_IN_WORDS[method][0]}",
                                  visible=method in first.methods, buttons=[])
                for method in METHODS
            }
            with gr.Row(elem_classes="seedrow"):
                another = gr.Button("Another digit", variant="primary", scale=2, min_width=120)
                draw = gr.Number(0, label="Seed", precision=0, scale=1, min_width=90)
            digit = gr.Dropdown([("any", -1), *((str(c), c) for c in range(10))], value=-1,
                                label="Which digit, by LW neural")
            find = gr.Button("Find strength")
            found = html()
            with gr.Row(elem_classes="seedrow"):
                index = gr.Number(START, label="Held-out image", precision=0, scale=2,
                                  min_width=110)
                other = gr.Button("Random", scale=1, min_width=90)
            beside = html()
            methods = gr.CheckboxGroup(
                [(METHODS_IN_WORDS[method][0], method) for method in METHODS],
                value=list(first.methods), label="Methods", elem_classes="choices")
            keep = gr.Button("Keep and edit further")
            with gr.Row():
                undo = gr.Button("Undo", min_width=60)
                reset = gr.Button("Reset", min_width=60)
            chips = html(chips_html([]))
            own = _own_picture()
            html('<p class="note">Strength 1 is LW neural’s transport itself; for the others it is '
                 "the strength at which most edits of other images succeed or, where almost none "
                 "does, the edit as it was trained.</p>")
        with gr.Column(scale=9, min_width=320):
            cards = html(elem_classes="first")
            html('<p class="note">Images to begin with, picked by hand.</p>')
            gallery, table = html(js_on_load=_PICK), html()
    shown = [source, edits, way, *sliders.values(), draw, methods, digit]
    everything = [*shown, index, chips, beside, found, own.message, cards]
    quiet: dict[str, Any] = {
        "api_visibility": "private", "show_progress": "hidden", "concurrency_id": "cpu",
        "concurrency_limit": 1, "trigger_mode": "always_last"}

    def on(events: Sequence[Any], does: Callable[..., Any], inputs: list[Any], outputs: list[Any],
           **options: Any) -> None:  # noqa: ANN401  (gradio's own)
        """The pictures first, then the strips, which take longer."""
        changed = gr.on(events, does, inputs, outputs, **options, **quiet)
        changed.then(lambda *values: strip_html(View(*values)), shown, table, **quiet)

    strengths = [event for one in sliders.values() for event in (one.release, one.input)]
    gr.on(strengths, lambda *values: compare_html(View(*values)), shown, cards, **quiet)
    on([draw.input], lambda *values: compare_html(View(*values)), shown, [cards])
    on([way.input], _turned, shown, everything)
    on([methods.input], _chosen, shown, [*sliders.values(), cards])
    on([another.click], _another, shown, everything)
    on([digit.input], _asked, shown, everything)
    gr.on([find.click], _find, shown, everything, **quiet)
    on([index.input], _numbered, [index, *shown], everything)
    on([other.click], _random, shown, everything)
    on([gallery.select], _picked, shown, everything)
    on([keep.click], _keep, shown, everything)
    on([undo.click], _undo, shown, everything)
    on([reset.click], _reset, [index, *shown], everything)
    on([own.use.click], _from_drawing, [own.drawn, *shown], everything, js=_SEND)
    own.clear.click(None, js="() => lwClear()")
    on([own.upload.upload], _from_upload, [own.upload, *shown], everything)
    on([page.load], lambda *values: (compare_html(View(*values)), gallery_html()), shown,
       [cards, gallery])


class _OwnPicture(NamedTuple):
    """Widgets by which somebody brings an image."""

    drawn: gr.Textbox
    use: gr.Button
    clear: gr.Button
    upload: gr.UploadButton
    message: gr.HTML


def _own_picture() -> _OwnPicture:
    """The part of the controls in which one draws or uploads."""
    with gr.Accordion("Draw your own, or upload a picture", open=False):
        html(_PAD)
        drawn = gr.Textbox(visible=False)
        use = gr.Button("Edit this drawing", variant="primary")
        with gr.Row():
            clear = gr.Button("Clear", min_width=60)
            upload = gr.UploadButton("Upload", type="filepath", file_types=["image"],
                                     min_width=60)
        message = html(_HOW_MANY)
    return _OwnPicture(drawn, use, clear, upload, message)


def _everything(
    view: View, *, beside: str = "", found: str = "", message: str = _HOW_MANY
) -> tuple[Any, ...]:
    """Values of all widgets of a view, and what they show.

    The number is that of the image shown, whatever somebody typed there that was refused; a picture
    of one's own has none, and what stood there stays for the way back.
    """
    index = gr.skip() if isinstance(view.source, np.ndarray) else int(view.source)
    return (*view, index, chips_html(view.edits), beside, found, message, compare_html(view))


def _begin(view: View, source: Source, **said: str) -> tuple[Any, ...]:
    """Another image, to be edited from its beginning."""
    return _everything(view.at(DEFAULT)._replace(source=source, edits=[]), **said)


def _numbered(index: float | None, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The image of a number; where there is none, that is said beside it and nothing changes."""
    try:
        digits.heldout_image(index)
    except ValueError as error:
        told = f'<p class="note no" role="alert">{error}</p>'
        return (*[gr.skip()] * len(values), gr.skip(), gr.skip(), told, *[gr.skip()] * 3)
    return _begin(View(*values), int(index))


def _random(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    view = View(*values)
    try:
        index = digits.random_index(random.Random(), add=view.way == "add")
    except ValueError:
        return _everything(view)
    return _begin(view, index)


def _picked(event: gr.SelectData, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return _begin(View(*values)._replace(way="add"), int(event.index))


def _turned(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Adding or removing: from the default strength, since the one found was for the other."""
    return _everything(View(*values).at(DEFAULT))


def _chosen(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    view = View(*values)
    visible = [gr.update(visible=method in view.shown) for method in METHODS]
    return (*visible, compare_html(view))


def _another(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The next answer of LW neural, shown at its full strength where it stood at none."""
    view = View(*values)
    known = isinstance(view.draw, int | float) and 0 <= view.draw < digits.LAST_DRAW
    return _everything(view._replace(draw=int(view.draw) + 1 if known else 1,
                                     lw_neural=view.lw_neural or DEFAULT))


def _asked(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """LW neural's edit by the digit asked for, at its full strength where it stood at none."""
    view = View(*values)
    return _everything(view._replace(lw_neural=view.lw_neural or DEFAULT))


def _find(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Strengths at which the strict reading accepts the edits of LT and LW affine."""
    view = View(*values)
    told = []
    try:
        edit = view.at(DEFAULT).last(digits.source_count(view.pixels))
        for method in [method for method in view.shown if method in _FINDS]:
            strength = digits.find_strength(view.pixels, view.edits, edit, method)
            name = METHODS_IN_WORDS[method][0]
            if strength is None:
                told.append(f"{name}: no strength up to {_STRONGEST} makes an edit that the judges "
                            "accept.")
            else:
                told.append(f"{name}: the least strength accepted is {strength:g}.")
                view = view._replace(**{method: strength})
    except ValueError as error:
        told = [str(error)]
    told = told or ["LW neural needs none: 1 is the transport itself."]
    return _everything(view, found=f'<p class="note" role="status">{"<br>".join(told)}</p>')


def _keep(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    view = View(*values)
    try:
        _, edits, warning = view.asked()
    except ValueError:
        return _everything(view)
    return _everything(view if warning else view.at(0.0)._replace(edits=edits))


def _undo(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    view = View(*values)
    return _everything(view._replace(edits=view.edits[:-1]))


def _reset(index: float | None, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The held-out image of the number that stands there, and everything as at the start."""
    try:
        digits.heldout_image(index)
    except ValueError:
        index = START
    return _everything(View(int(index), [], methods=View(*values).methods))


def _from_drawing(drawing: str, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return _received(lambda: drawn_image(drawing), View(*values))


def _from_upload(path: str, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return _received(lambda: uploaded_image(path), View(*values))


def _received(make: Callable[[], np.ndarray], view: View) -> tuple[Any, ...]:
    """A picture of one's own in place of what was edited; where it is none, why, and no change."""
    try:
        own = make()
        digits.source_count(own)
    except ValueError as error:
        return _everything(view, message=notice("That cannot be used", str(error)))
    return _begin(view, own,
                  message='<p class="note">Encoded: edit it with the controls above.</p>')
