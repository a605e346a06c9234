"""Truths for the benchmark tab: it offers what a report holds, a report of older days less."""

import json
import re

import pytest

from benchmark.methods import REGISTRY
from demo import benchmark_tab, reports
from demo.style import COLOURS


def row(strategy, method="lw", **values):
    """A row of table2.json; every metric is 0.5 unless given."""
    metrics = dict.fromkeys(reports.DIGIT_METRICS, 0.5) | values
    shown = {name: {"mean": mean, "low": 0.4, "high": 0.6} for name, mean in metrics.items()}
    return {"strategy": strategy, "task": "1→2", "method": method} | shown


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Write a report of these rows and open it in the tab."""

    def write(rows):
        (tmp_path / "table2.json").write_text(json.dumps(rows))
        monkeypatch.setattr(reports, "find_reports", lambda: {"digits, published": tmp_path})
        return benchmark_tab._open("digits, published")

    return write


def test_all_strategies_of_a_report_are_offered_and_drawn(opened):
    metric, _, way, *_ = opened(
        [row(name) for name in ("chosen", "as fitted", "one for all", "per image")])
    assert way.choices == [
        ("One strength for all, chosen on validation images", "chosen"),
        ("The transport as fitted, α = 1", "as fitted"),
        ("Least strength at which the classifier accepts all", "one for all"),
        ("Least strength at which the classifier accepts each", "per image"),
    ]
    assert metric.value == "accepted"  # what is seen first
    for _, strategy in way.choices:
        for _, name in metric.choices:
            chart = benchmark_tab._draw("digits, published", name, None, strategy)
            assert "<svg" in chart
            assert reports.NOTES[name] in chart


def test_the_papers_number_stands_beside_its_own_recipe_and_reading_only(opened):
    opened([row(strategy, method) for strategy in ("chosen", "one for all")
            for method in ("lw_paper", "lw")])
    drawn = {(way, name): benchmark_tab._draw("digits, published", name, None, way)
             for way in ("chosen", "one for all") for name in ("actual", "accepted")}
    assert [key for key, chart in drawn.items() if "paper: 0.90" in chart] == [
        ("one for all", "actual")]


def test_a_report_from_before_the_strict_reading_offers_what_it_has(opened):
    rows = [row("one for all"), row("per image")]
    for old in rows:
        del old["accepted"]
    metric, _, way, *_ = opened(rows)
    assert [key for _, key in way.choices] == ["one for all", "per image"]
    names = [key for _, key in metric.choices]
    assert set(names) == set(reports.DIGIT_METRICS) - {"accepted"}
    assert all("<svg" in benchmark_tab._draw("digits, published", name, None, "per image")
               for name in names)


def test_reports_are_found_where_commands_leave_them_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "ROOT", tmp_path)
    assert reports.find_reports() == {}
    for file in ("runs/faces/results.csv", "results/digits/table2.json", "runs/digits/config.json"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert reports.find_reports() == {
        "digits, published": tmp_path / "results" / "digits",
        "faces, your last run": tmp_path / "runs" / "faces",
    }


def test_every_report_of_this_repository_can_be_drawn():
    shipped = {name: report for name, report in reports.find_reports().items()
               if report.parent == reports.ROOT / "results"}
    assert {"digits, published", "faces, published"} <= set(shipped)
    for name in shipped:
        metric, target, way, *_ = benchmark_tab._open(name)
        assert "<svg" in benchmark_tab._draw(name, metric.value, target.value, way.value)


def test_every_method_of_a_chart_has_a_name_and_a_look_of_its_own(tmp_path):
    methods = ("none", "random", "centroids", "gaussian_ot", "lt", "lt_restricted",
               "lt_few_layers", "lw", "lw_paper", "lw_neural", "lw_every_layer", "nearest",
               "ceiling")
    (tmp_path / "table2.json").write_text(json.dumps([row("chosen", name) for name in methods]))
    chart = reports.digit_chart(tmp_path, "accepted", "chosen")
    keys = re.findall(r'stroke="([^"]*)" stroke-width="4" stroke-dasharray="([^"]*)"/></svg>'
                      r"([^<]*)<", chart)
    assert len(keys) == len(methods)
    assert len({(colour, dash) for colour, dash, _ in keys}) == len(methods)
    colour = {name: colour for colour, _, name in keys}
    assert len({colour[name] for name in ("no edit", "random direction", "real images")}) == 3
    names = {name for *_, name in keys}
    assert len(names) == len(methods)
    assert not names & set(methods) - {"LT"}  # words, not names of the command line
    bars = re.findall(r'<rect [^>]* fill="([^"]*)"[^>]*>', chart)
    assert len(bars) == len(methods)
    assert chart.count('fill-opacity=".35"') == sum(dash != "" for _, dash, _ in keys)


def test_page_and_figures_call_and_colour_a_method_alike():
    for name, method in REGISTRY.items():
        assert reports._label(name) == method.label
        assert reports._look(name)[0] == method.colour
    assert {name: REGISTRY[name].colour for name in COLOURS} == COLOURS
    lines = {name: reports._look(name) for name in ("lw", "lw_star", "lt", "lt_star")}
    assert len(set(lines.values())) == 4


def test_the_paper_s_lw_is_the_one_as_published():
    rows = {name: {"method": name, "task": "1→2", "strategy": "one for all"}
            for name in ("lt", "lw", "lw_paper", "lw_neural")}
    shown = {name: reports._papers(row, "actual") for name, row in rows.items()}
    assert shown == {"lt": 0.32, "lw": None, "lw_paper": 0.90, "lw_neural": None}
    assert reports._papers(rows["lt"] | {"strategy": "chosen"}, "actual") is None
    assert reports._papers(rows["lt"], "kept") is None
