"""Truths that benchmark.publish must meet: copies, and nothing of README lost around the table."""

import pytest

from benchmark.publish import publish

FILES = ("config.json", "facts.json", "results.csv", "table2.csv", "table2.json", "table2.tex",
         "fig6.png", "fig6.pdf", "fig6_judge.png", "fig6_judge.pdf", "times.json")
BEFORE = "# lwedit\n\nWords.\n\n<!-- results -->\nold table\n<!-- /results -->\n\nMore words.\n"


@pytest.fixture
def run(tmp_path):
    out, root = tmp_path / "run", tmp_path / "root"
    out.mkdir()
    root.mkdir()
    for name in (*FILES, "classifier_0.json", "classifier_1.json"):
        (out / name).write_bytes(name.encode() * 3)
    sections = ["# Table 2: a title\n", "alpha: one for all\n\n| a | b |\n",
                "alpha: per image\n\n| c |\n", "alpha: by the judge\n\n| d |\n",
                "How to read it\n\nLegend.\n"]
    (out / "table2.md").write_text("\n## ".join(sections))
    (root / "README.md").write_text(BEFORE)
    return out, root


def test_files_are_copied_byte_by_byte(run):
    out, root = run
    publish(out, root)
    copied = {path.name: path.read_bytes() for path in (root / "results" / "digits").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_table_takes_the_place_between_the_markers(run):
    out, root = run
    for _ in range(2):  # again: the new table replaces the last one
        publish(out, root)
        head, _, rest = (root / "README.md").read_text().partition("<!-- results -->\n")
        text, _, tail = rest.partition("<!-- /results -->")
        assert (head, tail) == ("# lwedit\n\nWords.\n\n", "\n\nMore words.\n")
        table, *pictures = text.split("\n\n![")
        assert table.split("\n\n") == [
            "### alpha: one for all", "| a | b |", "### alpha: by the judge", "| d |", "Legend."]
        assert pictures == ["Fig. 6, alpha: one for all](results/digits/fig6.png)",
                            "Fig. 6, alpha: by the judge](results/digits/fig6_judge.png)\n"]
    assert not list(root.glob("*.tmp"))


@pytest.mark.parametrize("marker", ["<!-- results -->", "<!-- /results -->"])
def test_a_lost_marker_is_named_and_nothing_is_written(run, marker):
    out, root = run
    (root / "README.md").write_text(BEFORE.replace(marker, ""))
    with pytest.raises(ValueError, match=r"README\.md must hold the markers <!-- results -->"):
        publish(out, root)
    assert [path.name for path in root.iterdir()] == ["README.md"]


def test_an_unfinished_run_leaves_readme_as_it_was(run):
    out, root = run
    (out / "fig6.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"fig6\.png"):
        publish(out, root)
    assert (root / "README.md").read_text() == BEFORE


def test_a_run_of_another_name_stands_beside_and_readme_keeps_its_table(run):
    out, root = run
    publish(out, root, "digits_published")
    copied = {path.name for path in (root / "results" / "digits_published").iterdir()}
    assert copied == {path.name for path in out.iterdir()}
    assert (root / "README.md").read_text() == BEFORE
    assert [path.name for path in (root / "results").iterdir()] == ["digits_published"]
