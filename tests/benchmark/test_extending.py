"""A new domain is a module and an entry, a new method a class and an entry, a new metric likewise.

The stub domain's answers are known: a code is a point of the plane, "right" and "up" say on which
side of each axis it lies, and its image is the code as two flat channels, the third is black.
"""

import csv
import shutil

import pytest
import torch

from benchmark import run
from benchmark.attributes import DOMAINS, AttributeRun
from benchmark.collect import collect
from benchmark.command import resumed
from benchmark.measure import MEASURES, Measure
from benchmark.methods import REGISTRY, Method
from benchmark.rows import write_results
from benchmark.tables.sheet import read_sheets
from demo.reports import face_chart, table_of
from lwedit.editors import AffineEditor, AffineMap
from lwedit.latents import LatentSet, Space
from lwedit.metrics import Metric


class Stub:
    """The plane."""

    name, attributes, editable, identities = "stub", ("right", "up"), ("right",), ("pixels",)
    space, weights = Space("stub", "Z", 1, 2), {"generator": "stub"}

    def latents(self, part, *, progress=False):
        rng = torch.Generator().manual_seed({"train": 0, "heldout": 1}[part])
        w = torch.randn(400, 1, 2, generator=rng)
        return LatentSet(w, (w[:, 0] > 0).long(), self.attributes, self.space)

    def generate(self, w, batch=100):
        shown = torch.cat([w[:, 0], torch.zeros(len(w), 1)], dim=1) / 4
        return shown[:, :, None, None].clamp(-1, 1).expand(-1, -1, 4, 4)

    def score(self, x):
        return (40 * x[:, :2].mean(dim=(2, 3))).sigmoid()

    def identity(self, x, x_edit, measure):
        return 1 - (x - x_edit).abs().mean(dim=(1, 2, 3))

    def facts(self):
        return {"scoring": {"attributes": {name: {"accuracy": 1.0} for name in self.attributes}}}


class East(AffineEditor):
    """One step to the right."""

    method, uses_seed = "east", False

    @classmethod
    def fit(cls, data):
        return cls(data.attribute, data.train.space, AffineMap(None, torch.tensor([[1.0, 0.0]])))


def how_far(view):
    """The length of the edit, which is its strength."""
    return view.w_edit[:, 0, 0] - view.task.w[:, 0, 0]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A run of the command on the new domain with the new method and metric."""
    folder = tmp_path_factory.mktemp("stub") / "run"
    metric = Metric("how_far", "length of the edit, signed", -9, 9, 0, "codes", how_far)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DOMAINS, "stub", lambda config: Stub())
        patch.setitem(REGISTRY, "east", Method(East, "a step east", "#123456", "-", "o"))
        more = (*MEASURES["attributes"], Measure("how_far", how_far, metric))
        patch.setitem(MEASURES, "attributes", more)
        command = ["--domain", "stub", "--preset", "smoke", "--methods", "east", "--no-floors",
                   "--workers", "1", "--out", str(folder)]
        assert run.main(command) == 0
        charts = face_chart(folder, "right", "add", "identity"), table_of(folder)
    return folder, charts


def rows(out):
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_new_domain_and_method_have_rows_tables_figures_and_the_page(out):
    folder, (chart, table) = out
    strengths = [row for row in rows(folder) if row["method"] == "east" and not row["level"]]
    assert {row["direction"] for row in strengths} == {"add", "remove"}
    assert max(float(row["target_change"]) for row in strengths) > 0.9
    assert {float(row["preservation"]) for row in strengths} == {1.0}  # a step east keeps "up"
    sheets = {sheet.name: sheet for sheet in read_sheets(folder / "tables")}
    assert sheets["equal_change"].rows[0][:2] == ("a step east", "2 of 2")
    assert (folder / "figures" / "fig4.png").stat().st_size > 3000
    assert (folder / "figures" / "fig3_right_add.png").stat().st_size > 1000
    assert "a step east" in (folder / "report.html").read_text()
    assert "a step east" in chart
    assert "#123456" in chart
    assert "| a step east |" in table


def test_a_new_metric_is_in_results_and_in_the_table_of_metrics(out):
    folder, _ = out
    for row in rows(folder):
        if not row["level"]:
            assert float(row["how_far"]) == pytest.approx(float(row["alpha"]), abs=1e-5)
    (sheet,) = (sheet for sheet in read_sheets(folder / "tables") if sheet.name == "metrics")
    assert ("length of the edit, signed", "−9 to 9", "0") in [row[:3] for row in sheet.rows]


def test_cells_measured_before_there_was_a_metric_stay_valid(out, tmp_path, monkeypatch):
    folder, _ = out
    monkeypatch.setitem(DOMAINS, "stub", lambda config: Stub())
    monkeypatch.setitem(REGISTRY, "east", Method(East, "a step east", "#123456", "-", "o"))
    more = (*MEASURES["attributes"], Measure("later", how_far))
    monkeypatch.setitem(MEASURES, "attributes", more)
    shutil.copytree(folder, tmp_path / "run")
    again = AttributeRun(resumed(tmp_path / "run", "stub"), tmp_path / "run")
    write_results(collect(again), again)
    assert "later" not in rows(tmp_path / "run")[0]
