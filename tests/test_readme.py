"""README is short, shows before it tells, and every command in it runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.domains.published_ffhq import write_arrays, write_checkpoint

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BODY = README.split("---\n", 2)[2]
PAGES = sorted([ROOT / "README.md", ROOT / "results" / "README.md", *(ROOT / "docs").glob("*.md"),
                *(ROOT / "examples").glob("*.md"), *(ROOT / "baselines").glob("*.md"),
                *(ROOT / "benchmark").glob("*.md"), ROOT / "results" / "transport" / "README.md"])
# Sections whose commands are run one after the other, as they stand.
RUN = ("Compare your method", "Use your codes and labels", "Use your StyleGAN2 checkpoint",
       "Add a domain")
MAKE = {"make bench": "benchmark/run.py --methods lw lt lw_neural", "make test": "-m pytest -q",
        "make app": "app.py"}
IN_THE_WHEELS_TEST = {"pip install .", "python examples/quickstart.py"}


def commands(text):
    """Indented lines, outside of fences."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    lines = re.findall(r"^    (\S.*)$", text, flags=re.M)
    return [line.partition("  #")[0].strip() for line in lines]


def section(name):
    return BODY.partition(f"## {name}\n")[2].partition("\n## ")[0]


def test_it_is_short():
    assert len(README.split()) <= 1200


def test_the_picture_stands_before_every_table_and_within_the_first_screen():
    picture = BODY.index("![")
    assert picture < BODY.index("\n|")
    assert len(BODY[:picture].split()) < 60
    paths = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", BODY)
    assert sum((ROOT / path).stat().st_size for path in paths) < 500_000
    assert Image.open(ROOT / "results" / "digits" / "strip.gif").n_frames > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.M)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, link


def test_every_command_is_run_by_a_test():
    run = {line for name in RUN for line in commands(section(name))}
    assert set(commands(BODY)) == run | set(MAKE) | IN_THE_WHEELS_TEST
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", BODY, flags=re.S))
    assert not [code for code in inline if code.startswith(("python ", "make ", "pip "))]
    wheel = (ROOT / "tests" / "test_wheel.py").read_text()
    assert '"quickstart.py"' in wheel
    for name in RUN:
        assert 2 <= len(commands(section(name))) <= 3


@pytest.mark.parametrize("command", MAKE)
def test_make_does_what_is_said(command):
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    (line,) = [line for line in done.stdout.splitlines() if MAKE[command] in line]
    assert line.startswith(".venv/bin/python ")


@pytest.fixture
def clone(tmp_path):
    """Runs lines in a folder that looks like a clone; what they write stays in it."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.name not in ("runs", ".git", ".cache"):
            (folder / path.name).symlink_to(path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1",
                        "LWEDIT_FFHQ": str(tmp_path / "ffhq")}

    def do(lines):
        done = subprocess.run(["sh", "-e"], input="\n".join(lines), cwd=folder, env=env,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    do.folder, do.ffhq = folder, tmp_path / "ffhq"
    return do


@pytest.mark.slow
def test_a_method_of_ones_own_is_compared(clone):
    clone(commands(section("Compare your method")))
    report = (clone.folder / "runs" / "mine" / "report.md").read_text()
    assert "| discriminant |" in report
    assert (clone.folder / "runs" / "mine" / "report.html").exists()


@pytest.mark.slow
def test_codes_of_ones_own_are_edited(clone):
    clone(commands(section("Use your codes and labels")))
    before, after = (np.load(clone.folder / name) for name in ("my_codes/codes.npy", "edited.npy"))
    assert before.shape == after.shape
    labels = np.loadtxt(clone.folder / "my_codes" / "labels.csv", delimiter=",", skiprows=1)
    gap = (before[labels[:, 0] == 1].mean(0) - before[labels[:, 0] == 0].mean(0)).ravel()
    moved = (after - before).reshape(len(before), -1) @ gap
    assert (moved > 0).mean() > 0.95


@pytest.mark.slow
def test_a_checkpoint_of_ones_own_makes_an_editor(clone):
    clone.ffhq.mkdir()
    write_checkpoint(clone.folder / "psp_ffhq_encode.pt")
    write_arrays(clone.ffhq)
    said = clone(commands(section("Use your StyleGAN2 checkpoint")))
    assert "missing  generator.safetensors" in said
    assert f"wrote {clone.ffhq / 'generator.safetensors'}" in said
    assert {path.name for path in (clone.ffhq / "editors").iterdir()} == {
        "bundle.json", "classifier.safetensors", "lt.safetensors", "lw.safetensors"}


@pytest.mark.slow
def test_a_domain_of_ones_own_is_edited(clone):
    said = clone(commands(section("Add a domain")))
    shares = re.findall(r"(\w+): added to ([\d.]+) of \d+ codes, frame kept ([\d.]+)", said)
    assert [name for name, *_ in shares] == ["red", "bright"]
    assert all(float(added) > 0.7 and float(kept) > 0.9 for _, added, kept in shares)


def test_the_python_in_it_runs():
    code = re.search(r"```python\n(.*?)```", BODY, flags=re.S).group(1)
    codes = np.random.default_rng(0).standard_normal((200, 6))
    held = {"codes": codes, "labels": (codes[:, 0] > 0).astype(int)}
    exec(compile(code, "README.md", "exec"), held)
    assert (held["edited"][:, 0] - codes[:, 0]).mean() > 0.5


def test_its_citation_is_that_of_the_file():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    paper = cited["preferred-citation"]
    assert cited["cff-version"] == "1.2.0"
    assert cited["license"] == "MIT"
    flat = README.replace("{", "").replace("}", "")
    assert paper["title"] in flat
    for author in paper["authors"]:
        assert author["family-names"] in README
    assert paper["identifiers"][0]["value"].removeprefix("arXiv:") in README


def test_no_number_of_a_result_is_typed_by_hand():
    """Outside of the block that is published there is no share, no percentage."""
    text = re.sub(r"<!-- results -->.*?<!-- /results -->", "", BODY, flags=re.S)
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|^    .*$", "", text, flags=re.S | re.M)
    assert not re.findall(r"\d\s*%|(?<![\d:])0?\.\d+", text)
