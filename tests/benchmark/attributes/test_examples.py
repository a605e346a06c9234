"""The documented examples run: a method of one's own, codes of one's own."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import run

ROOT = Path(__file__).resolve().parents[3]


def methods(out):
    with (out / "summary.csv").open(newline="") as file:
        return {row["method"] for row in csv.DictReader(file)}


@pytest.mark.slow
def test_a_method_of_ones_own_stands_beside_the_others(tmp_path):
    own = f"{ROOT / 'examples' / 'my_method.py'}:Discriminant"
    command = ["--domain", "toy", "--preset", "smoke", "--methods", "lw_star", "--alphas", "3",
               "--attributes", "disc", "--workers", "1", "--method-file", own,
               "--out", str(tmp_path / "run")]
    assert run.main(command) == 0
    assert methods(tmp_path / "run") >= {"discriminant", "lw_star", "centroids"}
    assert "| discriminant |" in (tmp_path / "run" / "report.md").read_text()


@pytest.mark.slow
def test_codes_of_ones_own(tmp_path):
    make = [sys.executable, str(ROOT / "examples" / "make_codes.py"), str(tmp_path)]
    subprocess.run(make, check=True)
    command = ["--codes", str(tmp_path / "codes.npy"), "--labels", str(tmp_path / "labels.csv"),
               "--preset", "smoke", "--methods", "lw_star", "--attributes", "left", "--alphas", "3",
               "--workers", "1", "--out", str(tmp_path / "run")]
    assert run.main(command) == 0
    report = (tmp_path / "run" / "report.md").read_text()
    assert report.startswith("# Attribute editing on codes")
    assert methods(tmp_path / "run") >= {"lw_star", "none", "nearest"}


def test_the_examples_page_names_what_is_there():
    text = (ROOT / "examples" / "README.md").read_text()
    for name in ("my_method.py", "make_codes.py"):
        assert name in text
        assert (ROOT / "examples" / name).exists()
