"""Editors go to a hub and come back bit for bit; anything but a pinned, whole editor is refused.

The hub is a server of this test. Each use is a process of its own, since huggingface-hub reads its
environment when it is imported.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from baselines import Centroids
from lwedit.editors import AffineMap, Card
from lwedit.latents import Space
from tests.baselines.hub_server import Hub

ROOT = Path(__file__).resolve().parents[2]
SPACE = Space("f00d", "W+", 2, 3)
MOVE = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def hub():
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "smiling"
    Centroids("smiling", SPACE, AffineMap(None, MOVE)).restrict((0,)).save(
        folder, Card("results/digits of commit abc", "mit", "Fitted on nobody's faces."))
    return folder


def run(hub, tmp_path, code):
    """Output of a program that uses the hub, or the last line of what went wrong."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_test",
            "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    head = "from baselines.hub import from_hub, push_to_hub\nfrom lwedit.latents import Space\n"
    done = subprocess.run([sys.executable, "-c", head + code], env=env, capture_output=True,
                          text=True, check=False, timeout=300)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_an_editor_goes_and_comes_back(hub, saved, tmp_path):
    commit = run(hub, tmp_path, f"print(push_to_hub({str(saved)!r}, 'me/smiling'))")
    assert list(hub.repositories["me/smiling"]) == [commit]
    files = hub.repositories["me/smiling"][commit]
    assert files == {path.name: path.read_bytes() for path in saved.iterdir()}
    sha256 = json.loads((saved / "editor.json").read_text())["sha256"]
    code = (f"e = from_hub('me/smiling', {commit!r}, sha256={sha256!r}, "
            "space=Space('f00d', 'W+', 2, 3))\n"
            "print(type(e).__name__, e.attribute, e.layers, e.map.bias.flatten().tolist())")
    assert run(hub, tmp_path, code) == f"Centroids smiling (0,) {MOVE.flatten().tolist()}"
    other = code.replace("f00d", "beef")
    assert "space must have generator = beef, got f00d" in run(hub, tmp_path, other)
    fetched = {line.split("/")[-1] for line in hub.asked if line.startswith("GET")}
    assert fetched == {"README.md", "editor.json", "weights.safetensors"}
    (tmp_path / "home").rename(tmp_path / "old_home")  # nothing remembered
    hub.repositories["me/smiling"][commit]["weights.safetensors"] += b"\0"
    said = run(hub, tmp_path, code)
    assert f"me/smiling must have weights of SHA-256 {sha256}" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("'main', sha256='0' * 64", "commit must be 40 hexadecimal digits, got 'main'"),
        ("'a' * 40, sha256=''", "sha256 must be 64 hexadecimal digits, got ''"),
    ],
)
def test_what_is_not_pinned_is_refused_before_the_hub_is_asked(hub, tmp_path, given, said):
    assert said in run(hub, tmp_path, f"from_hub('me/smiling', {given})")
    assert hub.asked == []


def test_a_folder_that_is_not_whole_is_not_sent(hub, saved, tmp_path):
    (saved / "README.md").unlink()
    said = run(hub, tmp_path, f"push_to_hub({str(saved)!r}, 'me/smiling')")
    assert "lacks README.md; write it again with Editor.save" in said
    assert hub.asked == []


def test_the_card_says_what_it_is_and_who_measured_it(saved):
    card = (saved / "README.md").read_text()
    about = json.loads((saved / "editor.json").read_text())
    assert card.startswith("---\nlibrary_name: lwedit\nlicense: mit\ntags:\n- gan\n")
    for row in ("| method | centroids |", "weights have the SHA-256 f00d |",
                "| codes | W+, 2 × 3; layers moved: 0 |",
                "| measured by | results/digits of commit abc |", "| licence | mit |",
                f"SHA-256 {about['sha256']} |"):
        assert row in card
    assert "# smiling, by centroids\n\nFitted on nobody's faces.\n" in card


def test_a_card_without_a_run_or_a_licence_says_so(tmp_path):
    Centroids("smiling", SPACE, AffineMap(None, MOVE)).save(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "| measured by | no run is named |" in card
    assert "| licence | not given |" in card
    assert "license:" not in card


def test_weights_of_another_fit_are_refused(saved, tmp_path):
    Centroids("smiling", SPACE, AffineMap(None, MOVE + 1)).save(tmp_path / "other")
    (saved / "weights.safetensors").write_bytes(
        (tmp_path / "other" / "weights.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"the weights that editor\.json names by their SHA-256"):
        Centroids.load(saved, SPACE)
