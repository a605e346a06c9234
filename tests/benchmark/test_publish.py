"""Truths that benchmark.publish must meet: copies, and nothing of README lost around the table."""

import json

import pytest

from benchmark.publish import publish

FILES = ("config.json", "facts.json", "results.csv", "table2.csv", "table2.json", "table2.md",
         "table2.tex", "gains.json", "fig6.png", "fig6.pdf", "examples.png", "shipped.json",
         "times.json", "readme.md", "tables/tables.json", "sheets/lw.png", "sheets/lt.png",
         "classifier_0.json", "classifier_1.json")
LEFT = ("cells/a.npz", "editors/lw_0/editor.json", "tables/adding.md", "report.html")
PAGES = ("README.md", "results/README.md")
SHARE = {"mean": 0.5, "low": 0.25, "high": 0.75}
BEFORE = "# lwedit\n\nWords.\n\n<!-- results -->\nold table\n<!-- /results -->\n\nMore words.\n"


@pytest.fixture
def run(tmp_path):
    out, root = tmp_path / "run", tmp_path / "root"
    root.mkdir()
    for name in (*FILES, *LEFT):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(name.encode() * 3)
    (out / "readme.md").write_text("### The table\n\n| 1→2 |")
    rows = [{"method": "lw", "strategy": "chosen", "task": task, "accepted": SHARE}
            for task in ("1→2", "2→1")]
    (out / "table2.json").write_text(json.dumps(rows))
    for page in PAGES:
        (root / page).parent.mkdir(exist_ok=True)
        (root / page).write_text(BEFORE)
    return out, root


def test_files_are_copied_byte_by_byte(run):
    out, root = run
    (root / "results" / "digits" / "sheets").mkdir(parents=True)
    (root / "results" / "digits" / "sheets" / "of_an_old_run.png").touch()
    publish(out, root, "digits", "digits")
    folder = root / "results" / "digits"
    held = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert held == set(FILES)
    assert all((folder / name).read_bytes() == (out / name).read_bytes() for name in FILES)


def test_the_block_of_the_report_takes_the_place_between_the_markers(run):
    out, root = run
    for _ in range(2):  # again: the new block replaces the last one
        publish(out, root, "digits", "digits")
        front, page = ((root / page).read_text() for page in PAGES)
        assert page == BEFORE.replace("old table", "### The table\n\n| 1→2 |")
        assert front == BEFORE.replace(  # adding alone
            "old table", "| accepted edits | 1→2 |\n| --- | --- |\n"
            "| LW, affine (ours) | 0.50 [0.25, 0.75] |\n\n"
            "Shares of held-out images, 95 % intervals.")
    assert not list(root.glob("*.tmp"))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("marker", ["<!-- results -->", "<!-- /results -->"])
def test_a_lost_marker_is_named_and_nothing_is_written(run, marker, page):
    out, root = run
    (root / page).write_text(BEFORE.replace(marker, ""))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"README\.md must hold the markers <!-- results -->"):
        publish(out, root, "digits", "digits")
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_an_unfinished_run_leaves_readme_as_it_was(run):
    out, root = run
    (out / "fig6.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"fig6\.png"):
        publish(out, root, "digits", "digits")
    assert all((root / page).read_text() == BEFORE for page in PAGES)


def test_a_run_of_another_name_stands_beside_and_readme_keeps_its_table(run):
    out, root = run
    publish(out, root, "digits", "digits_published")
    assert all((root / page).read_text() == BEFORE for page in PAGES)
    assert {path.name for path in (root / "results").iterdir()} == {"digits_published", "README.md"}
