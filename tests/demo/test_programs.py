"""The page for programs: endpoints in a real server, twenty users at once, hostile requests."""

import base64
import io
import json
import os
import runpy
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from tests.doors import api

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def address(toy_bundle, shipped):
    """The page with stand-ins for both domains, served on a free port."""
    import app
    from demo import digits, faces, programs, studio
    from demo.style import CSS
    from lwedit.domains import ToyDomain

    class FewImages:
        """The shipped digits with forty held-out images."""

        def __getattr__(self, name):
            return getattr(shipped, name)

        def images(self, part):
            return type("Made", (), {"images": few})

    few = shipped.images("heldout").images[:40]
    places = {"faces": studio.Studio(ToyDomain(), toy_bundle)}
    patch = pytest.MonkeyPatch()
    patch.setattr(studio, "_open", lambda name: places[name])
    places["digits"] = studio.Studio(FewImages(), _still_digits(shipped))
    for cached in (faces._face, digits._encoded, digits._compared, digits._heldout):
        cached.cache_clear()
    page = app.page()
    _, url, _ = page.queue().launch(
        prevent_thread_lock=True, quiet=True, ssr_mode=False, css=CSS, max_file_size=2**20,
        server_name="127.0.0.1", app_kwargs=programs.APP)
    yield url
    page.close()
    patch.undo()
    for cached in (faces._face, digits._encoded, digits._compared, digits._heldout):
        cached.cache_clear()


def _still_digits(shipped):
    """Translations by zero and a classifier without training: what they say does not matter."""
    from baselines import Centroids
    from demo import digits
    from demo.bundles import Bundle, Unit
    from lwedit.classifier import LatentClassifier
    from lwedit.editors import AffineMap

    space = shipped.space
    still = AffineMap.zero("translation", space.layers, space.dim)
    names = [task.attribute for task in shipped.tasks]
    editors = {m: {a: Centroids(a, space, still) for a in names} for m in digits.METHODS}
    units = {m: dict.fromkeys(names, Unit(1.0, 1.0, (True, True))) for m in editors}
    classifier = LatentClassifier(shipped.attributes, space, (8,)).eval().requires_grad_(False)
    return Bundle(space, classifier, editors, units)


def connect(address):
    return Client(address, verbose=False, httpx_kwargs={"timeout": 300})


def face_of(client, seed, strength):
    return client.predict(seed, ["disc"], [strength], api_name="/edit_face")


def pixels(answer):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["png"]))))


def test_the_endpoints_are_named_typed_and_described(address):
    endpoints = connect(address).view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/describe", "/edit_face", "/add_digits"}
    types = [p["python_type"]["type"] for p in endpoints["/edit_face"]["parameters"]]
    assert types == ["int", "list[str]", "list[float]"]


def test_a_program_gets_what_the_functions_give(address):
    from demo import faces
    from demo.studio import Step

    answer = face_of(connect(address), 3, 1.5)
    truth = faces.compare(3, [Step("disc", 1.5)])
    for name, reading in truth.items():
        assert (pixels(answer[name]) == reading.pixels.transpose(1, 2, 0)).all()
        assert answer[name]["judge"] == pytest.approx(reading.judge)


def test_twenty_users_at_once_each_get_their_own_answer(address):
    clients = [connect(address) for _ in range(20)]
    wanted = [(seed, 0.1 * seed - 1) for seed in range(20)]
    alone = [face_of(clients[0], *ask) for ask in wanted]
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(lambda i: face_of(clients[i], *wanted[i]), range(20)))
    for one, same in zip(alone, together, strict=True):
        for name in ("original", "lt", "lw"):
            assert one[name]["png"] == same[name]["png"]
            assert one[name]["judge"] == same[name]["judge"]
    assert len({answer["original"]["png"] for answer in together}) == 20


def test_digits_answer_too(address):
    from demo import digits

    index = next(i for i in range(40) if digits.source_count(digits.heldout_image(i)) == 2)
    answer = connect(address).predict(index, [1.0, -1.0], api_name="/add_digits")
    assert list(answer) == ["image", "original", "lt", "lw_neural", "lw"]
    assert pixels(answer["lw"]).shape == (64, 64)
    assert answer["lw"]["alpha"] == [1.0, -1.0]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("/edit_face", (1, ["disc"], [1e30]), "from -5 to 5"),
        ("/edit_face", (1, ["disc"], ["1"]), "must be a number"),
        ("/edit_face", (1, ["disc"], []), "a strength for each attribute"),
        ("/edit_face", (-1, [], []), "whole number from 0"),
        ("/edit_face", (10**30, [], []), "whole number from 0"),
        ("/edit_face", (1, ["../../../etc/passwd"], [1.0]), "There is no attribute"),
        ("/edit_face", (1, ["disc"] * 50, [0.1] * 50), "At most 12 edits"),
        ("/edit_face", (None, None, None), ""),
        ("/add_digits", (10**9, [1.0]), "whole number from 0 to 39"),
        ("/add_digits", (2, [1.0] * 9), "no editor adds a fifth"),
    ],
)
def test_a_strange_request_gets_a_plain_message_and_the_server_lives(
    address, name, arguments, message
):
    client = connect(address)
    with pytest.raises((AppError, ValueError), match=message):
        client.predict(*arguments, api_name=name)
    assert client.predict(api_name="/describe")["faces"]["methods"] == ["lt", "lw"]


def posted(address, name, values):
    """The answer to a request as a program without gradio's client sends it."""
    request = urllib.request.Request(
        f"{address}gradio_api/call/{name}", f'{{"data": {values}}}'.encode(),
        {"Content-Type": "application/json"})
    try:
        event = json.load(urllib.request.urlopen(request, timeout=120))["event_id"]
        return urllib.request.urlopen(
            f"{address}gradio_api/call/{name}/{event}", timeout=120).read().decode()
    except urllib.error.HTTPError as error:
        return f"{error}: {error.read().decode()}"


@pytest.mark.parametrize("case", api.TAKEN, ids=repr)
def test_a_request_is_answered(address, case):
    outcome = posted(address, "edit_face", case.made)
    assert outcome.startswith("event: complete")
    (answer,) = json.loads(outcome.partition("data: ")[2])
    bundle = faces_bundle()
    names = json.loads(case.made)[1]
    expected = [bundle.units["lw"][name].alpha(strength)
                for name, strength in zip(names, case.truth, strict=True)]
    assert answer["lw"]["alpha"] == pytest.approx(expected)


def faces_bundle():
    from demo import studio

    return studio.studio("faces").bundle


@pytest.mark.parametrize("case", api.REFUSED, ids=repr)
def test_a_mistake_gets_one_plain_line_and_none_in_the_servers_log(address, case, capfd):
    capfd.readouterr()
    name, values = ("edit_face", case.made) if case.made else ("no_such", "[]")
    outcome = posted(address, name, values)
    assert case.refused in outcome.replace('\\"', '"')
    assert "event: error" in outcome or "HTTP Error 4" in outcome
    logged = capfd.readouterr()
    assert "Traceback" not in logged.err + logged.out
    assert posted(address, "edit_face", "[3, [], []]").startswith("event: complete")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", "app.py",
                                  "assets/faces/labels.csv"])
def test_no_file_of_the_server_can_be_had(address, path):
    for route in (f"{address}gradio_api/file={path}", f"{address}gradio_api/file={ROOT / path}"):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(route, timeout=30)
        assert error.value.code in (403, 404)


def test_a_file_that_is_too_large_is_turned_away(address):
    body = (b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            + bytes(2 * 2**20) + b"\r\n--x--\r\n")
    request = urllib.request.Request(f"{address}gradio_api/upload", body, {
        "Content-Type": "multipart/form-data; boundary=x"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=60)
    assert error.value.code == 413


def test_memory_is_flat_over_many_edits(toy_faces):
    from demo.faces_tab import compare_html

    def resident():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def edit(n):
        for i in range(n):
            compare_html(i % 300, [("ring", 0.5)], "disc", 0.01 * (i % 100))

    edit(300)
    before = resident()
    edit(500)
    assert resident() - before < 20


def test_the_example_runs_as_it_stands(address, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["client.py", address, "disc"])
    runpy.run_path(str(ROOT / "examples" / "client.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "lw: disc" in told
    assert "image judge" in told
    assert Image.open(tmp_path / "edited_face_lw.png").size == (16, 16)


def test_the_example_edits_glasses_or_says_that_it_cannot(address, monkeypatch):
    from demo.faces_tab import _attributes

    assert "eyeglasses" in _attributes()  # what the page as shipped edits
    monkeypatch.setattr(sys, "argv", ["client.py", address])
    with pytest.raises(SystemExit, match="does not edit 'eyeglasses'; it edits disc, ring"):
        runpy.run_path(str(ROOT / "examples" / "client.py"), run_name="__main__")
