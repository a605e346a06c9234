"""HTML of what stands side by side: cards, strips, notices.

A card is a picture with its method named in words, a wipe between before and after, and the numbers
that belong to it. All cards of a comparison are one piece of HTML, so they always change together.
"""

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from jaxtyping import UInt8

from demo.pictures import data_uri, enlarge
from demo.style import METHODS_IN_WORDS

__all__ = [
    "Card",
    "Frame",
    "comparison",
    "html",
    "meter",
    "notice",
    "percent",
    "strip_table",
    "verdict",
]

_SIDE = 320
_THUMB = 128


class Frame(NamedTuple):
    """One picture of a strip.

    Attributes:
        strength: Above it.
        pixels: The picture.
        label: Under it.
        hit: Whether the image judge sees that what was asked for came true; ringed in green.
    """

    strength: float
    pixels: UInt8[np.ndarray, "channels h w"]
    label: str
    hit: bool


class Card(NamedTuple):
    """A picture and what is said of it.

    Attributes:
        kind: A method, or "plain".
        title: In bold; a method's own words replace it and `subtitle`.
        subtitle: Under it.
        pixels: The picture; None where there is none, and the facts say why.
        alt: The picture in words.
        facts: HTML paragraphs under it.
        foot: Small print.
        before: What the wipe shows, if there is one.
        wide: Whether it takes a whole row on a phone.
        side: Pixels a side of the picture, as saved.
        ends: What lies under the wipe at its two ends.
    """

    kind: str
    title: str
    subtitle: str
    pixels: UInt8[np.ndarray, "channels h w"] | None
    alt: str
    facts: Sequence[str] = ()
    foot: str = ""
    before: UInt8[np.ndarray, "channels h w"] | None = None
    wide: bool = False
    side: int = _SIDE
    ends: tuple[str, str] = ("after", "before")

    def html(self) -> str:
        """The card."""
        title, subtitle = METHODS_IN_WORDS.get(self.kind, (self.title, self.subtitle))
        side, images, foot = self.side, "", ""
        wipe = '<div class="wipe"></div>'
        if self.pixels is not None:
            images = (f'<img src="{_uri(self.pixels, side)}" alt="{escape(self.alt)}" '
                      f'width="{side}" height="{side}">')
            name = escape(f"{title.lower().replace(' ', '_')}.png")
            foot = (
                f'<div class="foot"><span>{escape(self.foot)}</span><button type="button" '
                f'data-name="{name}" aria-label="Save the picture {escape(title)}" '
                'onclick="lwSave(this)">Save PNG</button></div>'
            )
        if self.before is not None:
            over, under = self.ends
            images += f'<img class="before" src="{_uri(self.before, side)}" alt="">'
            wipe = (
                f'<label class="wipe"><span>{over}</span><input type="range" min="0" max="100" '
                f'value="0" aria-label="{title}: slide to lay the original over the edit" '
                f'oninput="lwWipe(this)"><span>{under}</span></label>'
            )
        return (
            f'<figure class="card {self.kind}{" wide" if self.wide else ""}">'
            f'<figcaption class="head"><b>{escape(title)}</b><span>{escape(subtitle)}</span>'
            f'</figcaption><div class="frame">{images}</div>{wipe}'
            f'<div class="facts">{"".join(self.facts)}{foot}</div></figure>'
        )


def html(value: str = "", **options: Any) -> gr.HTML:  # noqa: ANN401  (gr.HTML's own)
    """A piece of the page that is styled by `demo.style` alone."""
    return gr.HTML(value, apply_default_css=False, **options)


def comparison(cards: Sequence[Card]) -> str:
    """Cards side by side."""
    four = " four" if len(cards) == 4 else ""
    inner = "".join(card.html() for card in cards)
    return f'<section class="compare{four}" aria-live="polite">{inner}</section>'


def verdict(
    latent: str, latent_agrees: bool, judge: str, judge_agrees: bool, *, asked: bool = True
) -> str:
    """What the latent classifier says against what the image judge says, and what follows.

    Args:
        latent: The latent classifier's words.
        latent_agrees: Whether they are what the edit wanted.
        judge: The image judge's words.
        judge_agrees: Whether they are what the edit wanted.
        asked: Whether an edit was asked for at all.
    """
    outcome = {
        (True, True): ("yes", "→ really changed"),
        (True, False): ("no", "→ adversarial: only the classifier is convinced"),
        (False, True): ("yes", "→ changed, though the classifier says no"),
        (False, False): ("soft", "→ not changed: move the strength on"),
    }[latent_agrees, judge_agrees]
    marks = ['<b class="yes">✓</b>' if ok else '<b class="no">✗</b>'
             for ok in (latent_agrees, judge_agrees)]
    if not asked:
        marks, outcome = ["", ""], ("", "")
    fooled = " fooled" if asked and latent_agrees and not judge_agrees else ""
    result = f'<span class="result {outcome[0]}">{outcome[1]}</span>' if outcome[1] else ""
    return (
        f'<p class="verdict{fooled}"><em>latent classifier: {escape(latent)} {marks[0]}</em>'
        f"<em>image judge: {escape(judge)} {marks[1]}</em>{result}</p>"
    )


def meter(label: str, value: float, shown: str, *, mark: float | None = None) -> str:
    """A number with its bar.

    Args:
        label: What is measured.
        value: From 0 to 1.
        shown: The number as written.
        mark: Where a tick stands on the bar.
    """
    tick = "" if mark is None else f'<u style="left:{100 * min(max(mark, 0), 1):.0f}%"></u>'
    width = 100 * min(max(value, 0.0), 1.0)
    return (
        f'<div class="meter"><span>{escape(label)}</span><span>{escape(shown)}</span>'
        f'<div class="bar"><i style="width:{width:.0f}%"></i>{tick}</div></div>'
    )


def percent(value: float) -> str:
    """A probability as written."""
    return f"{100 * value:.0f} %"


def strip_table(title: str, rows: dict[str, list[Frame]]) -> str:
    """A row of small pictures a method.

    Args:
        title: Above the table.
        rows: By method, pictures in the order of strength.
    """
    frames = next(iter(rows.values()))
    # On a phone every second column goes, so that the pictures stay large enough.
    sparse = [' class="sparse"' if i % 2 else "" for i in range(len(frames))]
    heads = "".join(
        f'<th scope="col"{thin}>{frame.strength:+g}</th>' if frame.strength
        else f'<th scope="col"{thin}>none</th>'
        for frame, thin in zip(frames, sparse, strict=True)
    )
    body = "".join(_strip_row(method, row) for method, row in rows.items())
    return (
        f'<section class="strip"><h3>{escape(title)}</h3><table><thead><tr>'
        f'<th class="name" scope="col"><span aria-label="method"></span></th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></section>"
    )


def _strip_row(method: str, frames: list[Frame]) -> str:
    name = METHODS_IN_WORDS[method][0]
    cells = []
    for i, frame in enumerate(frames):
        kinds = " ".join(filter(None, ["hit" if frame.hit else "", "sparse" if i % 2 else ""]))
        picture = data_uri(enlarge(frame.pixels, _THUMB))
        alt = f"{name} at strength {frame.strength:g}: {frame.label}"
        cells.append(f'<td class="{kinds}"><img src="{picture}" alt="{escape(alt)}">'
                     f"<small>{escape(frame.label)}</small></td>")
    badge = f'<th class="name" scope="row"><span class="badge {method}">{name}</span></th>'
    return f"<tr>{badge}{''.join(cells)}</tr>"


def _uri(pixels: UInt8[np.ndarray, "channels h w"], side: int) -> str:
    return _uri_of(pixels.tobytes(), pixels.shape, side)


@lru_cache(maxsize=256)
def _uri_of(data: bytes, shape: tuple[int, int, int], side: int) -> str:
    """The original stands three times in a comparison, and stays while the slider moves."""
    return data_uri(enlarge(np.frombuffer(data, np.uint8).reshape(shape), side))


def notice(title: str, text: str) -> str:
    """What is wrong and how it is mended."""
    return f'<div class="notice" role="status"><b>{escape(title)}</b>{escape(text)}</div>'
