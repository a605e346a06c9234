"""The wheel, built and installed as a user would, without the network: it works away from a clone.

`python -m build` makes it from the sdist, so the sdist is whole too. The packages that it needs are
those of this environment.
"""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("lwedit", "baselines", "benchmark", "demo", "assets", "pyproject.toml", "setup.py",
         "README.md", "LICENSE")
SMALL = 70e6  # bytes: the weights are nearly all of it, and do not compress


def run(command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for part in PARTS:  # a build leaves files beside what it builds
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source])
    assert len(list(out.glob("lwedit-*.tar.gz"))) == 1
    (found,) = out.glob("lwedit-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs Python, or a command, of a fresh environment in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("venv")
    run([sys.executable, "-m", "venv", "--without-pip", folder])
    (site,) = folder.glob("lib/python*/site-packages")
    ours = subprocess.run([sys.executable, "-c", "import torch; print(torch.__file__)"],
                          capture_output=True, text=True, check=True).stdout
    (site / "dependencies.pth").write_text(str(Path(ours).parents[1]))
    run([sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q",
         "--no-deps", "--no-index", wheel])
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    clean |= {"HOME": str(elsewhere), "OMP_NUM_THREADS": "1"}
    clean.pop("LWEDIT_CACHE", None)

    def do(*command):
        return run([folder / "bin" / command[0], *command[1:]], cwd=elsewhere, env=clean)

    do.folder = elsewhere
    return do


@pytest.mark.slow
def test_it_holds_weights_types_and_nothing_of_the_workshop(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("lwedit/py.typed", "baselines/py.typed", "benchmark/tables/digits.py",
                 "lwedit/assets/digits/generator.safetensors",
                 "lwedit/assets/mnist/train-images-idx3-ubyte.xz",
                 "lwedit/assets/avatars/sprites.npz"):
        assert name in names
    shipped = {path.relative_to(ROOT / "assets").as_posix()
               for path in (ROOT / "assets").rglob("*.safetensors")}
    held = {name.removeprefix("lwedit/assets/") for name in names if name.endswith(".safetensors")}
    assert held == shipped
    tops = {name.split("/")[0] for name in names}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert tops == {"lwedit", "baselines", "benchmark", "demo", f"lwedit-{version}.dist-info"}
    assert wheel.stat().st_size < SMALL


@pytest.mark.slow
def test_it_works_away_from_the_clone(installed):
    said = installed("python", "-c", "\n".join((
        "import lwedit, baselines",
        "from pathlib import Path",
        "from lwedit.data import load_mnist, make_avatars",
        "from lwedit.domains import DigitsDomain, FacesDomain",
        "from lwedit.shipped import assets",
        f"assert not Path(lwedit.__file__).is_relative_to({str(ROOT)!r})",
        "assert assets('digits').parts[-3:] == ('lwedit', 'assets', 'digits')",
        "digits = DigitsDomain.load()",
        "images = digits.images('heldout', 4)",
        "from lwedit.editors import LatentWassersteinNeural as Neural",
        "folder = assets('digits') / 'editors' / 'lw_neural_at_least_2_0'",
        "w = digits.encode(images)",
        "x = digits.generate(Neural.load(folder, digits.space).edit(w, 1.0))",
        "print(tuple(x.shape), digits.cache == Path.home() / '.cache' / 'lwedit')",
        "print(len(load_mnist('test').labels), FacesDomain.load().space.name)",
    )))
    assert said.splitlines() == ["(4, 1, 64, 64) True", "10000 Z"]


@pytest.mark.slow
def test_its_command_fits_and_edits(installed):
    shutil.copy(ROOT / "examples" / "make_codes.py", installed.folder)
    installed("python", "make_codes.py", "my_codes")
    given = ("--codes", "my_codes/codes.npy")
    installed("lwedit", "fit", *given, "--labels", "my_codes/labels.csv", "--method", "centroids",
              "--out", "left")
    said = installed("lwedit", "edit", "left", *given, "--out", "edited.npy")
    assert said == "Written: edited.npy, 1200 codes, 'left' at alpha = 1.\n"
    assert "lwedit 0" in installed("lwedit", "--version")
    installed("lwedit", "convert", "--help")
    shutil.copy(ROOT / "examples" / "quickstart.py", installed.folder)
    assert "lw, alpha = 1.0" in installed("python", "quickstart.py")
    assert '"domain": "toy"' in installed("lwedit", "bench", "--domain", "toy", "--dry-run")
    built = installed("python", "-c", "from demo.page import page; print(type(page()).__name__)")
    assert built.strip() == "Page"


def pinned():
    """Exact versions of requirements*.txt, by name."""
    lines = [line for path in ROOT.glob("requirements*.txt")
             for line in path.read_text().splitlines() if "==" in line]
    return {canonicalize_name(name): version for name, version in (
        line.split("==") for line in lines)}


def test_bounds_are_loose_and_hold_for_the_versions_that_are_tested():
    """What is installed exactly stands in requirements.txt and nowhere else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras) == {"demo", "bench", "faces", "hub", "dev"}
    asked = [Requirement(line) for lines in (project["dependencies"], *extras.values())
             for line in lines]
    pins = pinned()
    for one in asked:
        if one.name == "lwedit":
            continue
        (bound,) = one.specifier
        assert bound.operator == ">="
        name = canonicalize_name(one.name)
        if name in pins:
            assert one.specifier.contains(pins[name]), one
    at_run_time = {line.split("==")[0].lower() for line in
                   (ROOT / "requirements.txt").read_text().split()}
    named = {canonicalize_name(one.name) for one in asked}
    assert {canonicalize_name(name) for name in at_run_time} <= named
