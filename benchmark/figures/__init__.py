"""Figures of a run, PNG and PDF: curves and matrices from its tables, pictures from its cells."""

from pathlib import Path

from benchmark.attributes import AttributeRun
from benchmark.collect import collect
from benchmark.digits import DigitsRun
from benchmark.figures.contact import draw_first_page, draw_sheets
from benchmark.figures.curves import draw_curves, draw_matrices
from benchmark.figures.grids import draw_comparison, draw_failure, draw_strengths
from benchmark.figures.verdicts import draw_examples
from benchmark.methods import methods_of
from benchmark.results import read_results, summaries

__all__ = ["attribute_curves", "attribute_figures", "digit_figures"]

_STARS = ("lt_star", "lw_star", "lw")
_LEARNT = ("lt_star", "lt", "lw_star", "lw")
Figures = list[tuple[str, Path]]  # captions and PNG files


def digit_figures(run: DigitsRun) -> Figures:
    """Pictures of a run that chose strengths."""
    found = []
    first = draw_first_page(run)
    if first is not None:
        found = [("The first held-out images of each edit, not picked; green: accepted", first),
                 ("Fig. 6: at the smallest alpha at which every latent verdict has flipped",
                  draw_examples(run))]
    return found + [(f"The first 24 held-out images of each edit: {path.stem}", path)
                    for path in draw_sheets(run)]


def attribute_curves(run: AttributeRun) -> Figures:
    """Curves and matrices of a run over a grid, from results.csv alone."""
    results, folder = read_results(run.out / "results.csv", run.keys), run.out / "figures"
    curves = draw_curves(results, run.attributes, run.domain.identities[-1], folder,
                         methods_of(run.config))
    matrices = draw_matrices(summaries(results), tuple(run.domain.attributes), run.attributes,
                             folder, run.config.methods)
    return [("Fig. 4: what is kept, at equal target change", curves),
            ("What else moves", matrices)]


def attribute_figures(run: AttributeRun) -> Figures:
    """All figures of a run over a grid; pictures are those of the first seed's cells."""
    measured, folder, seed = collect(run), run.out / "figures", run.config.seeds[0]
    methods = methods_of(run.config)
    shown = tuple(name for name in methods if name not in ("none", "random"))
    stars = [name for name in _STARS if name in methods]
    pictures: list[tuple[str, Path | None]] = []
    if stars:
        learnt = [name for name in _LEARNT if name in methods]
        pictures += [("Fig. 5: without and with what preserves",
                      draw_comparison(measured, run.edits[:8], seed, stars, folder)),
                     ("Fig. 2: strength without measure",
                      draw_failure(measured, run.edits[:4:2], seed, learnt, folder))]
    pictures += [(f"Fig. 3: {name}, {direction}",
                  draw_strengths(measured, name, direction, seed, shown, folder))
                 for name, direction in run.edits]
    return attribute_curves(run) + [(caption, path) for caption, path in pictures if path]
