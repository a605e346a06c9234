"""Truths of a whole run on the toy domain: floors, the true edit, every registered method."""

import csv
import json
import math
import re

import numpy as np
import pytest

from baselines import METHODS
from benchmark.collect import collect
from benchmark.grid import measure_cell
from benchmark.presets import DIRECTIONS
from benchmark.strengths import Strengths
from lwedit.domains.toy import TrueEdit

USABLE = [name for name, kind in METHODS.items() if not kind.needs_generator]


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def summary(finished):
    return {(row["method"], row["attribute"], row["direction"]): row
            for row in rows(finished.out / "summary.csv")}


def test_every_method_has_a_row_a_strength(finished):
    results = rows(finished.out / "results.csv")
    assert {row["method"] for row in results} == set(USABLE) | {"true"}
    strengths = [row for row in results if not row["level"]]
    assert {row["direction"] for row in strengths if row["method"] == "nearest"} == {"add"}
    assert all(math.isfinite(float(row["target_change"])) for row in strengths)
    inside = [row for row in results if row["in_range"] == "True"]
    assert len(inside) == 4 * len(finished.keys)


def test_no_edit_changes_nothing(finished, summary):
    for row in rows(finished.out / "results.csv"):
        if row["method"] == "none" and not row["level"]:
            kept = [float(row[name]) for name in ("target_change", "preservation", "identity")]
            assert kept == [0.0, 1.0, 1.0]
            assert row["reached"] == "False"
    assert summary["none", "disc", "add"]["preservation_90"] == ""  # not reached, and not dropped


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("attribute", ["disc", "bar"])
def test_the_true_edit_changes_everything_and_keeps_everything(summary, attribute, direction):
    row = summary["true", attribute, direction]
    assert float(row["most_change"]) >= 0.9  # its range may end before alpha = 1
    for name in ("preservation_50", "preservation_90", "worst_90", "area_preservation"):
        assert float(row[name]) == 1.0
    assert float(row["identity_90"]) == pytest.approx(1.0, abs=1e-5)
    others = [name for name in ("disc", "ring", "cross", "bar") if name != attribute]
    assert all(abs(float(row[f"moved_{name}_90"])) < 1e-3 for name in others)
    assert float(row["monotone"]) == 1.0


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_at_its_own_strength_the_true_edit_leaves_nothing_to_do(finished, direction):
    edit, source = finished.sources("bar", direction), finished.source("bar", direction)
    strengths = Strengths(0.5, True, (0.5, 1.0), (True, True))
    cell = measure_cell(
        TrueEdit("bar", finished.domain.space), finished.classifier(0), finished.domain, edit,
        source, strengths, finished.config, pictures=False,
    )
    assert (cell.present[1, :, edit.k] == edit.wanted).all()
    others = [i for i in range(4) if i != edit.k]
    assert (cell.present[1] == cell.present_before)[:, others].all()
    assert cell.identity.min() > 0.9999
    facts = json.loads((finished.out / "facts.json").read_text())
    assert cell.gaussian[1] < facts["edits"][f"bar {direction}"]["gaussian_of_halves"] + 0.15
    assert cell.nearest[1].mean() == pytest.approx(1.0, abs=0.15)
    assert cell.norm[1].mean() == pytest.approx(1.0, abs=0.1)


def test_no_method_beats_the_true_edit_and_lw_beats_its_floors(summary):
    for attribute in ("disc", "bar"):
        best = float(summary["true", attribute, "add"]["preservation_90"])
        for method in USABLE:
            held = summary[method, attribute, "add"]["preservation_90"]
            assert not held or float(held) <= best
    lw, random = (float(summary[name, "bar", "add"]["area_preservation"] or 0)
                  for name in ("lw", "random"))
    assert lw > random


def test_centroids_drag_along_what_is_correlated(summary):
    """E[f_ring | disc] - E[f_ring | no disc] = rho times that of f_disc: ring must move too."""
    row = summary["centroids", "disc", "add"]
    assert float(row["moved_ring_90"]) > 0.1
    assert abs(float(row["moved_cross_90"])) < 0.1


def test_test_codes_are_none_of_those_that_calibrate_or_are_resembled(finished):
    for attribute in finished.attributes:
        for direction in DIRECTIONS:
            edit = finished.sources(attribute, direction)
            held = {tuple(w) for w in edit.w.flatten(1).tolist()}
            assert len(held) == 60
            for other in (edit.calibration, edit.targets):
                assert not held & {tuple(w) for w in other.flatten(1).tolist()}


def test_d_is_where_half_of_the_calibration_codes_change(finished):
    for key in finished.keys:
        strengths = finished.strengths(key)
        if not strengths.reached:
            continue
        edit = finished.sources(key.attribute, key.direction)
        editor = finished.editor(key)

        def change(alpha, edit=edit, editor=editor):
            x = finished.domain.generate(editor.edit(edit.calibration, edit.sign * alpha))
            verdict = finished.domain.score(x)[:, edit.k] > 0.5
            return (verdict == edit.wanted).double().mean().item()

        assert change(strengths.d) >= 0.5
        if strengths.d > 0.25:
            assert change(0.8 * strengths.d) <= 0.6
        inside = [a for a, i in zip(strengths.alphas, strengths.in_range, strict=True) if i]
        np.testing.assert_allclose(inside, np.linspace(strengths.d, 2 * strengths.d, 4))


def test_signs_of_alpha_follow_the_direction(finished):
    for key, one in collect(finished).items():
        assert (np.sign(one.cell.alpha) == (1 if key.direction == "add" else -1)).all()


def test_the_report_names_what_was_not_reached_and_how_good_the_judges_are(finished):
    text = (finished.out / "report.md").read_text()
    assert "| no edit | 0 of 4 | not reached |" in text
    assert "Scoring judge: accuracy 1.000" in text
    assert "latent classifier, worst seed: accuracy 0." in text
    facts = json.loads((finished.out / "facts.json").read_text())
    assert abs(facts["identity_of_impostors"]["formula"]) < 0.2


def test_lw_without_preservation_is_compared_with_lt_without_it(finished):
    """What two methods keep of each edit is in the table of results: the difference must agree."""
    halfway = [row for row in rows(finished.out / "results.csv")
             if (row["seed"], row["level"]) == ("all", "50")]
    kept = {(row["method"], row["attribute"], row["direction"]): row["preservation_mean"]
            for row in halfway}
    likes = [row for row in halfway if row["preservation_like_mean"]]
    assert {row["method"] for row in likes} == {"lt_star"}
    edits = [row for row in likes if row["attribute"] != "all"]
    for row in edits:
        lead = float(kept["lw_star", row["attribute"], row["direction"]])
        gain = lead - float(row["preservation_mean"])
        assert float(row["preservation_like_mean"]) == pytest.approx(gain, abs=2e-6)
    (over_all,) = (row for row in likes if row["attribute"] == "all")
    assert int(over_all["edits_like"]) == len(edits)
    assert "LW(*) − LT(*)" not in (finished.out / "report.md").read_text()  # at 90 % LT(*) is not


def test_figures_and_tables_exist_in_every_form(finished):
    for name in ("fig2", "fig4", "fig5", "rescoring", "fig3_disc_add", "fig3_bar_remove"):
        for kind in ("png", "pdf"):
            assert (finished.out / "figures" / f"{name}.{kind}").stat().st_size > 3000
    for kind in ("md", "csv", "tex"):
        assert (finished.out / "tables" / f"equal_change.{kind}").exists()
    assert not list(finished.out.rglob("*.tmp"))


def test_the_page_needs_nothing_else(finished):
    page = (finished.out / "report.html").read_text()
    assert page.count("src=") == page.count('src="data:image/')
    # A picture's text may hold any word.
    assert "href" not in re.sub(r'"data:image/[^"]*"', "", page)
    assert page.count("<table>") == len(list((finished.out / "tables").glob("*.md")))
