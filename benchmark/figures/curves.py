"""Fig. 4 (preservation and identity against target change) and the matrices, from results.csv.

Points are the strengths of a method, seeds and directions averaged at each of its strengths in
order; the curve starts where nothing was edited. The shaded band is the paper's range, in which
all methods have roughly half to all of their change.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from benchmark.methods import drawn, label_of, look_of
from benchmark.presets import DIRECTIONS
from benchmark.tables.sheet import NO_OTHERS
from lwedit.metrics import at_change

__all__ = ["draw_curves", "draw_matrices", "save_figure"]

_LEVELS = np.linspace(0, 1, 41)
_FONT: Any = {"font.size": 7, "font.family": "DejaVu Sans", "axes.spines.top": False,
         "axes.spines.right": False}
_LEFT_OUT = ("none",)  # a point, not a curve


def save_figure(figure: Figure, folder: Path, name: str) -> Path:
    """Write NAME.png and NAME.pdf (aside, then renamed); returns the PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("pdf", "png"):
        path = folder / f"{name}.{kind}"
        temporary = folder / f"{name}.{kind}.tmp"
        # Without dates, so that the same run gives the same bytes.
        metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
        figure.savefig(temporary, format=kind, metadata=metadata)
        temporary.replace(path)
    return folder / f"{name}.png"


def draw_curves(
    rows: Sequence[Mapping[str, Any]], attributes: tuple[str, ...], fast: str, folder: Path,
    methods: tuple[str, ...], name: str = "fig4",
) -> Path:
    """Two rows of panels a row of attributes: preservation above, identity below.

    Args:
        rows: Of results.csv.
        attributes: Panels.
        fast: Name of the identity measure.
        folder: Where the figure goes.
        methods: Which ones, in the order of the legend.
        name: File name without its ending.
    """
    across = min(5, len(attributes))
    bands = -(-len(attributes) // across)
    with mpl.rc_context(_FONT):
        figure = Figure(figsize=(1.75 * across + 0.4, 3.2 * bands + 0.5), dpi=200)
        grid = figure.subplots(2 * bands, across, squeeze=False, sharex=True)
        for i, attribute in enumerate(attributes):
            for part, quantity in enumerate(("preservation", "identity")):
                axis = grid[2 * (i // across) + part, i % across]
                _panel(axis, rows, attribute, quantity, methods)
                if part == 0:
                    axis.set_title(drawn(attribute), fontsize=8)
                if i % across == 0:
                    axis.set_ylabel("attributes kept" if part == 0 else f"identity\n({fast})")
        for unused in range(len(attributes), bands * across):
            for part in (0, 1):
                grid[2 * (unused // across) + part, unused % across].set_axis_off()
        for axis in grid[-1]:
            axis.set_xlabel("target change")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        columns = max(2, min(len(labels), round(figure.get_figwidth() / 1.25)))
        head = 0.12 + 0.16 * -(-len(labels) // columns)
        figure.legend(handles, labels, loc="upper center", ncols=columns, frameon=False)
        figure.tight_layout(rect=(0, 0, 1, 1 - head / figure.get_figheight()), h_pad=0.6, w_pad=0.5)
        return save_figure(figure, folder, name)


def _panel(
    axis: mpl.axes.Axes, rows: Sequence[Mapping[str, Any]], attribute: str, quantity: str,
    methods: tuple[str, ...],
) -> None:
    lowest = 1.0
    for method in methods:
        if method in _LEFT_OUT:
            continue
        x, y = _mean_curve(rows, method, attribute, quantity)
        look = look_of(method)
        axis.plot(x, y, color=look.colour, linestyle=look.line, linewidth=1.1,
                  label=label_of(method), marker=look.marker, markersize=2.6, markevery=(4, 8))
        if len(y) and method != "random":
            lowest = min(lowest, float(np.min(y)))
    if not any(np.size(line.get_xdata()) for line in axis.lines):
        axis.text(0.5, 0.5, NO_OTHERS, ha="center", va="center", transform=axis.transAxes)
    axis.set_xlim(0, 1)
    axis.set_ylim(max(0.0, lowest - 0.03), 1.005)
    axis.axvline(0.9, color="#bbbbbb", linewidth=0.6, zorder=0)
    axis.tick_params(length=2, pad=1.5)


def _mean_curve(
    rows: Sequence[Mapping[str, Any]], method: str, attribute: str, quantity: str
) -> tuple[np.ndarray, np.ndarray]:
    """Seeds and directions averaged at equal change, as far as all of them get."""
    cells: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        here = (row["method"], row["attribute"], row["level"]) == (method, attribute, "")
        if here and quantity in row:
            point = (row["target_change"], row[quantity])
            cells.setdefault((row["direction"], row["seed"]), []).append(point)
    curves = []
    for points in cells.values():
        change, heights = torch.tensor([(0.0, 1.0), *points], dtype=torch.float64).T
        curves.append([at_change(change, heights, float(level)).item() for level in _LEVELS])
    if not curves:
        return np.zeros(0), np.zeros(0)
    mean = np.mean(curves, axis=0)
    held = np.isfinite(mean)
    return _LEVELS[held], mean[held]


def draw_matrices(
    rows: list[dict], names: tuple[str, ...], attributes: tuple[str, ...], folder: Path,
    methods: tuple[str, ...],
) -> Path:
    """K x K re-scoring matrices at 90 % target change, a panel a method and direction.

    Args:
        rows: Of summary.csv.
        names: Everything the judges see, the columns.
        attributes: Targets, the rows.
        folder: Where the figure goes.
        methods: Panels.
    """
    with mpl.rc_context(_FONT):
        width, height = 0.24 * len(names) + 0.5, 0.24 * len(attributes) + 0.45
        size = (width * len(methods) + 1.5, height * 2 + 0.9)
        figure = Figure(figsize=size, dpi=200, layout="constrained")
        grid = figure.subplots(2, len(methods), squeeze=False)
        image: Any = None
        shown = [name.replace("$", r"\$") for name in names]
        targets = [name.replace("$", r"\$") for name in attributes]
        for i, direction in enumerate(DIRECTIONS):
            for j, method in enumerate(methods):
                axis = grid[i, j]
                matrix = np.array([_moved(rows, method, name, direction, names)
                                   for name in attributes])
                image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
                axis.set_facecolor("#dddddd")  # not reached
                axis.set_title(f"{label_of(method)}, {direction}", fontsize=7)
                axis.set_xticks(range(len(names)), shown if i == 1 else [], rotation=90)
                axis.set_yticks(range(len(attributes)), targets if j == 0 else [])
                axis.tick_params(length=0)
        assert image is not None
        figure.colorbar(image, ax=grid, shrink=0.6, label="mean change of probability")
        return save_figure(figure, folder, "rescoring")


def _moved(
    rows: list[dict], method: str, attribute: str, direction: str, names: tuple[str, ...]
) -> list[float]:
    wanted = (method, attribute, direction)
    here = [row for row in rows
            if (row["method"], row["attribute"], row["direction"]) == wanted]
    values = np.array([[row[f"moved_{name}_90"] for name in names] for row in here])
    return values.mean(axis=0).tolist() if len(values) else [float("nan")] * len(names)
