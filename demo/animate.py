"""Command: the strip of README as an animation, `python -m demo.animate`.

One held-out image edited by LT, affine LW and neural LW while the strength grows from nothing, with
the shipped editors and the page's own units; a frame is green while the strict reading accepts the
edit. Written to results/digits/strip.gif; run it again when the editors change.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demo import digits
from demo.bundles import BUNDLES
from demo.digits_cards import START, View
from demo.style import METHODS_IN_WORDS

__all__ = ["draw_strip", "main"]

OUT = Path(__file__).resolve().parents[1] / "results" / "digits" / "strip.gif"
STRENGTHS = tuple(round(0.1 * i, 2) for i in range(21))
METHODS = ("lt", "lw", "lw_neural")
_SIDE, _GAP, _HEAD, _EDGE = 160, 14, 26, 3
_GREEN, _GREY = "#0b8a5a", "#d0d0d0"
_MOVE, _REST = 120, 1500  # milliseconds a frame, and for the first and the last


def draw_strip(index: int, strengths: Sequence[float] = STRENGTHS) -> list[Image.Image]:
    """A frame a strength, the methods side by side.

    Args:
        index: Held-out image, to which a digit is added.
        strengths: In each method's own unit.

    Raises:
        ValueError: If there is no such image, or no digit can be added to it.
    """
    pixels = digits.heldout_image(index)
    count = digits.source_count(pixels)
    edit = View(index).last(count)
    before = digits.compare(pixels, [], ())["original"]
    strips = digits.strip(pixels, [], edit, METHODS, strengths)
    frames = []
    for i, strength in enumerate(strengths):
        width = len(strips) * (_SIDE + _GAP) - _GAP
        frame = Image.new("RGB", (width, _HEAD + _SIDE), "white")
        pen, font = ImageDraw.Draw(frame), ImageFont.load_default(14)
        for column, (method, strip) in enumerate(strips.items()):
            after, left = strip.readings[i], column * (_SIDE + _GAP)
            good = strength > 0 and digits.outcome(before, after, count, [edit]) == "changed"
            title = f"{METHODS_IN_WORDS[method][0]}, strength {strength:.1f}"
            pen.text((left, 4), title, "black", font)
            box = (left, _HEAD, left + _SIDE - 1, _HEAD + _SIDE - 1)
            pen.rectangle(box, _GREEN if good else _GREY)
            ink = Image.fromarray(np.uint8(255 - after.pixels[0]))
            inner = _SIDE - 2 * _EDGE
            frame.paste(ink.resize((inner, inner), Image.Resampling.BICUBIC),
                        (left + _EDGE, _HEAD + _EDGE))
        frames.append(frame)
    return frames


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(prog="python -m demo.animate",
                                     description=__doc__.split("\n\n")[0])
    parser.add_argument("--image", type=int, default=START, help="number of a held-out image")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    frames = [frame.quantize(32) for frame in draw_strip(args.image)]
    last = len(frames) - 1
    frames[0].save(args.out, save_all=True, append_images=frames[1:], loop=0, optimize=True,
                   duration=[_REST if i in (0, last) else _MOVE for i in range(len(frames))])
    sys.stdout.write(f"Written: {args.out}, {args.out.stat().st_size} bytes, with the editors of "
                     f"{BUNDLES / 'digits'} and LW neural's.\n")


if __name__ == "__main__":
    main()
