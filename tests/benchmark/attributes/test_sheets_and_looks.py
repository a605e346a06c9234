"""Truths of tables and figures: escapes, what is not reached, looks that stay apart in grey."""

import csv
import io
from itertools import combinations

import matplotlib.colors
import numpy as np
import pytest

from baselines import METHODS
from benchmark.figures.grids import enlarge
from benchmark.methods import REGISTRY, look_of
from benchmark.paper import TABLE_1, TABLE_1_HERE
from benchmark.tables.sheet import Sheet, number, read_sheets, save_sheets

ROWS = (("1→2 | x", "90 %"), ("−y", "**0.5**"))
SHEET = Sheet("t", "A title", ("edit", "a_b & c"), ROWS, "Note.")


def test_a_table_in_three_forms_holds_the_same_cells(tmp_path):
    save_sheets([SHEET], tmp_path)
    assert read_sheets(tmp_path) == [SHEET]
    held = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert held == [list(SHEET.columns), *map(list, SHEET.rows)]
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[2:6] == ["| edit | a_b & c |", "| --- | --- |", r"| 1→2 \| x | 90 % |",
                          "| −y | **0.5** |"]
    latex = (tmp_path / "t.tex").read_text()
    assert r"edit & a\_b \& c \\" in latex
    assert r"1$\to$2 | x & 90 \% \\" in latex
    assert r"$-$y & 0.5 \\" in latex


def test_what_was_not_reached_says_so():
    assert [number(value) for value in (0.12345, None, float("nan"))] == [
        "0.123", "not reached", "not reached",
    ]


def test_every_method_looks_like_itself_alone():
    looks = [(look.colour, look.line, look.marker) for look in REGISTRY.values()]
    assert len(set(looks)) == len(looks)
    assert len({look.label for look in REGISTRY.values()}) == len(looks)
    assert set(METHODS) <= set(REGISTRY)


def test_learned_methods_can_be_told_apart_without_colour():
    def grey(method):
        return np.dot(matplotlib.colors.to_rgb(look_of(method).colour), (0.2126, 0.7152, 0.0722))

    for a, b in combinations(("lw", "lw_star", "lt", "lt_star"), 2):
        same_line = look_of(a).line == look_of(b).line
        same_marker = look_of(a).marker == look_of(b).marker
        assert not (same_line and same_marker)
        assert abs(grey(a) - grey(b)) > 0.05 or not same_marker


def test_enlarging_keeps_what_is_flat():
    pixels = np.full((1, 8, 8), 90, np.uint8)
    picture = enlarge(pixels, 3)
    assert picture.shape == (24, 24, 3)
    assert (picture == 90).all()


@pytest.mark.parametrize("method", list(TABLE_1))
def test_the_papers_table_has_both_numbers_of_every_attribute(method):
    assert set(TABLE_1[method]) == set(TABLE_1_HERE)
    assert all(0.8 < value <= 1 for pair in TABLE_1[method].values() for value in pair)
