"""Truths of published attribute results: copies, the page's text, both agree in this repository."""

from pathlib import Path

import pytest

from benchmark.publish import publish

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = ROOT / "results" / "faces"


def between(path):
    return path.read_text().partition("<!-- faces -->\n")[2].partition("\n<!-- /faces -->")[0]


@pytest.mark.slow
def test_a_finished_run_is_copied_and_the_page_says_the_same(finished, tmp_path):
    page = tmp_path / "results" / "README.md"
    page.parent.mkdir()
    page.write_text("# a\n\n<!-- faces -->\nold\n<!-- /faces -->\n\nend\n")
    for _ in range(2):
        publish(finished.out, tmp_path, "attributes", "faces")
    folder = tmp_path / "results" / "faces"
    for name in ("results.csv", "summary.csv", "report.md", "tables/equal_change.csv",
                 "figures/fig4.pdf", "figures/fig5.png"):
        assert (folder / name).read_bytes() == (finished.out / name).read_bytes()
    assert not list(folder.rglob("*.npz"))
    text = between(page)
    assert text == (folder / "readme.md").read_text()
    assert text.splitlines()[0].startswith("| method | edits reached")
    assert page.read_text().endswith("<!-- /faces -->\n\nend\n")


def test_a_toy_run_leaves_readme_alone(finished, tmp_path):
    publish(finished.out, tmp_path, "attributes", "toy")
    assert (tmp_path / "results" / "toy" / "results.csv").exists()
    assert not list(tmp_path.rglob("README.md"))


def test_the_page_of_results_has_a_place_for_faces():
    assert (ROOT / "results" / "README.md").read_text().count("<!-- faces -->") == 1


@pytest.mark.skipif(not PUBLISHED.exists(), reason="no faces results in this checkout")
def test_the_page_of_results_shows_what_is_published():
    assert between(ROOT / "results" / "README.md") == (PUBLISHED / "readme.md").read_text()
    large = [path for path in PUBLISHED.rglob("*") if path.stat().st_size > 10_000_000]
    assert not large


@pytest.mark.slow
def test_an_editor_of_a_run_says_what_measured_it(finished):
    cards = list((finished.out / "editors").glob("*/README.md"))
    assert cards
    for card in cards:
        assert "| measured by | benchmark/run.py --domain toy, seed " in card.read_text()
