"""Truths of the command on attribute domains: configuration, one line for whatever is wrong."""

import json
import os
import resource
import shutil
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark import run
from benchmark.presets import DIRECTIONS, PRESETS, AttributeConfig, preset
from lwedit.domains import DigitsDomain
from lwedit.judges.faces import FACE_ATTRIBUTES

ROOT = Path(__file__).resolve().parents[3]


def said(capsys, *command):
    """The one line with which a command is refused."""
    assert run.main([*map(str, command)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmark: ")
    return line.removeprefix("benchmark: ")


@pytest.mark.parametrize("name", list(PRESETS["faces"]))
@pytest.mark.parametrize("domain", ["toy", "faces"])
def test_a_dry_run_prints_the_whole_configuration(name, domain, capsys, tmp_path):
    out = tmp_path / "run"
    assert run.main(["--domain", domain, "--preset", name, "--dry-run", "--out", str(out)]) == 0
    expected = json.loads(json.dumps(asdict(preset(name, domain))))
    assert json.loads(capsys.readouterr().out) == expected
    assert not out.exists()


def test_the_paper_preset_on_faces_is_the_papers_comparison():
    """Four methods, floors, three seeds, every attribute, and no fewer faces than the paper's."""
    config = preset("paper", "faces")
    assert set(config.methods) == {"lw", "lw_star", "lt", "lt_star"}
    assert config.floors
    assert len(config.seeds) >= 3
    assert config.attributes == ()  # all of them
    assert config.alphas == 10
    assert len(FACE_ATTRIBUTES) * len(DIRECTIONS) * config.test_images >= 1000


def test_options_reach_the_configuration(capsys):
    command = ["--domain", "toy", "--methods", "lw", "lt", "--attributes", "disc", "--seeds", "3",
               "4", "--alphas", "5", "--no-floors", "--dry-run"]
    assert run.main(command) == 0
    held = json.loads(capsys.readouterr().out)
    assert (held["methods"], held["attributes"]) == (["lw", "lt"], ["disc"])
    assert (held["seeds"], held["alphas"], held["floors"]) == ([3, 4], 5, False)


@pytest.mark.parametrize("option", [["--alphas", "0"], ["--batch", "-1"], ["--workers", "0"],
                                    ["--stage", "draw"], ["--key", "w"]])
def test_what_no_run_on_digits_has_is_a_usage_error(option, capsys):
    with pytest.raises(SystemExit) as stop:
        run.main(option)
    assert stop.value.code == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ()}, "methods must name at least one"),
        ({"seeds": (1, 1)}, "seeds must differ"),
        ({"alphas": 1}, "alphas must be at least 2, got 1"),
        ({"change_at_d": 1.0}, r"change_at_d must lie in \(0, 1\), got 1.0"),
        ({"largest_d": 0.0}, "largest_d must be positive"),
    ],
)
def test_impossible_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        AttributeConfig(**changes)


def test_an_attribute_that_is_not_there_is_named(capsys, tmp_path):
    line = said(capsys, "--domain", "toy", "--attributes", "hat", "--out", tmp_path / "run")
    assert line == "attributes must be among disc, ring, cross, bar, got 'hat'."
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the file exist"),
        ("x = 1\n", "could not be used: AttributeError"),
        ("raise RuntimeError('boom')\n", "could not be used: RuntimeError('boom')"),
        ("class Mine:\n    pass\n", "must name a subclass"),
        ("from lwedit.editors import Editor\nclass Mine(Editor):\n    method = 'mine'\n",
         "Mine lacks displacement, fit, restore, state"),
        ("from lwedit.editors import LatentWasserstein\nclass Mine(LatentWasserstein):\n"
         "    method = 'lw'\n", "must be a new name"),
    ],
)
def test_an_own_method_that_is_none_is_named(text, message, capsys, tmp_path):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    place = f"{path}:Mine"
    line = said(capsys, "--domain", "toy", "--method-file", place, "--out", tmp_path / "run")
    assert message in line


def codes(tmp_path, w=None, y=None):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((200, 3, 4)).astype(np.float32) if w is None else w
    y = (w[:, :2, 0] > 0).astype(np.int64) if y is None else y
    np.save(tmp_path / "w.npy", w)
    np.save(tmp_path / "y.npy", y)
    files = ["--codes", tmp_path / "w.npy", "--labels", tmp_path / "y.npy"]
    return [*files, "--out", tmp_path / "run"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, y: (w[:, 0, 0], y), "codes must be floats of shape (n, dim), (n, layers, dim)"),
        (lambda w, y: (w.astype(int), y), "codes must be floats"),
        (lambda w, y: (np.where(w == w[7, 0, 0], np.nan, w), y), "1 are not, the first in row 7"),
        (lambda w, y: (w, y[:-1]), "one row a code: 200 codes, 199 rows"),
        (lambda w, y: (w, y + 1), "labels must be 0 or 1"),
        (lambda w, y: (w, y * 0), "none of 200 codes have it by their labels"),
        (lambda w, y: (w[:50], y[:50]), "codes must be 100 different ones at least"),
    ],
)
def test_codes_that_cannot_be_used_are_named(change, message, capsys, tmp_path):
    codes(tmp_path)
    w, y = np.load(tmp_path / "w.npy"), np.load(tmp_path / "y.npy")
    assert message in said(capsys, *codes(tmp_path, *change(w, y)))


@pytest.mark.parametrize("damage", ["html", "pickled", "truncated", "archive", "missing"])
def test_files_that_are_no_codes_are_named(damage, capsys, tmp_path):
    command = codes(tmp_path)
    path = tmp_path / "w.npy"
    if damage == "html":
        path.write_text("<!doctype html>")
    elif damage == "pickled":
        np.save(path, np.array([{"a": 1}], dtype=object))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "archive":
        with path.open("wb") as file:
            np.savez(file, w=np.zeros((200, 3, 4)), v=np.zeros(3))
    else:
        path.unlink()
    assert "codes must be" in said(capsys, *command)


@pytest.mark.parametrize("text", ["left,up\n0,1\n1\n", "left,up\n0,x\n", "left,left\n0,1\n", "",
                                  "left,up\n0,2\n"])
def test_labels_that_are_no_table_are_named(text, capsys, tmp_path):
    command = codes(tmp_path)
    (tmp_path / "y.csv").write_text(text)
    command[3] = tmp_path / "y.csv"
    assert said(capsys, *command).startswith("labels must")


def test_codes_need_their_labels(capsys, tmp_path):
    command = codes(tmp_path)
    assert said(capsys, *command[:2]) == "codes and labels must be given together, as files."


def test_a_folder_of_another_run_is_refused_and_stays_as_it_was(capsys, tmp_path):
    (tmp_path / "config.json").write_text('{"config": {"domain": "digits"}}')
    line = said(capsys, "--domain", "toy", "--preset", "smoke", "--out", tmp_path)
    assert "must be a new folder or hold a run of the same config" in line
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    line = said(capsys, "--domain", "toy", "--resume", "--out", tmp_path)
    assert "it is one on 'digits', not 'toy'" in line


def test_a_damaged_configuration_is_named(capsys, tmp_path):
    (tmp_path / "config.json").write_text('{"config": ')
    assert "is damaged" in said(capsys, "--domain", "toy", "--out", tmp_path)


def test_a_report_needs_a_run(capsys, tmp_path):
    line = said(capsys, "--domain", "toy", "--figures-only", "--out", tmp_path / "run")
    assert "must hold a finished run" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(capsys, tmp_path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in said(capsys, "--domain", "toy", "--out", tmp_path / "run")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that no one may write")
@pytest.mark.parametrize("domain", ["toy", "digits"])
def test_a_folder_that_no_one_may_write_is_named(domain, capsys, monkeypatch):
    monkeypatch.setattr(DigitsDomain, "load", lambda: SimpleNamespace(weights={}))
    assert "'/proc/run'" in said(capsys, "--domain", domain, "--out", "/proc/run")


def test_a_file_in_the_place_of_the_folder_is_named(capsys, tmp_path):
    (tmp_path / "run").write_text("")
    assert "run" in said(capsys, "--domain", "toy", "--out", tmp_path / "run")


@pytest.fixture
def full_disk():
    """Two functions: files end after so many bytes, as on a full disk; there is room again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def full(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    yield full, room
    room()


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 3_000, 20_000])
def test_a_full_disk_is_one_line_and_loses_nothing(size, full_disk, capsys, tmp_path):
    """At the configuration, at the facts, at the first network."""
    full, room = full_disk
    command = ["--domain", "toy", "--preset", "smoke", "--methods", "lw_star", "--attributes",
               "disc", "--stage", "classify", "--workers", "1", "--out", str(tmp_path / "run")]
    full(size)
    code = run.main([*command[:8], *command[10:]] if size < 20_000 else command)
    room()
    assert code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("benchmark: ")
    assert "File too large" in last
    whole = [path for path in (tmp_path / "run").rglob("*") if path.suffix != ".tmp"]
    for path in whole:
        if path.suffix == ".json":
            json.loads(path.read_text())
    assert run.main(command) == 0
    assert (tmp_path / "run" / "classifiers" / "0.safetensors").exists()


def test_a_full_disk_loses_nothing(finished_small, capsys, tmp_path, monkeypatch):
    out = tmp_path / "run"
    shutil.copytree(finished_small.out, out)
    cells = sorted((out / "cells").iterdir())
    before = [path.read_bytes() for path in cells[1:]]
    cells[0].unlink()

    def full(file, **arrays):
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchmark.files.np.savez_compressed", full)
    from benchmark.attributes import AttributeRun as Run
    from benchmark.stages import perform, tasks_of
    from benchmark.workers import do_all

    again = Run(finished_small.config, out)
    with pytest.raises(OSError, match="No space left"):
        do_all(tasks_of("score", again), again, perform)
    assert not cells[0].exists()
    assert [path.read_bytes() for path in cells[1:]] == before
    assert tasks_of("score", again) == tasks_of("score", Run(finished_small.config, out))


def test_a_preset_of_the_digits_alone_is_refused():
    with pytest.raises(ValueError, match="preset must be one of .* for faces, got 'published'"):
        preset("published", "faces")
