"""The repository as a Hugging Face Space: its header, its files, a start as a Space starts it."""

import os
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from gradio_client import Client
from packaging.specifiers import SpecifierSet

from demo.digits_cards import START

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 10_000_000  # bytes: a Space takes larger files by LFS only
MEMORY = 2 * 2**30
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def header():
    return yaml.safe_load((ROOT / "README.md").read_text().split("---\n")[1])


def pins():
    lines = (ROOT / "requirements.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def test_the_header_is_what_a_space_reads():
    held = header()
    assert held["sdk"] == "gradio"
    assert held["sdk_version"] == pins()["gradio"]
    assert held["python_version"] in SpecifierSet(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    assert (ROOT / held["app_file"]).is_file()
    assert {held["colorFrom"], held["colorTo"]} <= COLOURS
    assert held["license"] == "mit"
    assert len(held["short_description"]) <= 60
    assert held["title"]
    assert held["emoji"]


def test_the_versions_that_are_pinned_are_those_that_the_tests_run_with():
    assert {name: version(name).split("+")[0] for name in pins()} == pins()


def test_no_file_is_too_large_for_a_space():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    paths = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    large = {str(path): size for path in paths if path.is_file()
             and (size := path.stat().st_size) > LARGEST}
    assert len(paths) > 300
    assert large == {}


def resident():
    """Bytes in memory of the page that this process has started."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            started = b"app.py" in (folder / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            continue
        if started and parent == os.getpid():
            pages = int((folder / "statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
    raise AssertionError("the page is not running")


@pytest.mark.slow
def test_it_starts_with_a_spaces_environment_and_stays_small(serve, tmp_path):
    with serve({"SPACE_ID": "someone/lwedit", "LWEDIT_FFHQ": str(tmp_path)}) as address:
        client = Client(address, verbose=False)
        assert client.predict(api_name="/describe")["digits"]["methods"]
        for turn in range(5):
            shown = client.predict(image=START, strengths=[0.5 + 0.1 * turn],
                                   api_name="/add_digits")
            assert shown["lt"]["png"]
            client.predict(seed=turn, attributes=["smiling"], strengths=[1.0],
                           api_name="/edit_face")
        assert resident() < MEMORY
