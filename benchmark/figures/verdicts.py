"""Fig. 6: input, reconstruction, and what each method makes of it when asked for one more digit.

Every row is a held-out image; under each edited picture stand the latent classifier's verdict
and the judge's count, so that an edit that convinces only the classifier is plain to see.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from benchmark.cells import read_arrays
from benchmark.digits import DigitsRun
from benchmark.figures.curves import save_figure
from benchmark.methods import look_of, methods_of
from benchmark.strengths import PAPERS
from lwedit.domains import DigitsDomain
from lwedit.vocabulary import from_unit_range, to_unit_range

__all__ = ["draw_examples"]

_ROWS = 4
_NAMES = dict(zip(PAPERS, ("fig6", "fig6_image"), strict=True))


def draw_examples(run: DigitsRun, strategy: str = PAPERS[0]) -> Path:
    """Draw the first held-out images of every task that adds, under every method of the run.

    Args:
        run: A measured run.
        strategy: Whose strengths the edits have, one of `PAPERS`.

    Returns:
        Path of the PNG, beside which lies a PDF.
    """
    domain, heldout = run.opened, run.opened.latents("heldout")
    images = domain.images("heldout")
    methods = [name for name in methods_of(run.config) if name not in ("none", "random")]
    tasks = [task for task in run.tasks.values() if task.adds]
    if not (run.out / "tested.npz").exists():
        raise FileNotFoundError(f"missing: {run.out / 'tested.npz'} (stage encode).")
    tested = read_arrays(run.out / "tested.npz", "rows of the test codes")
    columns = 2 + len(methods)
    with mpl.rc_context({"font.size": 7, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(1.15 * columns, 1.28 * _ROWS * len(tasks)), dpi=160)
        blocks = figure.add_gridspec(
            len(tasks), 1, hspace=0.16, left=0.01, right=0.99, top=0.96, bottom=0.03
        )
        for block, task in enumerate(tasks):
            index = tested[task.stem][:_ROWS]
            w = heldout.w[torch.from_numpy(index)]
            grid = blocks[block].subgridspec(_ROWS, columns, hspace=0.3, wspace=0.1)
            rows = np.asarray(grid.subplots())
            _column(rows, 0, f"{task.name}\ninput", images.images[index], None)
            _column(rows, 1, "reconstruction", _pixels(domain, w), domain)
            for j, name in enumerate(methods, start=2):
                key = run.key(name, task.name)
                cell = run.cell(key, strategy)
                kind = run.methods[name].editor
                editor = kind.load(run.editor_folder(key), domain.space)
                w_edit = editor.edit(w, torch.from_numpy(cell.alpha[:_ROWS]))
                look = look_of(name)
                _column(rows, j, look.label, _pixels(domain, w_edit), domain, cell.flipped,
                        task.count)
                rows[0, j].title.set_color(look.colour)
        return save_figure(figure, run.out, _NAMES[strategy])


def _pixels(domain: DigitsDomain, w: torch.Tensor) -> np.ndarray:
    return from_unit_range(domain.generate(w))


def _column(
    rows: np.ndarray,
    j: int,
    title: str,
    pixels: np.ndarray,
    domain: DigitsDomain | None,
    flipped: np.ndarray | None = None,
    count: int = 0,
) -> None:
    seen = None if domain is None else domain.score(to_unit_range(pixels)).count.tolist()
    for axis in rows[len(pixels) :, j]:  # fewer images were tested than there are rows
        axis.set_axis_off()
    for i, axis in enumerate(rows[: len(pixels), j]):
        axis.imshow(pixels[i, 0], cmap="gray_r", vmin=0, vmax=255)
        axis.set_xticks([])
        axis.set_yticks([])
        if i == 0:
            axis.set_title(title)
        if seen is not None:
            verdict = "" if flipped is None else f"latent {count + int(flipped[i])}, "
            wrong = flipped is not None and flipped[i] and seen[i] <= count
            axis.set_xlabel(f"{verdict}judge {seen[i]}", color="#b00020" if wrong else "black")
