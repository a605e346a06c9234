"""Truths of run folders: the same bytes again, after a kill, over processes; bad cells named."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmark.attributes import AttributeRun as Run
from benchmark.cells import load_cell, save_cell
from benchmark.collect import collect
from benchmark.rows import write_results
from benchmark.runs import Key
from benchmark.stages import perform, tasks_of
from benchmark.workers import do_all

ROOT = Path(__file__).resolve().parents[3]
STAGES = ("encode", "classify", "fit", "edit", "score")


def results(run):
    return write_results(collect(run), run).read_bytes()


@pytest.fixture
def copy(finished_small, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(finished_small.out, out)
    return Run(finished_small.config, out)


@pytest.mark.slow
def test_the_same_command_twice_gives_the_same_bytes(finished_small, tmp_path, finish):
    again = Run(finished_small.config, tmp_path)
    finish(again)
    assert results(again) == results(finished_small)


@pytest.mark.slow
def test_what_was_lost_is_done_again_and_nothing_else(copy, finished_small, finish):
    key = Key("lt", "disc", "remove", 0)
    shutil.rmtree(copy.editor_folder(key))
    copy.strengths_path(key).unlink()
    for lost in (key, Key("lw", "disc", "add", 0)):
        copy.cell_path(lost).unlink()
    assert [len(tasks_of(stage, copy)) for stage in STAGES] == [0, 0, 1, 1, 2]
    finish(copy)
    assert results(copy) == results(finished_small)
    assert [tasks_of(stage, copy) for stage in STAGES] == [[], [], [], [], []]


@pytest.mark.slow
def test_processes_give_the_same_bytes(finished_small, tmp_path):
    run = Run(finished_small.config, tmp_path)
    for stage in STAGES:
        do_all(tasks_of(stage, run), run, perform, workers=2)
    assert results(run) == results(finished_small)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_run_that_stops_in_any_stage_goes_on_to_the_same_bytes(stage, finished_small, tmp_path):
    """The stage ends after its first task, and a half-written file of every kind is left."""
    run, done = Run(finished_small.config, tmp_path), []

    def interrupted(task, run):
        if task.stage == stage and done:
            raise KeyboardInterrupt
        perform(task, run)
        if task.stage == stage:
            done.append(task)
            for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
                path.with_name(path.name + ".tmp").write_bytes(path.read_bytes()[:-9])
                path.with_suffix(".tmp").write_bytes(b"half")

    try:
        for name in STAGES[: STAGES.index(stage) + 1]:
            do_all(tasks_of(name, run), run, interrupted)
    except KeyboardInterrupt:
        pass
    assert done
    for name in STAGES:
        do_all(tasks_of(name, run), run, perform)
    assert results(run) == results(finished_small)


@pytest.mark.slow
def test_a_run_stopped_by_ctrl_c_and_then_killed_goes_on_to_the_same_bytes(tmp_path):
    def command(out):
        return [sys.executable, str(ROOT / "benchmark" / "run.py"), "--domain", "toy", "--preset",
                "smoke", "--methods", "lw_star", "--attributes", "disc", "--alphas", "3",
                "--workers", "1", "--out", str(tmp_path / out)]

    def stopped(how, when):
        # A shell that starts tests in the background has them, and what they start, ignore Ctrl-C.
        process = subprocess.Popen(
            command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 240
        while not list((tmp_path / "killed").glob(when)) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(how)
        return process.communicate()[1].splitlines(), process.returncode

    subprocess.run(command("whole"), check=True, capture_output=True)
    lines, code = stopped(signal.SIGINT, "classifiers/*.json")
    assert code == 130
    assert lines[-1].startswith("benchmark: stopped; the same command goes on from")
    assert not any("Traceback" in line for line in lines)
    stopped(signal.SIGKILL, "cells/*.npz")
    assert not (tmp_path / "killed" / "results.csv").exists()
    resume = [sys.executable, str(ROOT / "benchmark" / "run.py"), "--domain", "toy", "--resume",
              "--workers", "1", "--out", str(tmp_path / "killed")]
    subprocess.run(resume, check=True, capture_output=True)
    for name in ("results.csv", "summary.csv", "tables/equal_change.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# --- bad cells -------------------------------------------------------------------------------


def test_a_missing_cell_is_named(copy):
    path = copy.cell_path(Key("lt", "disc", "add", 0))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"missing: .*lt_disc_add_0\.npz"):
        collect(copy)


def test_a_cell_that_is_not_finite_is_named(copy):
    path = copy.cell_path(Key("lt", "disc", "add", 0))
    cell = load_cell(path, "attributes")
    identity = cell.identity.copy()
    identity[1, 2] = np.nan
    save_cell(path, {**cell, "identity": identity})
    with pytest.raises(ValueError, match=r"finite, identity is not in .*lt_disc_add_0\.npz"):
        collect(copy)


@pytest.mark.parametrize("damage", ["truncated", "html", "pickled", "short", "empty"])
def test_a_damaged_cell_is_named(copy, damage):
    path = copy.cell_path(Key("lw", "disc", "add", 0))
    cell = load_cell(path, "attributes")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-900])
    elif damage == "html":
        path.write_text("<!doctype html><title>404</title>")
    elif damage == "pickled":
        np.savez(path, alpha=np.array([{"a": 1}], dtype=object))
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        save_cell(path, {**cell, "identity": cell.identity[:, :-1]})
    with pytest.raises(ValueError, match=r"lw_disc_add_0\.npz"):
        collect(copy)


def test_a_cell_is_written_aside_and_read_back_as_it_was(copy, tmp_path):
    cell = copy.cell(Key("lw", "disc", "add", 0))
    save_cell(tmp_path / "cell.npz", cell)
    again = load_cell(tmp_path / "cell.npz", "attributes")
    assert set(again) == set(cell)
    for name, values in cell.items():
        np.testing.assert_array_equal(values, again[name])
    assert [path.name for path in tmp_path.glob("cell*")] == ["cell.npz"]


@pytest.mark.parametrize(
    ("stage", "lost", "message"),
    [("fit", "classifiers", "classifier must be trained"), ("score", "strengths", "stage edit"),
     ("score", "editors", "must hold a saved editor")],
)
def test_a_stage_without_the_one_before_it_says_so(copy, stage, lost, message):
    for folder in {"fit": ("editors",), "score": ("cells",)}[stage] + (lost,):
        shutil.rmtree(copy.out / folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        do_all(tasks_of(stage, copy), copy, perform)
