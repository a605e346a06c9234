"""Truths that benchmark.report must meet: every number of the tables by hand, and no gap unseen."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmark.measure import READINGS
from benchmark.paper import TABLE_2
from benchmark.presets import RunConfig
from benchmark.report import write_report
from benchmark.stages import CellKey, load_cell

CONFIG = RunConfig(
    methods=("lt", "lw"), floors=False, tasks=("1→2",), seeds=(0, 1), bootstrap=4000
)

# Four images; a digit an image. LT: in seed 1 only two verdicts flip. LW: both seeds agree.
LT_0 = {"alpha": [1, 1, 3, 3], "flipped": "1111", "more": "1100", "exact": "1000",
        "kept": "1010", "distance": [2, 2, 2, 2]}
LT_1 = LT_0 | {"flipped": "1001", "more": "1111", "kept": "1111"}
LW = {"alpha": [2, 2, 2, 2], "flipped": "1111", "more": "1111", "exact": "1111",
      "kept": "0000", "distance": [1, 1, 3, 3]}
NOTHING = LW | {"flipped": "0000"}


def write_cell(out, method, seed, reading, cell, **changes):
    cell = {"kept_photo": cell["kept"]} | cell
    arrays = {
        name: np.array([c == "1" for c in value]) if isinstance(value, str) else np.array(value)
        for name, value in cell.items()
    }
    path = CellKey(method, "1→2", seed).path(out, reading)
    path.parent.mkdir(exist_ok=True)
    arrays = {k: v.astype(np.float32) if v.dtype != bool else v for k, v in arrays.items()}
    np.savez(path, seconds=1.0, **(arrays | changes))
    return path


@pytest.fixture
def out(tmp_path):
    """A run folder; in the second and third reading LW flips nothing."""
    for seed, lt in ((0, LT_0), (1, LT_1)):
        for reading in READINGS:
            write_cell(tmp_path, "lt", seed, reading, lt)
        write_cell(tmp_path, "lw", seed, READINGS[0], LW)
        for reading in READINGS[1:]:
            write_cell(tmp_path, "lw", seed, reading, NOTHING)
    facts = {
        "heldout_images": 4000, "count_judge_real": 0.9975, "classes_judge_real": 0.98125,
        "reconstruction_count_kept": 0.9875, "reconstruction_classes_kept": 0.9375,
        "reconstruction_ssim": 0.875, "left_out": {"1→2": 3}, "measured": {"1→2": 4},
    }
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    for seed, accuracy in ((0, 0.975), (1, 0.96875)):
        (tmp_path / f"classifier_{seed}.json").write_text(json.dumps({"1→2": accuracy}))
    return tmp_path


def interval(mean, low, high):
    return {"mean": pytest.approx(mean), "low": pytest.approx(low), "high": pytest.approx(high)}


NONE = {"mean": None, "low": None, "high": None}


def test_every_number_of_table_2(out):
    write_report(CONFIG, out)
    rows = json.loads((out / "table2.json").read_text())
    keys = [(row.pop("reading"), row.pop("task"), row.pop("method")) for row in rows]
    assert keys == [(r, "1→2", m) for r in READINGS for m in ("lt", "lw")]
    # Sums over both seeds, image by image. LT flips 2, 1, 1, 2 times and of these the judge sees
    # 2, 1, 0, 1 digits more; a digit exactly 2, 0, 0, 0; and keeps 2, 0, 0, 1 of 2, 1, 0, 1.
    lt, lw, lt_again, lw_nothing, lt_judged, lw_judged = rows
    assert lt == lt_again
    assert lt["actual"]["mean"] == pytest.approx(4 / 6)
    assert lt["exact"]["mean"] == pytest.approx(2 / 6)
    assert lt["kept"]["mean"] == pytest.approx(3 / 4)
    assert lt["clean"]["mean"] == pytest.approx(2 / 6)  # the first image, in both seeds
    assert lt["latent"]["mean"] == pytest.approx(6 / 8)
    assert lt["alpha"] == interval(2, 1, 3)  # halves 1 and 3: all four alike in 1 draw of 16
    assert lt["distance"] == interval(2, 2, 2)
    assert (lt["images"], lt["seeds"], lt["paper"]) == (4, 2, 0.32)
    assert lw == {
        "actual": interval(1, 1, 1), "exact": interval(1, 1, 1), "kept": interval(0, 0, 0),
        "clean": interval(0, 0, 0),
        "latent": interval(1, 1, 1), "alpha": interval(2, 2, 2), "distance": interval(2, 1, 3),
        "kept_photo": interval(0, 0, 0), "images": 4, "seeds": 2, "paper": 0.90,
    }
    assert lw_nothing == lw | {
        "actual": NONE, "exact": NONE, "kept": NONE, "kept_photo": NONE, "clean": NONE,
        "latent": interval(0, 0, 0),
    }
    # By the judge all images count: of LT 2, 2, 1, 1 change, in 2, 1, 1, 1 of which all is kept.
    assert lw_judged == lw | {"latent": interval(0, 0, 0), "paper": None}
    assert lt_judged["actual"]["mean"] == pytest.approx(6 / 8)
    assert lt_judged["exact"]["mean"] == pytest.approx(2 / 8)
    assert lt_judged["kept"]["mean"] == pytest.approx(5 / 6)
    assert lt_judged["clean"]["mean"] == pytest.approx(2 / 8)
    assert lt_judged["latent"] == lt["latent"]


@pytest.mark.parametrize("name", ["actual", "exact", "kept", "clean", "latent"])
def test_interval_ends_are_those_of_all_resamples(out, name):
    """The 256 resamples of four images, each as likely as any other, written out."""
    write_report(CONFIG, out)
    flips, more = np.array([2, 1, 1, 2]), np.array([2, 1, 0, 1])
    top, bottom = {
        "actual": (more, flips), "exact": (np.array([2, 0, 0, 0]), flips),
        "clean": (np.array([2, 0, 0, 0]), flips),
        "kept": (np.array([2, 0, 0, 1]), more), "latent": (flips, np.full(4, 2)),
    }[name]
    picks = np.indices((4,) * 4).reshape(4, -1).T
    with np.errstate(invalid="ignore"):
        ratios = top[picks].sum(axis=1) / bottom[picks].sum(axis=1)
    found = json.loads((out / "table2.json").read_text())[0][name]
    ratios = np.sort(ratios[~np.isnan(ratios)])
    for end, share in (("low", 0.025), ("high", 0.975)):
        near = np.quantile(ratios, [share - 0.012, share + 0.012])  # 4000 resamples: +- .005
        assert near[0] <= found[end] <= near[1]


def test_every_number_of_results_csv(out):
    write_report(CONFIG, out)
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = ("actual", "exact", "kept", "clean", "latent", "alpha", "distance")
    head = ["method", "task", "reading", "seed", "images", *columns, "kept_photo"]
    assert list(rows[0]) == head
    by_hand = {  # LT, seed 1: of images 1 and 4, which flip, both are seen, one exactly
        ("lt", "0"): (2 / 4, 1 / 4, 1 / 2, 1 / 4, 1, 2, 2),
        ("lt", "1"): (1, 1 / 2, 1, 1 / 2, 2 / 4, 2, 2),
        ("lw", "0"): (1, 1, 0, 0, 1, 2, 2),
        ("lw", "1"): (1, 1, 0, 0, 1, 2, 2),
    }
    judged = {  # all four images count
        ("lt", "0"): (2 / 4, 1 / 4, 1 / 2, 1 / 4, 1, 2, 2),
        ("lt", "1"): (1, 1 / 4, 1, 1 / 4, 2 / 4, 2, 2),
        ("lw", "0"): (1, 1, 0, 0, 0, 2, 2),
        ("lw", "1"): (1, 1, 0, 0, 0, 2, 2),
    }
    assert len(rows) == 12
    for row in rows:
        means = judged if row["reading"] == "by the judge" else by_hand
        expected = means[row["method"], row["seed"]]
        if row["method"] == "lw" and row["reading"] == "per image":
            assert [row[name] for name in columns[:4]] == [""] * 4  # nothing flipped: no number
            expected = (None, None, None, None, 0, 2, 2)
        for name, value in zip(columns, expected, strict=True):
            assert value is None or float(row[name]) == pytest.approx(value, abs=1e-6), row
        assert (row["task"], row["images"]) == ("1→2", "4")


def test_csv_and_markdown_say_what_json_says(out):
    markdown = write_report(CONFIG, out).read_text()
    rows = json.loads((out / "table2.json").read_text())
    with (out / "table2.csv").open() as file:
        flat = list(csv.DictReader(file))
    lines = [line for line in markdown.splitlines() if line.startswith("| 1→2")]
    for row, cells, line in zip(rows, flat, lines, strict=True):
        for name in ("actual", "exact", "kept", "clean", "latent", "alpha", "distance"):
            for part, suffix in (("mean", ""), ("low", "_low"), ("high", "_high")):
                value = row[name][part]
                assert cells[name + suffix] == ("" if value is None else str(value))
        shown = [part.strip() for part in line.split("|")[1:-1]]
        for name, text in zip(("actual", "exact", "kept", "clean"), shown[2:6], strict=True):
            mean, low, high = row[name].values()
            empty = mean is None
            assert text == ("no image" if empty else f"{mean:.3f} [{low:.3f}, {high:.3f}]")
        assert shown[1] == {"lt": "LT", "lw": "LW"}[row["method"]]
        judged = row["reading"] == "by the judge"  # which the paper does not have
        assert shown[-1] == ("" if judged else f"{row['paper']:.2f}")
    for fact in ("0.9975", "0.9812", "0.9875", "0.9375", "0.875", "4 images (3 left out)",
                 "1→2 0.969"):  # the worst seed's classifier
        assert fact in markdown


def test_the_same_cells_give_the_same_bytes(out):
    names = ("results.csv", "table2.json", "table2.csv", "table2.md")
    written = []
    for _ in range(2):
        write_report(CONFIG, out)
        written.append([(out / name).read_bytes() for name in names])
    assert written[0] == written[1]
    assert not list(out.glob("*.tmp"))


# --- gaps ------------------------------------------------------------------------------------


def test_a_missing_cell_is_named(out):
    path = CellKey("lw", "1→2", 1).path(out, "per image")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"missing: {re.escape(str(path))}"):
        write_report(CONFIG, out)
    assert not (out / "table2.md").exists()


@pytest.mark.parametrize("name", ["alpha", "distance"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_named(out, name, value):
    bad = np.array([1, 1, value, 1], np.float32)
    path = write_cell(out, "lt", 0, READINGS[0], LT_0, **{name: bad})
    with pytest.raises(ValueError, match=rf"cell must be finite, {name} is not in .*{path.name}"):
        write_report(CONFIG, out)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="truncated"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"<html><body>404</body></html>", id="error page"),
    ],
)
def test_a_damaged_cell_is_named_with_the_remedy(out, damage):
    path = CellKey("lt", "1→2", 0).path(out, READINGS[1])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"remove .*{path.name} and run again"):
        write_report(CONFIG, out)


def test_a_cell_without_one_of_its_arrays_is_damaged(out):
    path = CellKey("lt", "1→2", 0).path(out, READINGS[0])
    with np.load(path) as file:
        arrays = dict(file)
    del arrays["kept"]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"remove .* and run again: .*kept"):
        load_cell(CellKey("lt", "1→2", 0), READINGS[0], out)


def test_cells_have_a_file_each():
    keys = [CellKey(m, t, s) for m in ("lw", "lw_star") for t in ("1→2", "2→3") for s in (0, 1)]
    paths = {key.path(Path("out"), reading).name for key in keys for reading in READINGS}
    assert len(paths) == 24
    assert all(name.isascii() for name in paths)


# --- the paper -------------------------------------------------------------------------------


def test_the_papers_numbers_are_those_of_its_table_2():
    tasks = ("1→2", "2→3", "3→4")
    printed = {"lt": (0.32, 0.31, 0.64), "lw": (0.90, 0.95, 0.99)}
    assert {method: dict(zip(tasks, row, strict=True)) for method, row in printed.items()} == (
        TABLE_2
    )
