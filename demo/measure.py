"""Command: what the page takes, `python -m demo.measure`, as a Markdown table.

Cold start is from `python app.py` to the first answer and to the first edit; an edit is what the
slider asks for, both methods with all the numbers and HTML, in process and, where chromium is
installed, from a key on the slider to new pictures; users are twenty clients at once. What the
machine was doing besides is printed with it, since every number here is a time.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from gradio_client import Client

from demo import digits_cards, faces_tab
from demo.studio import studio

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[1]
_EDITS, _MANY, _USERS = 60, 500, 20
_ANOTHER = ", another image each time"
_IMAGE = (f"digits{_ANOTHER}", lambda i: digits_cards.compare_html(digits_cards.View(i + 100)))
_CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)  # as app.py
    rows = []
    load = os.getloadavg()[0]
    start = time.perf_counter()
    with _served() as address:
        rows.append(("cold start to an answer", f"{time.perf_counter() - start:.1f} s"))
        _edit_face(Client(address, verbose=False), 0)
        rows.append(("cold start to the first edit", f"{time.perf_counter() - start:.1f} s"))
        rows.append((f"{_USERS} users at once, right answers", _users(address)))
        if _CHROMIUM.exists():
            rows += [(f"slider through the browser, {name}, median", f"{milliseconds:.0f} ms")
                     for name, milliseconds in _through_browser(address)]
    for name, edit in (*_slider_edits().items(), _IMAGE):
        try:
            studio(name.removesuffix(_ANOTHER))
        except ValueError as error:
            rows.append((f"in process, {name}", str(error)))
            continue
        milliseconds, busy = _time(edit)
        rows.append((f"in process, {name}, median", f"{milliseconds:.0f} ms"))
        rows.append((f"of which this process computed, {name}", f"{busy:.0f} ms"))
        rows.append((f"memory over {_MANY} edits, {name}", f"{_growth(edit):+.1f} MB"))
    lines = ["| what | measured |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows), ""]
    lines.append(f"{os.cpu_count()} processors, {torch.get_num_threads()} thread; load of the "
                 f"machine before: {load:.1f}.")
    sys.stdout.write("\n".join(lines) + "\n")


@contextmanager
def _served() -> Generator[str]:
    """`python app.py` on a free port, from a cold start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "GRADIO_SERVER_PORT": str(port)}
    server = subprocess.Popen([sys.executable, "app.py"], cwd=_ROOT, env=env,
                              stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        while True:
            try:
                urllib.request.urlopen(address, timeout=60)
                break
            except OSError:
                if server.poll() is not None:
                    raise
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _edit_face(client: Client, user: int) -> dict:
    return client.predict(user, ["eyeglasses"], [0.1 * user], api_name="/edit_face")


def _users(address: str) -> str:
    """Answers of twenty clients at once against the same questions asked one by one."""
    clients = [Client(address, verbose=False, httpx_kwargs={"timeout": 300})
               for _ in range(_USERS)]
    alone = [_edit_face(clients[0], user) for user in range(_USERS)]
    with ThreadPoolExecutor(_USERS) as pool:
        together = list(pool.map(lambda i: _edit_face(clients[i], i), range(_USERS)))
    right = sum(
        all(a[name]["png"] == b[name]["png"] for name in ("original", "lt", "lw"))
        for a, b in zip(alone, together, strict=True)
    )
    return f"{right} of {_USERS}"


def _slider_edits() -> dict[str, Callable[[int], str]]:
    return {
        "faces": lambda i: faces_tab.compare_html(57, [], "smiling", 0.05 * (i % 50) + 0.05),
        "digits": lambda i: digits_cards.compare_html(
            digits_cards.View(lt=0.5 + 1e-4 * i, lw_neural=0.5 + 1e-4 * i)),
    }


def _time(edit: Callable[[int], str]) -> tuple[float, float]:
    """Median milliseconds of an edit, by the clock and of this process's threads."""
    for i in range(5):
        edit(i)
    clock, busy = [], []
    for i in range(_EDITS):
        start, cpu = time.perf_counter(), time.process_time()
        edit(i)
        clock.append(time.perf_counter() - start)
        busy.append(time.process_time() - cpu)
    return 1000 * median(clock), 1000 * median(busy)


def _growth(edit: Callable[[int], str]) -> float:
    """MB by which the process has grown after many edits."""
    before = _resident()
    for i in range(_MANY):
        edit(i)
    return _resident() - before


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _through_browser(address: str) -> Iterator[tuple[str, float]]:
    """Milliseconds from a key on the slider to new pictures."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(_CHROMIUM), args=_FLAGS)
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        for tab, method in (("Digits", "lw_neural"), ("Faces", "lw")):
            page.get_by_role("tab", name=tab).click()
            image = page.locator(f".card.{method} .frame img:not(.before):visible")
            image.wait_for()
            slider = page.locator("input[type=range][aria-label*=Strength]:visible").last
            slider.focus()
            slider.fill("0.5")  # below the strength of the first look, away from the slider's end
            page.wait_for_timeout(2_000)
            times = []
            for _ in range(20):
                before = image.get_attribute("src")
                start = time.perf_counter()
                page.keyboard.press("ArrowRight")
                page.wait_for_function(
                    "([method, before]) => [...document.querySelectorAll("
                    "`.card.${method} .frame img:not(.before)`)]"
                    ".some(i => i.offsetParent && i.src !== before)",
                    arg=[method, before], polling=5)
                times.append(time.perf_counter() - start)
            yield tab.lower(), 1000 * median(times)
        browser.close()


if __name__ == "__main__":
    main()
