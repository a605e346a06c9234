"""Truths that benchmark.publish must meet: copies, and nothing of README lost around the table."""

import json
from dataclasses import asdict

import pytest

from benchmark.presets import RunConfig
from benchmark.publish import publish

FILES = ("results.csv", "table2.csv", "table2.md", "table2.tex", "fig6.png", "fig6.pdf",
         "examples.png", "times.json", "sheets/lw.png", "sheets/lt.png")
BEFORE = "# lwedit\n\nWords.\n\n<!-- results -->\nold table\n<!-- /results -->\n\nMore words.\n"
CONFIG = RunConfig(methods=("lw",), tasks=("1→2", "2→1"), floors=False)


@pytest.fixture
def run(tmp_path):
    out, root = tmp_path / "run", tmp_path / "root"
    out.mkdir()
    root.mkdir()
    for name in (*FILES, "classifier_0.json", "classifier_1.json"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(name.encode() * 3)
    facts = {"measured": {"1→2": 9, "2→1": 8}, "left_out": {"1→2": 1, "2→1": 2}}
    share = {"mean": 0.5, "low": 0.25, "high": 0.75}
    row = {"method": "lw", "strategy": "chosen", "seeds": 3, "alpha": share | {"mean": 2.0},
           "worst": {"accepted": 0.375, "clean": 0.125, "fooled": 0.0}}
    row |= dict.fromkeys(("accepted", "clean", "exact", "kept", "fooled"), share)
    rows = [row | {"task": "1→2"}, row | {"task": "2→1"},
            row | {"task": "1→2", "method": "lw_every_layer"}]
    held = {"config.json": {"config": asdict(CONFIG)}, "facts.json": facts, "table2.json": rows,
            "shipped.json": {"lw_neural": {"further_images": 70}}}
    for name, values in held.items():
        (out / name).write_text(json.dumps(values))
    (root / "README.md").write_text(BEFORE)
    return out, root


def test_files_are_copied_byte_by_byte(run):
    out, root = run
    (root / "results" / "digits" / "sheets").mkdir(parents=True)
    (root / "results" / "digits" / "sheets" / "of_an_old_run.png").touch()
    publish(out, root)
    here, there = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (root / "results" / "digits", out)
    )
    assert here == there


def test_the_table_of_adding_takes_the_place_between_the_markers(run):
    out, root = run
    for _ in range(2):  # again: the new table replaces the last one
        publish(out, root)
        head, _, rest = (root / "README.md").read_text().partition("<!-- results -->\n")
        text, _, tail = rest.partition("<!-- /results -->")
        assert (head, tail) == ("# lwedit\n\nWords.\n\n", "\n\nMore words.\n")
        title, table, note, picture = text.strip().split("\n\n")
        assert title == "### Adding a digit"
        share = "0.500 [0.250, 0.750]"
        assert table.splitlines()[2:] == [  # no row of removing, none of the fairness rows
            f"| 1→2 | LW, affine (ours) | 2 | {share} | 0.375 | {share} | 0.125 | {share} |"]
        assert "1→2: 9 (1 left out)" in note
        assert note.endswith("LW neural (ours): the editors that the repository ships, not fitted "
                             "in this run; they learnt from the codes of 70 further images of the "
                             "same digits as well.")
        assert picture.endswith("](results/digits/examples.png)")
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
