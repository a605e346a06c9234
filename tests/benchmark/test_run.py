"""Truths that benchmark/run.py must meet: what it prints, what it refuses, in one clear line."""

import json
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from baselines import METHODS
from benchmark import command as whole
from benchmark import run
from benchmark.digits import TASKS, strategies_of
from benchmark.methods import FLOORS, REGISTRY, methods_of, registry, seeds_of
from benchmark.presets import PRESETS, DigitsConfig, preset
from benchmark.tables.sheet import Made, Sheet
from lwedit.domains import DigitsDomain

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = {"generator": "a" * 64, "encoder": "b" * 64}


def printed(config):
    return json.loads(json.dumps(asdict(config)))


@pytest.fixture
def stages(monkeypatch, tmp_path):
    """The command with empty stages; what they were called with is kept."""
    seen = []
    domain = SimpleNamespace(weights=dict(WEIGHTS))

    def work(tasks, run, perform, **options):
        if not seen or seen[-1] is not run.config:
            seen.append(run.config)

    def report(run):
        return Made("table2", "", "", (Sheet("adding", "The table", ("a",), (("1",),), "A note."),),
                    "")

    monkeypatch.setattr(DigitsDomain, "load", lambda: domain)
    monkeypatch.setattr(whole, "tasks_of", lambda stage, run: [])
    monkeypatch.setattr(whole, "do_all", work)
    monkeypatch.setattr(whole, "write_report", report)
    return SimpleNamespace(seen=seen, domain=domain, out=tmp_path / "run")


# --- configuration ---------------------------------------------------------------------------


def test_a_dry_run_prints_the_configuration_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "run"
    command = ["--methods", "lw", "lt_star", "--seeds", "4", "2", "--no-floors", "--dry-run"]
    assert run.main([*command, "--out", str(out)]) == 0
    expected = DigitsConfig(methods=("lw", "lt_star"), seeds=(4, 2), floors=False)
    assert json.loads(capsys.readouterr().out) == printed(expected)
    assert not out.exists()


@pytest.mark.parametrize("name", list(PRESETS["digits"]))
def test_every_preset_is_a_whole_configuration(name, capsys):
    assert run.main(["--preset", name, "--dry-run"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held == printed(preset(name, "digits"))
    assert list(held) == [field.name for field in fields(DigitsConfig)]


def test_presets_compare_at_least_three_seeds_and_the_paper_all_four_methods():
    assert preset("default", "digits") == DigitsConfig()
    assert all(len(preset(name, "digits").seeds) >= 3 for name in ("default", "paper"))
    assert set(preset("paper", "digits").methods) == {"lw", "lw_star", "lt", "lt_star"}


@pytest.mark.slow
def test_the_command_runs_as_a_script_from_anywhere(tmp_path):
    command = [sys.executable, str(ROOT / "benchmark" / "run.py"), "--preset", "smoke"]
    done = subprocess.run([*command, "--dry-run"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == printed(preset("smoke", "digits"))


def test_an_unknown_method_is_named(capsys):
    with pytest.raises(SystemExit) as stop:
        run.main(["--methods", "lw", "magic"])
    assert stop.value.code == 2
    assert "'magic'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": ()}, "seeds must name at least one"),
        ({"seeds": (0, 1, 0)}, r"seeds must differ from each other, got \(0, 1, 0\)"),
        ({"methods": ("lw", "lw")}, "methods must differ from each other"),
        ({"tasks": ("1→2", "1→2")}, "tasks must differ from each other"),
        ({"alpha_step": 0.0}, r"alpha_step must lie in \(0, alpha_max\], got 0.0"),
        ({"alpha_step": 9.0}, r"alpha_step must lie in \(0, alpha_max\], got 9.0"),
        ({"strengths": ()}, r"strengths must be some numbers above 0, got \(\)"),
        ({"strengths": (-1.0, 1.0)}, "strengths must be some numbers above 0"),
        ({"strengths": (1.0, 1.0)}, "strengths must differ from each other"),
        ({"validation_images": 2}, "validation_images must be at least one a seed, got 2 for 3"),
    ],
)
def test_impossible_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        DigitsConfig(**changes)


# --- the order of the tables -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("methods", "floors", "expected"),
    [
        (("lw", "lt"), False, "lw lt"),
        (("lw", "lt"), True, "none random centroids gaussian_ot lw lt nearest"),
        (("nearest", "lw"), True, "none random centroids gaussian_ot lw nearest"),
        (("lw", "centroids"), True, "none random centroids gaussian_ot lw nearest"),
        (("lw", "centroids"), False, "lw centroids"),
        (FLOORS, True, "none random centroids gaussian_ot nearest"),
    ],
)
def test_floors_come_first_and_the_ceiling_last(methods, floors, expected):
    assert " ".join(methods_of(DigitsConfig(methods=methods, floors=floors))) == expected


def test_every_method_of_the_library_is_in_the_registry():
    assert set(METHODS) <= set(REGISTRY)
    assert all(REGISTRY[name].editor is kind for name, kind in METHODS.items())
    assert "lt_few_layers" in registry("digits")
    assert set(registry("faces")) == set(METHODS)


def test_real_codes_are_no_ceiling_of_removing():
    config = DigitsConfig(methods=("lw",))
    assert methods_of(config)[-1] == "nearest"
    assert "nearest" not in methods_of(config, adds=False)


def test_a_method_has_its_own_strategies():
    adding, removing = TASKS["1→2"], TASKS["4→3"]
    assert strategies_of("lt", adding) == ("chosen", "one for all", "per image")
    assert strategies_of("lw", adding) == ("chosen", "as fitted", "one for all", "per image")
    assert strategies_of("lw_neural", removing) == ("chosen", "as fitted")  # Table 2 only adds
    assert strategies_of("centroids", removing) == ("chosen",)


def test_floors_and_what_takes_hours_are_measured_with_one_seed():
    config = DigitsConfig(methods=("lw", "lw_paper", "centroids"))
    counts = {name: len(seeds_of(name, config)) for name in methods_of(config)}
    assert counts == {"none": 1, "random": 1, "centroids": 3, "gaussian_ot": 1, "lw": 3,
                      "lw_paper": 1, "nearest": 1}


def test_variants_are_methods_of_digits_only(capsys):
    assert run.main(["--methods", "lt_few_layers", "--dry-run"]) == 0
    with pytest.raises(SystemExit):
        run.main(["--domain", "faces", "--methods", "lt_few_layers", "--dry-run"])
    assert "'lt_few_layers'" in capsys.readouterr().err


def test_tasks_are_named_by_edit_or_by_the_attribute_that_they_add(capsys):
    assert run.main(["--attributes", "at_least_3", "4→3", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == ["2→3", "4→3"]


# --- run folders -----------------------------------------------------------------------------


def test_a_run_folder_holds_all_of_its_configuration(stages, capsys):
    assert run.main(["--methods", "lw", "--out", str(stages.out)]) == 0
    about = json.loads((stages.out / "config.json").read_text())
    expected = DigitsConfig(methods=("lw",))
    assert about["config"] == printed(expected)
    assert about["weights"] == WEIGHTS
    assert set(about) == {
        "config", "weights", "lwedit", "torch", "python", "commit", "threads",
    }
    assert stages.seen == [expected]
    assert capsys.readouterr().out.startswith("## The table\n\n| a |\n")


def test_the_same_command_goes_on_with_its_folder(stages):
    for _ in range(2):
        assert run.main(["--out", str(stages.out)]) == 0
    assert len(stages.seen) == 2


def refused(stages, capsys, *command):
    """The one line with which a command is refused before anything is computed."""
    calls = len(stages.seen)
    assert run.main([*command, "--out", str(stages.out)]) == 2
    assert len(stages.seen) == calls
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_another_configuration_in_the_same_folder_is_refused(stages, capsys):
    assert run.main(["--out", str(stages.out)]) == 0
    before = (stages.out / "config.json").read_bytes()
    for command in (["--seeds", "7"], ["--methods", "lw"], ["--no-floors"]):
        assert refused(stages, capsys, *command) == (
            "benchmark: out must be a new folder or hold a run of the same config, "
            f"got {stages.out}; name another folder with --out or remove it."
        )
    assert (stages.out / "config.json").read_bytes() == before


def test_cells_of_other_weights_are_not_mixed_in(stages, capsys):
    assert run.main(["--out", str(stages.out)]) == 0
    stages.domain.weights["generator"] = "c" * 64
    assert "hold a run of the same weights" in refused(stages, capsys)


def test_figures_need_a_finished_run(stages, capsys):
    assert "out must hold a finished run" in refused(stages, capsys, "--figures-only")
    assert not stages.out.exists()
    assert run.main(["--out", str(stages.out)]) == 0
    assert run.main(["--out", str(stages.out), "--figures-only"]) == 0
    assert len(stages.seen) == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("cell must be finite"), 2, "benchmark: cell must be finite"),
        (FileNotFoundError("missing: x.npz"), 2, "benchmark: missing: x.npz"),
        (KeyboardInterrupt(), 130, "benchmark: stopped; the same command goes on from"),
    ],
)
def test_what_stops_a_run_is_one_line(stages, capsys, monkeypatch, error, code, line):
    def stop(tasks, run, perform, **options):
        raise error

    monkeypatch.setattr(whole, "do_all", stop)
    assert run.main(["--out", str(stages.out)]) == code
    (shown,) = capsys.readouterr().err.splitlines()
    assert shown.startswith(line)
