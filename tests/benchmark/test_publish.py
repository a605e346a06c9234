"""Truths that benchmark.publish must meet: copies, and nothing of README lost around the table."""

import pytest

from benchmark.publish import publish

FILES = ("config.json", "facts.json", "results.csv", "table2.csv", "table2.json", "table2.md",
         "table2.tex", "gains.json", "fig6.png", "fig6.pdf", "examples.png", "shipped.json",
         "times.json", "readme.md", "tables/tables.json", "sheets/lw.png", "sheets/lt.png",
         "classifier_0.json", "classifier_1.json")
LEFT = ("cells/a.npz", "editors/lw_0/editor.json", "tables/adding.md", "report.html")
BEFORE = "# lwedit\n\nWords.\n\n<!-- results -->\nold table\n<!-- /results -->\n\nMore words.\n"


@pytest.fixture
def run(tmp_path):
    out, root = tmp_path / "run", tmp_path / "root"
    root.mkdir()
    for name in (*FILES, *LEFT):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(name.encode() * 3)
    (out / "readme.md").write_text("### The table\n\n| 1→2 |")
    (root / "README.md").write_text(BEFORE)
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
        assert (root / "README.md").read_text() == BEFORE.replace(
            "old table", "### The table\n\n| 1→2 |")
    assert not list(root.glob("*.tmp"))


@pytest.mark.parametrize("marker", ["<!-- results -->", "<!-- /results -->"])
def test_a_lost_marker_is_named_and_nothing_is_written(run, marker):
    out, root = run
    (root / "README.md").write_text(BEFORE.replace(marker, ""))
    with pytest.raises(ValueError, match=r"README\.md must hold the markers <!-- results -->"):
        publish(out, root, "digits", "digits")
    assert [path.name for path in root.iterdir()] == ["README.md"]


def test_an_unfinished_run_leaves_readme_as_it_was(run):
    out, root = run
    (out / "fig6.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"fig6\.png"):
        publish(out, root, "digits", "digits")
    assert (root / "README.md").read_text() == BEFORE


def test_a_run_of_another_name_stands_beside_and_readme_keeps_its_table(run):
    out, root = run
    publish(out, root, "digits", "digits_published")
    assert (root / "README.md").read_text() == BEFORE
    assert [path.name for path in (root / "results").iterdir()] == ["digits_published"]
