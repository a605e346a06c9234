"""Truths of the console command: each word does what its module does, and says what is missing."""

import json
import subprocess
import sys

import numpy as np
import pytest

from baselines.estimator import LatentEdit
from baselines.saved import load_editor
from lwedit.__main__ import COMMANDS, main
from lwedit.latents import Space


@pytest.fixture
def files(tmp_path):
    """Codes in which "left" moves the first coordinate by 2, and their labels."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((300, 2, 4)).astype(np.float32)
    y = np.stack([np.arange(300) % 2, np.arange(300) // 2 % 2], 1)
    w[:, 0, 0] += 2 * y[:, 1]
    np.save(tmp_path / "w.npy", w)
    np.savetxt(tmp_path / "y.csv", y, "%d", ",", header="up,left", comments="")
    return tmp_path, w, y


def test_fit_and_edit_are_what_the_estimator_does(files, capsys):
    folder, w, y = files
    given = ["--codes", str(folder / "w.npy")]
    fit = ["fit", *given, "--labels", str(folder / "y.csv"), "--attribute", "left",
           "--method", "gaussian_ot", "--out", str(folder / "left")]
    assert main(fit) == 0
    edited = folder / "new" / "edited.npy"
    assert main(["edit", str(folder / "left"), *given, "--alpha", "-1.5", "--out",
                 str(edited)]) == 0
    truth = LatentEdit("gaussian_ot", attribute=1).fit(w, y).transform(w, alpha=-1.5)
    np.testing.assert_array_equal(np.load(edited), truth)
    assert "300 codes, 'left' at alpha = -1.5" in capsys.readouterr().out
    editor = load_editor(folder / "left")
    assert (editor.method, editor.attribute) == ("gaussian_ot", "left")


def test_an_attribute_that_is_not_there_is_said_in_a_line(files, capsys):
    folder, *_ = files
    assert main(["fit", "--codes", str(folder / "w.npy"), "--labels", str(folder / "y.csv"),
                 "--attribute", "right", "--out", str(folder / "right")]) == 2
    assert capsys.readouterr().err == (
        "lwedit fit: attribute must be one of up, left, got 'right'.\n")
    assert not (folder / "right").exists()


@pytest.mark.parametrize("held", ["{}", "[", '{"method": "lw"}'])
def test_a_folder_without_an_editor_is_said_in_a_line(files, capsys, held):
    folder, *_ = files
    (folder / "editor.json").write_text(held)
    assert main(["edit", str(folder), "--codes", str(folder / "w.npy"), "--out", "e.npy"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lwedit edit: folder must hold a saved editor")
    assert said.count("\n") == 1


def test_an_editor_of_an_unknown_method_or_another_space_is_refused(files):
    folder, w, y = files
    editor = LatentEdit("centroids").fit(w, y).editor_
    editor.save(folder / "e")
    with pytest.raises(ValueError, match="space must have generator = abc"):
        load_editor(folder / "e", Space("abc", "W+", 2, 4))
    about = json.loads((folder / "e" / "editor.json").read_text())
    (folder / "e" / "editor.json").write_text(json.dumps(about | {"method": "best"}))
    with pytest.raises(ValueError, match="folder must hold an editor of none, .* got 'best'"):
        load_editor(folder / "e")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    done = subprocess.run([sys.executable, "-m", "lwedit", name, "--help"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0
    assert "usage:" in done.stdout
    assert "--help" in done.stdout


def test_what_a_command_lacks_is_named_with_what_installs_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)  # as if it were not installed
    for module in [name for name in sys.modules if name.startswith("demo")]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(SystemExit) as stopped:
        main(["app"])
    assert stopped.value.code == 1
    assert capsys.readouterr().err == "lwedit app needs gradio: pip install 'lwedit[demo]'\n"


def test_a_word_that_is_no_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train"])
    assert stopped.value.code == 2
    assert "choose from" in capsys.readouterr().err
