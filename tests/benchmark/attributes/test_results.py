"""Truths of results.csv: tables and curves come from it alone, and a bad cell in it is named."""

import csv
import shutil
from types import SimpleNamespace

import pytest

from benchmark.attributes import AttributeRun as Run
from benchmark.figures import attribute_curves
from benchmark.report import write_report, write_tables
from benchmark.results import read_results, summaries
from benchmark.tables.attributes import _likes


@pytest.fixture
def numbers(finished, tmp_path):
    """A run of which nothing is left but its numbers: no cells, editors, classifiers or codes."""
    out = tmp_path / "numbers"
    out.mkdir()
    for name in ("results.csv", "facts.json", "config.json"):
        shutil.copyfile(finished.out / name, out / name)
    shutil.copytree(finished.out / "costs", out / "costs")
    (out / "classifiers").mkdir()
    for path in (finished.out / "classifiers").glob("*.json"):
        shutil.copyfile(path, out / "classifiers" / path.name)
    return Run(finished.config, out)


@pytest.mark.slow
def test_tables_and_curves_are_made_from_results_csv_alone(numbers, finished):
    write_tables(numbers)
    attribute_curves(numbers)
    made = [path.relative_to(numbers.out) for folder in ("tables", "figures")
            for path in (numbers.out / folder).iterdir()]
    assert {"fig4.png", "fig4.pdf", "rescoring.png", "equal_change.tex"} <= {p.name for p in made}
    tables = {path.name for path in (finished.out / "tables").iterdir()}
    assert tables == {path.name for path in made if path.parent.name == "tables"}
    for path in made:
        assert (numbers.out / path).read_bytes() == (finished.out / path).read_bytes(), path


def test_a_report_without_cells_names_the_first_that_is_missing(numbers):
    with pytest.raises(FileNotFoundError, match=r"missing: .*none_disc_add_0\.npz"):
        write_report(numbers)


def edited(run, change):
    path = run.out / "results.csv"
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    rows = [new for row in rows if (new := change(dict(zip(head, row, strict=True)))) is not None]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, head, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def is_lost(row):
    return (row["method"], row["attribute"], row["direction"]) == ("lt", "bar", "add")


@pytest.mark.parametrize("value", ["nan", "inf", "x", ""])
def test_a_number_that_is_not_finite_is_named(numbers, value):
    def change(row):
        return row | {"identity": value} if is_lost(row) and not row["level"] else row

    path = edited(numbers, change)
    with pytest.raises(ValueError, match="results must be finite, identity of lt_bar_add_0"):
        read_results(path, numbers.keys)


def test_a_cell_that_is_missing_is_named(numbers):
    path = edited(numbers, lambda row: None if is_lost(row) else row)
    with pytest.raises(ValueError, match="results must hold every cell, .* lacks lt_bar_add_0"):
        read_results(path, numbers.keys)


def test_what_is_no_table_is_named(numbers):
    (numbers.out / "results.csv").write_text("<!doctype html>")
    with pytest.raises(ValueError, match="results must be a run's|results must hold every cell"):
        read_results(numbers.out / "results.csv", numbers.keys)
    (numbers.out / "results.csv").unlink()
    with pytest.raises(FileNotFoundError, match="results must be written before"):
        read_results(numbers.out / "results.csv", numbers.keys)


def test_every_metric_has_a_column(numbers):
    """Target change to cost: what the table of metrics lists, measured on the toy."""
    rows = read_results(numbers.out / "results.csv", numbers.keys)
    measured = {name for row in rows for name, value in row.items() if value == value}
    for name in ("target_change", "latent_change", "preservation", "worst", "moved_ring",
                 "identity", "identity_photo", "gap", "nearest", "knn", "gaussian", "fid_judge",
                 "kid_judge", "fid_pixels", "kid_pixels", "ssim", "perceptual", "monotone",
                 "linearity", "round_trip", "commutator", "images"):
        assert name in measured, name
    (row,) = (row for row in summaries(rows) if row["method"] == "true" and
              (row["attribute"], row["direction"]) == ("disc", "add"))
    assert row["fid_judge_real_90"] < row["fid_judge_90"] < 1
    assert row["kid_judge_90"] < 1
    assert row["ssim_90"] > 0.8


def test_means_over_edits_are_those_of_the_edits(numbers):
    rows = read_results(numbers.out / "results.csv", numbers.keys)
    held = [row for row in rows if row["method"] == "lw" and row["seed"] == "all"
            and row["level"] == "90"]
    (mean,) = (row for row in held if row["attribute"] == "all")
    edits = [row["preservation_mean"] for row in held if row["attribute"] != "all"
             and row["preservation_mean"] == row["preservation_mean"]]
    assert mean["edits"] == len(edits)
    assert mean["preservation_mean"] == pytest.approx(sum(edits) / len(edits), abs=2e-6)
    assert mean["preservation_low"] <= mean["preservation_mean"] <= mean["preservation_high"]


def test_the_table_of_metrics_says_range_best_and_sample(finished):
    text = (finished.out / "tables" / "metrics.md").read_text()
    assert "scoring judge | 0 to 1 | 1, higher is better | 60 images |" in text
    assert "| KID to real target images | −∞ to ∞ | 0 | 60 images, " in text
    for line in text.splitlines():
        if line.startswith("| ") and "---" not in line:
            assert line.count("|") == 5


def test_lw_and_lt_without_preservation_are_compared_in_words():
    told = {"preservation_like": (0.01, 0.005, 0.02), "identity_like": (-0.03, -0.04, 0.0)}
    facts = SimpleNamespace(methods=("lw_star", "lt_star"), at=lambda _, level, name: told[name],
                            edits_of=lambda method, level, name: 7)
    assert _likes(facts) == (
        "LW(*) − LT(*): preserved +0.010 [+0.005, +0.020], identity -0.030 [-0.040, +0.000], "
        "over the 7 edits that both reach. "
    )
    facts.methods = ("lw", "lt_star")
    assert _likes(facts) == ""
