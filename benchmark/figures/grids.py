"""Fig. 2, 3 and 5: pictures, rows methods, columns strengths, from the pictures in the cells.

    fig3_*   every method at d, 1.5 d and 2 d, one file an edit
    fig5     LT(*), LW(*) and LW at 2 d beside the unedited face, several edits
    fig2     as alpha grows far beyond the range: what a classifier alone makes of a face

Pictures are enlarged with a Lanczos filter: 64-pixel faces threefold.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmark.cells import FAR
from benchmark.collect import Measured
from benchmark.figures.curves import save_figure
from benchmark.methods import drawn, label_of, look_of
from benchmark.runs import Key, file_part

__all__ = ["draw_comparison", "draw_failure", "draw_strengths", "enlarge"]

_TIMES, _SIDE = 3, 192  # enlarged threefold, and smaller pictures to this many pixels
_FONT: Any = {"font.size": 7, "font.family": "DejaVu Sans"}
_SHOWN = (1.0, 1.5, 2.0)  # times d
_GAP = 4  # pixels between pictures
_INCHES, _LEFT, _TOP = 0.8, 1.05, 0.42  # of a picture, of the labels, of the heads


def enlarge(pixels: np.ndarray, times: int) -> np.ndarray:
    """A picture (channels, h, w) of uint8 as (h, w, 3), enlarged.

    Args:
        pixels: One channel or three.
        times: Factor.
    """
    picture = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels[:3]
    image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
    size = (image.width * times, image.height * times)
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def _nearest(cell_alpha: np.ndarray, aim: float) -> int:
    return int(np.abs(np.abs(cell_alpha) - aim).argmin())


def draw_strengths(
    measured: Mapping[Key, Measured], attribute: str, direction: str, seed: int,
    methods: Sequence[str], folder: Path,
) -> Path | None:
    """Fig. 3 for one edit: rows methods, for each face its strengths.

    Args:
        measured: All cells.
        attribute: Target attribute.
        direction: "add" or "remove".
        seed: Whose pictures.
        methods: Rows.
        folder: Where the figure goes.

    Returns:
        Its PNG, or None where no pictures were kept.
    """
    cells = [(method, measured.get(Key(method, attribute, direction, seed))) for method in methods]
    held = [(method, one.cell) for method, one in cells if one and one.cell.pictures.shape[1]]
    if not held:
        return None
    faces = min(2, held[0][1].pictures.shape[1])
    strips = []
    for _, cell in held:
        at = [0, *(1 + _nearest(cell.alpha, times * float(cell.d)) for times in _SHOWN)]
        strips.append([cell.pictures[i, face] for face in range(faces) for i in at])
    heads = ["input", *(f"{times:g} d" for times in _SHOWN)] * faces
    labels = [
        f"{label_of(method)}\nd = {float(cell.d):.2g}" + ("" if cell.reached else "\nnot reached")
        for method, cell in held
    ]
    verb = "adding" if direction == "add" else "removing"
    title = f"{verb} {drawn(attribute)}"
    return _grid(strips, heads, labels, [method for method, _ in held], title, folder,
                 f"fig3_{file_part(attribute)}_{direction}", gaps=len(_SHOWN) + 1)


def draw_comparison(
    measured: Mapping[Key, Measured], edits: Sequence[tuple[str, str]], seed: int,
    methods: Sequence[str], folder: Path,
) -> Path | None:
    """Fig. 5: one face a row of each edit, at 2 d.

    Args:
        measured: All cells.
        edits: Attributes and directions.
        seed: Whose pictures.
        methods: Columns.
        folder: Where the figure goes.
    """
    strips, labels = [], []
    for attribute, direction in edits:
        found = [measured.get(Key(method, attribute, direction, seed)) for method in methods]
        cells = [one.cell for one in found if one and one.cell.pictures.shape[1]]
        if len(cells) < len(found):
            continue
        for face in range(min(2, cells[0].pictures.shape[1])):
            edited = [cell.pictures[1 + _nearest(cell.alpha, 2 * float(cell.d)), face]
                      for cell in cells]
            strips.append([cells[0].pictures[0, face], *edited])
            labels.append(_signed(attribute, direction))
    if not strips:
        return None
    heads = ["input", *map(label_of, methods)]
    return _grid(strips, heads, labels, [], "at 2 d", folder, "fig5", gaps=0)


def draw_failure(
    measured: Mapping[Key, Measured], edits: Sequence[tuple[str, str]], seed: int,
    methods: Sequence[str], folder: Path,
) -> Path | None:
    """Fig. 2: one face a row, as alpha grows far beyond the range.

    Args:
        measured: All cells.
        edits: Attributes and directions, one face each.
        seed: Whose pictures.
        methods: Rows of each edit.
        folder: Where the figure goes.
    """
    strips, labels, owners = [], [], []
    for attribute, direction in edits:
        for method in methods:
            one = measured.get(Key(method, attribute, direction, seed))
            if one is None or not one.cell.pictures.shape[1]:
                continue
            cell = one.cell
            at = [0, *(1 + _nearest(cell.alpha, times * float(cell.d)) for times in _SHOWN)]
            strips.append([*cell.pictures[at, 0], *cell.far_pictures[:, 0]])
            labels.append(f"{label_of(method)}\n{_signed(attribute, direction)}\n"
                          f"norm {cell.far_norm[-1].mean():.1f} at {FAR[-1]:g} d")
            owners.append(method)
    if not strips:
        return None
    heads = ["input", *(f"{times:g} d" for times in (*_SHOWN, *FAR))]
    return _grid(strips, heads, labels, owners, "growing strength", folder, "fig2", gaps=0)


def _signed(attribute: str, direction: str) -> str:
    return ("+ " if direction == "add" else "− ") + drawn(attribute)


def _grid(
    strips: list[list[np.ndarray]], heads: list[str], labels: list[str], methods: list[str],
    title: str, folder: Path, name: str, *, gaps: int,
) -> Path:
    """Rows of enlarged pictures as one mosaic; a wider gap after every `gaps` columns."""
    mosaic, lefts, side = _mosaic(strips, gaps)
    scale = _INCHES / side  # inches a pixel
    width, height = mosaic.shape[1] * scale + _LEFT, mosaic.shape[0] * scale + _TOP
    with mpl.rc_context(_FONT):
        figure = Figure(figsize=(width, height), dpi=round(side / _INCHES))
        axis = figure.add_axes((_LEFT / width, 0, 1 - _LEFT / width, 1 - _TOP / height))
        axis.imshow(mosaic, interpolation="none", aspect="auto")
        axis.set_axis_off()
        for head, left in zip(heads, lefts, strict=True):
            x = (_LEFT + (left + side / 2) * scale) / width
            figure.text(x, 1 - (_TOP - 0.05) / height, head, ha="center", va="bottom")
        for i, label in enumerate(labels):
            y = 1 - (_TOP + _INCHES * (i + 0.5) * mosaic.shape[0] / (side * len(strips))) / height
            colour = look_of(methods[i]).colour if methods else "black"
            figure.text((_LEFT - 0.06) / width, y, label, ha="right", va="center", color=colour)
        figure.text(0.06 / width, 1 - 0.13 / height, title, va="center", fontsize=8, weight="bold")
        return save_figure(figure, folder, name)


def _mosaic(strips: list[list[np.ndarray]], gaps: int) -> tuple[np.ndarray, list[int], int]:
    """All pictures on white, the left edge of each column, and the side of a picture."""
    pixels = strips[0][0].shape[-1]
    times = max(_TIMES, _SIDE // pixels)
    side = pixels * times
    step = side + _GAP
    lefts = [j * step + (j // gaps if gaps else 0) * side // 6 for j in range(len(strips[0]))]
    mosaic = np.full((step * len(strips), lefts[-1] + step, 3), 255, np.uint8)
    for i, strip in enumerate(strips):
        for left, pixels in zip(lefts, strip, strict=True):
            mosaic[i * step : i * step + side, left : left + side] = enlarge(pixels, times)
    return mosaic, lefts, side
