"""What the tests of the page share: a stand-in for faces whose truth is known, and its bundle."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update"]


@contextmanager
def _served(more):
    """`python app.py` in a process of its own whose way out of the machine is blocked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
                            "http://127.0.0.1:9")
    env = {**os.environ, **nowhere, "NO_PROXY": "127.0.0.1,localhost",
           "GRADIO_SERVER_PORT": str(port), **more}
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            assert server.poll() is None, "app.py ended"
            try:
                urllib.request.urlopen(url, timeout=30)
                break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def serve():
    """The page in a process of its own, with more in its environment."""
    return _served


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def photo_weights(tmp_path_factory):
    """Tiny weights and arrays for photos, and editors fitted by the page's own command."""
    from demo.fit_editors import main
    from lwedit.domains.ffhq import convert
    from tests.domains.published_ffhq import write_arrays, write_checkpoint

    folder = tmp_path_factory.mktemp("ffhq")
    write_checkpoint(folder / "psp.pt")
    convert(folder / "psp.pt", folder)
    write_arrays(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LWEDIT_FFHQ", str(folder))
        main(["ffhq", "--codes", "250", "--attributes", "Eyeglasses", "Smiling"])
    return folder


@pytest.fixture(scope="session")
def toy_bundle():
    """Editors fitted on the toy domain by the page's own command."""
    from demo.fit_editors import fit_faces
    from lwedit.domains import ToyDomain

    return fit_faces(ToyDomain(), 800)


@pytest.fixture
def toy_faces(monkeypatch, toy_bundle):
    """The page's faces replaced by the toy domain."""
    from demo import faces, studio
    from lwedit.domains import ToyDomain

    place = studio.Studio(ToyDomain(), toy_bundle)
    monkeypatch.setattr(studio, "_open", lambda name: place)
    faces._face.cache_clear()
    yield place
    faces._face.cache_clear()
