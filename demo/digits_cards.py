"""The digits tab as HTML: what a person looks at, and the cards and strips that show it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from demo import digits
from demo.cards import Card, Frame, comparison, notice, strip_table
from demo.digits import DEFAULT, METHODS, Edit
from demo.pictures import data_uri, enlarge
from demo.studio import studio
from demo.style import METHODS_IN_WORDS

__all__ = [
    "EXAMPLES",
    "START",
    "Source",
    "View",
    "chips_html",
    "compare_html",
    "gallery_html",
    "prepare",
    "strip_html",
]

EXAMPLES = (21, 16, 4, 15, 39, 30, 10, 33, 0, 14, 38)
START = EXAMPLES[0]
_FIRST = ("lt", "lw_neural")  # shown until somebody chooses
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
        digit: Which digit LW neural adds or removes; -1 leaves it open.
    """

    source: Source = START
    edits: Sequence[Edit] = ()
    way: str = "add"
    lt: float = DEFAULT
    lw_neural: float = DEFAULT
    lw: float = DEFAULT
    draw: float = 0
    methods: Sequence[str] = _FIRST
    digit: int = -1

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
            count, self.edits, add=self.way == "add", strengths=strengths, draw=self.draw,
            digit=None if self.digit == -1 else self.digit)


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
    failed = digits.failed(view.pixels, edits, view.shown)
    rows = {
        method: [
            Frame(strength, one.pixels, f"{one.judge} seen, {one.latent} latent",
                  strength > 0 and not failed[method]
                  and digits.outcome(before, one, count, edits) == "changed")
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
