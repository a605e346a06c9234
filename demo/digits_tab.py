"""The digits tab: widgets, and the HTML of what they show."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np

from demo import digits
from demo.cards import Card, Frame, comparison, html, notice, strip_table
from demo.digits import DEFAULT, METHODS, Edit
from demo.handwriting import to_domain
from demo.pictures import data_uri, enlarge, read_data_uri, read_picture
from demo.studio import studio
from demo.style import METHODS_IN_WORDS

__all__ = [
    "EXAMPLES",
    "View",
    "build",
    "compare_html",
    "drawn_image",
    "prepare",
    "strip_html",
    "uploaded_image",
]

EXAMPLES = (39, 21, 16, 4, 15, 30, 10, 33, 0, 14, 38)
_START = EXAMPLES[0]
_FIRST = ("lt", "lw_neural")  # shown until somebody chooses
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
Source = int | np.ndarray  # number of a held-out image, or a picture of one's own


class View(NamedTuple):
    """What one person looks at: the widgets' values, in their order.

    Attributes:
        source: What is edited.
        edits: Kept so far.
        way: "add" or "remove".
        lt: Strength of LT.
        lw_neural: Strength of LW neural.
        lw: Strength of LW affine.
        draw: Which answer of LW neural.
        methods: Which are shown.
    """

    source: Source = _START
    edits: Sequence[Edit] = ()
    way: str = "add"
    lt: float = DEFAULT
    lw_neural: float = DEFAULT
    lw: float = DEFAULT
    draw: float = 0
    methods: Sequence[str] = _FIRST

    @property
    def shown(self) -> tuple[str, ...]:
        """Methods in their order."""
        return tuple(method for method in METHODS if method in self.methods)

    @property
    def pixels(self) -> np.ndarray:
        """The image that is edited."""
        own = isinstance(self.source, np.ndarray)
        return self.source if own else digits.heldout_image(self.source)

    def at(self, strength: float) -> "View":
        """The same with one strength for all methods, and the first answer of LW neural."""
        return self._replace(**dict.fromkeys(METHODS, strength), draw=0)

    def asked(self) -> tuple[int, list[Edit], str]:
        """Digits in the source, all edits, and why the last one is impossible, if it is."""
        count, kept = digits.source_count(self.pixels), list(self.edits)
        if not any(getattr(self, method) for method in METHODS):
            return count, kept, ""
        try:
            return count, [*kept, self.last(count)], ""
        except ValueError as error:
            return count, kept, str(error)

    def last(self, count: int) -> Edit:
        """The edit on the sliders."""
        strengths = {method: getattr(self, method) for method in METHODS}
        return digits.next_edit(
            count, self.edits, add=self.way == "add", strengths=strengths, draw=self.draw)


def counted(n: int) -> str:
    """A number of digits in words."""
    return f"{n} digit" if n == 1 else f"{n} digits"


def compare_html(view: View) -> str:
    """What the generator makes of the image and of each method's edit, or what is wrong."""
    try:
        count, edits, warning = view.asked()
        readings = digits.compare(view.pixels, edits, view.shown)
        failed = digits.failed(view.pixels, edits, view.shown)
    except ValueError as error:
        return notice("That cannot be shown", str(error))
    cards = [_before_card(view.source, readings)]
    cards += [
        _method_card(method, readings[method], readings["original"], count, edits, failed[method])
        if method in readings else _no_editor(method, edits) for method in view.shown
    ]
    above = notice("No such edit", warning) if warning else ""
    return f'<div class="stack">{above}{comparison(cards)}</div>'


def strip_html(view: View) -> str:
    """The methods over strengths; empty where `compare_html` says what is wrong."""
    try:
        view = view.at(DEFAULT)._replace(draw=view.draw)
        count = digits.source_count(view.pixels)
        edit = view.last(count)
        strips = digits.strip(view.pixels, view.edits, edit, view.shown)
    except ValueError:
        return ""
    if not strips:
        return ""
    edits = [*view.edits, edit]
    before = digits.compare(view.pixels, [], ())["original"]
    rows = {
        method: [
            Frame(strength, one.pixels, f"{one.judge} seen, {one.latent} latent",
                  digits.outcome(before, one, count, edits) == "changed")
            for strength, one in zip(strip.strengths, strip.readings, strict=True)
        ]
        for method, strip in strips.items()
    }
    verb = "Adding" if view.way == "add" else "Removing"
    return strip_table(f"{verb} a digit, from less to more: digits that the image judge sees, "
                       "digits that the latent classifier claims; green: really changed", rows)


def gallery_html() -> str:
    """Images to begin with, whose edits are ready."""
    try:
        shown = {index: data_uri(enlarge(digits.heldout_image(index), 128)) for index in EXAMPLES}
    except ValueError:
        return ""
    buttons = "".join(
        f'<button type="button" data-example="{index}" title="held-out image {index}">'
        f'<img src="{uri}" alt="Held-out image {index}"></button>'
        for index, uri in shown.items()
    )
    return f'<div class="thumbs" role="group" aria-label="Images to begin with">{buttons}</div>'


def prepare() -> None:
    """Edit the examples, so that the gallery answers at once."""
    for index in EXAMPLES:
        compare_html(View(index))


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


def chips_html(edits: Sequence[Edit]) -> str:
    """Edits kept so far."""
    if not edits:
        return '<div class="chips">No edit kept yet.</div>'
    chips = "".join(f"<span>{'+' if edit.add else '−'}1 digit</span>" for edit in edits)
    return f'<div class="chips">Kept: {chips}</div>'


def _before_card(source: Source, readings: dict[str, digits.DigitReading]) -> Card:
    image, before = readings["image"], readings["original"]
    name = "your picture" if isinstance(source, np.ndarray) else f"held-out image {int(source)}"
    read = " ".join(before.classes) or "none"
    facts = [
        f"<p>image judge: <b>{counted(before.judge)}</b>, reads {read}</p>",
        f'<p class="soft">latent classifier: {counted(before.latent)}</p>',
    ]
    if image.judge != before.judge:
        facts.append(f'<p class="no">The image itself has {counted(image.judge)}: encoder and '
                     "generator do not bring all of it back.</p>")
    return Card(
        "plain", "Before", f"{name}, as the generator draws it", before.pixels,
        f"Reconstruction with {counted(before.judge)}", facts, "64 px, enlarged",
        before=image.pixels, wide=True, ends=("drawn", "image"),
    )


def _method_card(
    method: str, after: digits.DigitReading, before: digits.DigitReading, count: int,
    edits: Sequence[Edit], failed: bool,
) -> Card:
    facts = [_verdict(after, before, count, edits, failed)]
    read, was = Counter(after.classes), Counter(before.classes)
    gone, new = ("".join(sorted((a - b).elements())) for a, b in ((was, read), (read, was)))
    changes = [f'<span class="{kind}">{word} {" ".join(which)}</span>'
               for kind, word, which in (("yes", "new:", new), ("no", "no longer read:", gone))
               if which]
    listed = f"reads {' '.join(after.classes) or 'none'}"
    facts.append(f"<p>{'; '.join([listed, *changes])}</p>")
    alpha = "α " + ", ".join(f"{value:+.2f}" for value in after.alpha) if after.alpha else "no edit"
    title = METHODS_IN_WORDS[method][0]
    return Card(
        method, "", "", after.pixels, f"Edited by {title}: {counted(after.judge)}", facts,
        f"{alpha} · {after.milliseconds:.0f} ms", before=before.pixels,
    )


def _verdict(
    after: digits.DigitReading, before: digits.DigitReading, count: int, edits: Sequence[Edit],
    failed: bool,
) -> str:
    """What came of the edits, and who says so."""
    latent, judge = (f"{counted(n)}" for n in (after.latent, after.judge))
    if not edits:
        return (f'<p class="verdict"><em>image judge: {judge}</em>'
                f"<em>latent classifier: {latent}</em></p>")
    came, goal = digits.outcome(before, after, count, edits), digits.goal_after(count, edits)
    adds = edits[-1].add
    kind, words = {
        "changed": ("yes", "✓ really changed"),
        "unsure": ("soft", "changed, but the judges are not sure"),
        "too much": ("no", f"✗ too {'much' if adds else 'little left'}: {judge}, not {goal}"),
        "digit lost": ("no", "✗ digit lost" if adds else "✗ another digit changed"),
        "fooled": ("no", "✗ not changed: only the classifier is convinced"),
        "not changed": ("soft", "✗ not changed"),
    }[came]
    if failed:
        came, kind, words = "failed", "no", "✗ an edit before this one came to nothing"
    marks = [f'<b class="{"yes" if ok else "no"}">{"✓" if ok else "✗"}</b>'
             for ok in (came in ("changed", "unsure"), after.latent == goal)]
    return (
        f'<p class="verdict {came.replace(" ", "-")}"><span class="result {kind}">{words}</span>'
        f"<em>image judge: {judge} {marks[0]}</em>"
        f"<em>latent classifier: {latent} {marks[1]}</em></p>"
    )


def _no_editor(method: str, edits: Sequence[Edit]) -> Card:
    title = METHODS_IN_WORDS[method][0]
    lacking = next(edit for edit in edits if not studio("digits").can(method, edit.step(method)))
    n = int(lacking.attribute.removeprefix("at_least_"))
    task = f"{n - 1}→{n}" if lacking.add else f"{n}→{n - 1}"
    return Card(
        method, "", "", None, "", [
            f'<p class="verdict">No editor of {title} for {task} lies beside these weights.</p>',
            "<p><code>python -m training.editors</code> fits it; the other methods go on.</p>",
        ],
    )


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
            find = gr.Button("Find strength")
            found = html()
            with gr.Row(elem_classes="seedrow"):
                index = gr.Number(_START, label="Held-out image", precision=0, scale=2,
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
            with gr.Accordion("Draw your own, or upload a picture", open=False):
                html(_PAD)
                drawn = gr.Textbox(visible=False)
                use = gr.Button("Edit this drawing", variant="primary")
                with gr.Row():
                    clear = gr.Button("Clear", min_width=60)
                    upload = gr.UploadButton("Upload", type="filepath", file_types=["image"],
                                             min_width=60)
                message = html('<p class="note">One to four digits, apart from each other.</p>')
            html('<p class="note">Strength 1 is LW neural’s transport itself; for the others it is '
                 "the strength at which most edits of other images succeed or, where almost none "
                 "does, the edit as it was trained.</p>")
        with gr.Column(scale=9, min_width=320):
            cards = html(elem_classes="first")
            html('<p class="note">Images to begin with, picked by hand.</p>')
            gallery, table = html(js_on_load=_PICK), html()
    shown = [source, edits, way, *sliders.values(), draw, methods]
    everything = [*shown, index, chips, beside, found, cards]
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
    gr.on([find.click], _find, shown, everything, **quiet)
    on([index.input], _numbered, [index, *shown], everything)
    on([other.click], _random, shown, everything)
    on([gallery.select], _picked, shown, everything)
    on([keep.click], _keep, shown, everything)
    on([undo.click], _undo, shown, everything)
    on([reset.click], _reset, [index, *shown], everything)
    on([use.click], _from_drawing, [drawn, *shown], [message, *everything], js=_SEND)
    clear.click(None, js="() => lwClear()")
    on([upload.upload], _from_upload, [upload, *shown], [message, *everything])
    on([page.load], lambda *values: (compare_html(View(*values)), gallery_html()), shown,
       [cards, gallery])


def _everything(
    view: View, index: Any = None, *, beside: str = "", found: str = ""  # noqa: ANN401
) -> tuple[Any, ...]:
    """Values of all widgets of a view, and what they show."""
    index = gr.skip() if index is None else index
    return (*view, index, chips_html(view.edits), beside, found, compare_html(view))


def _begin(view: View, source: Source, index: int | None = None) -> tuple[Any, ...]:
    """Another image, to be edited from its beginning."""
    return _everything(view.at(DEFAULT)._replace(source=source, edits=[]), index)


def _numbered(index: float | None, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The image of a number; where there is none, that is said beside it and nothing changes."""
    try:
        digits.heldout_image(index)
    except ValueError as error:
        told = f'<p class="note no" role="alert">{error}</p>'
        return (*[gr.skip()] * len(values), gr.skip(), gr.skip(), told, gr.skip(), gr.skip())
    return _begin(View(*values), int(index))


def _random(*values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    view = View(*values)
    try:
        index = digits.random_index(random.Random(), add=view.way == "add")
    except ValueError:
        return _everything(view)
    return _begin(view, index, index)


def _picked(event: gr.SelectData, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401
    index = int(event.index)
    return _begin(View(*values)._replace(way="add"), index, index)


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
        index = _START
    return _everything(View(int(index), [], methods=View(*values).methods), int(index))


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
        return notice("That cannot be used", str(error)), *_everything(view)
    return '<p class="note">Encoded: edit it with the controls above.</p>', *_begin(view, own)
