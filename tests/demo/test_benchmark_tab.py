"""Truths for the benchmark tab: it offers what a report holds, a report of older days less."""

import json

import pytest

from demo import benchmark_tab, reports


def row(reading, **values):
    """A row of table2.json; every metric is 0.5 unless given."""
    metrics = dict.fromkeys(reports.DIGIT_METRICS, 0.5) | values
    shown = {name: {"mean": mean, "low": 0.4, "high": 0.6} for name, mean in metrics.items()}
    return {"reading": reading, "task": "1→2", "method": "lw", "paper": 0.9} | shown


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Write a report of these rows and open it in the tab."""

    def write(rows):
        (tmp_path / "table2.json").write_text(json.dumps(rows))
        monkeypatch.setattr(reports, "find_reports", lambda: {"digits, published": tmp_path})
        return benchmark_tab._open("digits, published")

    return write


def test_all_readings_of_a_report_are_offered_and_drawn(opened):
    metric, _, way, *_ = opened([row("one for all"), row("per image"), row("by the judge")])
    assert way.choices == [
        ("One strength for all images", "one for all"),
        ("Least strength an image", "per image"),
        ("Least strength at which the judge sees it", "by the judge"),
    ]
    assert ("Exactly one more, all kept", "clean") in metric.choices
    for _, reading in way.choices:
        for _, name in metric.choices:
            chart = benchmark_tab._draw("digits, published", name, None, reading)
            assert "<svg" in chart
            assert reports.NOTES[name] in chart


def test_a_report_from_before_the_third_reading_offers_what_it_has(opened):
    rows = [row("one for all"), row("per image")]
    for old in rows:
        del old["clean"]
    metric, _, way, *_ = opened(rows)
    assert [key for _, key in way.choices] == ["one for all", "per image"]
    names = [key for _, key in metric.choices]
    assert "clean" not in names
    assert set(names) == set(reports.DIGIT_METRICS) - {"clean"}
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
    assert len(shipped) == 3
    for name in shipped:
        metric, target, way, *_ = benchmark_tab._open(name)
        assert "<svg" in benchmark_tab._draw(name, metric.value, target.value, way.value)
