"""The tab for photos used as a person would, in Debian's chromium, on tiny weights of its own."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 120_000  # ms: CI's two processors may be busy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="chromium is not installed: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A picture of a face and one of none."""
    import torch

    from lwedit.domains.faces import ASSETS
    from lwedit.generators.dcgan import load_dcgan
    from lwedit.vocabulary import from_unit_range

    folder = tmp_path_factory.mktemp("pictures")
    z = torch.randn(1, 1, 100, generator=torch.Generator().manual_seed(57))
    pixels = from_unit_range(load_dcgan(ASSETS / "generator.safetensors")(z))[0]
    face = Image.fromarray(pixels.transpose(1, 2, 0)).resize((256, 256), Image.Resampling.LANCZOS)
    photo = Image.new("RGB", (560, 480), (90, 110, 130))
    photo.paste(face, (200, 100))
    photo.save(folder / "face.png")
    noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    return folder


@pytest.fixture(scope="module")
def address(serve, photo_weights):
    pytest.importorskip("facenet_pytorch")
    with serve({"LWEDIT_FFHQ": str(photo_weights)}) as url:
        yield url


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["laptop", "phone"])
def page(browser, address, request):
    """The tab, opened; at the end, nothing may have gone wrong or off this machine."""
    troubles = []
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:"))
            else troubles.append(r.url))
    page.goto(address)
    page.wait_for_selector(".compare .card.lt img")
    tab = page.get_by_role("tab", name="Photos (FFHQ)")
    if tab.is_visible():
        tab.click()
    else:
        page.locator(".overflow-menu > button").first.click()
        page.locator(".overflow-dropdown button", has_text="Photos (FFHQ)").click()
    page.locator(".notice:visible", has_text="Send a photo").wait_for()
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert troubles == []


def send(page, path):
    page.locator(".tabitem:visible input[type=file], input[type=file]").last.set_input_files(path)


def test_a_photo_is_turned_away_or_aligned_and_edited_by_mouse_and_keyboard(page, folder):
    send(page, folder / "noise.png")
    page.locator(".notice:visible", has_text="No face was found in this picture").wait_for()
    send(page, folder / "face.png")
    page.locator(".card.plain:visible", has_text="Photo, aligned").wait_for()
    page.locator(".card.plain:visible", has_text="Reconstruction").wait_for()
    image = page.locator(".card.lw .frame img:not(.before):visible")
    for act in (
        lambda: page.get_by_text("smiling", exact=True).locator("visible=true").click(),
        lambda: (page.get_by_role("slider", name=re.compile("range slider for Strength"))
                 .locator("visible=true").press("End")),
    ):
        before = image.get_attribute("src")
        act()
        page.wait_for_function(
            "before => [...document.querySelectorAll('.card.lw .frame img:not(.before)')]"
            ".some(image => image.offsetParent && image.src !== before)", arg=before)
