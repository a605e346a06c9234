"""The page used as a person would, by mouse and by keyboard, in Debian's chromium."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 120_000  # ms: CI's two processors may be busy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="chromium is not installed: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """The page without weights for photos."""
    with serve({"LWEDIT_FFHQ": str(tmp_path_factory.mktemp("nothing"))}) as url:
        yield url


@pytest.fixture
def visit(browser, address):
    """Opens the page; at the end, nothing may have gone wrong or off this machine."""
    troubles, contexts = [], []

    def on_console(message):
        if message.type == "error":
            troubles.append(message.text)

    def on_request(request):
        if not request.url.startswith((address, "data:", "blob:")):
            troubles.append(f"request to {request.url}")

    def opened(width=1280, height=900, theme="light"):
        context = browser.new_context(viewport={"width": width, "height": height},
                                      accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", on_console)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", on_request)
        page.goto(f"{address}?__theme={theme}")
        page.wait_for_selector(".compare .card.lw_neural img")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


def shown(page, method="lw"):
    return page.locator(f".card.{method} img:visible").first.get_attribute("src")


def changes(page, method, before):
    """Wait for another picture of a method."""
    page.wait_for_function(
        """([method, before]) => [...document.querySelectorAll(`.card.${method} img`)]
        .some(image => image.offsetParent && !image.classList.contains('before')
              && image.src !== before)""",
        arg=[method, before],
    )


def open_tab(page, name):
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():
        page.locator(".overflow-menu > button").first.click()
        page.locator(".overflow-dropdown button", has_text=name).click()
    else:
        tab.click()


def slide(page, label, share):
    slider = page.get_by_role("slider", name=re.compile(f"range slider for {label}"))
    slider = slider.locator("visible=true").first
    box = slider.bounding_box()
    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


@pytest.fixture
def visit_faces(visit):
    """Opens the page at the tab of faces."""

    def opened(**options):
        page = visit(**options)
        open_tab(page, "Faces")
        page.locator(".card.lw img:visible").first.wait_for()
        return page

    return opened


def test_the_first_look_shows_the_point_without_scrolling(visit):
    for width, height in ((1280, 800), (390, 844)):
        page = visit(width, height)
        lt, neural = (page.locator(f".card.{method}") for method in ("lt", "lw_neural"))
        assert "not changed: only the classifier is convinced" in lt.inner_text()
        assert "really changed" in neural.inner_text()
        for card in (lt, neural):
            box = card.locator(".verdict .result").bounding_box()
            assert box["y"] + box["height"] <= height


def test_the_first_look_says_what_the_two_columns_are(visit_faces):
    page = visit_faces()
    for method, words in (("lt", "pushes across a classifier’s boundary"),
                          ("lw", "moves the whole distribution (optimal transport)")):
        assert words in page.locator(f".card.{method} .head").first.inner_text()
    facts = page.locator(".card.lw .facts").first.inner_text()
    for told in ("latent classifier", "image judge", "Also changed", "identity kept", "ms"):
        assert told in facts


def test_faces_by_mouse(visit_faces):
    page = visit_faces()
    before = shown(page, "lw"), shown(page, "lt")
    slide(page, "Strength", 0.95)
    changes(page, "lw", before[0])
    changes(page, "lt", before[1])
    before = shown(page)
    page.get_by_text("smiling", exact=True).click()
    changes(page, "lw", before)
    page.get_by_role("button", name="Keep and edit further").locator("visible=true").click()
    page.locator(".chips span:visible", has_text="smiling").wait_for()
    page.get_by_role("button", name="Undo").locator("visible=true").click()
    page.locator(".chips:visible", has_text="No edit kept").wait_for()
    before = shown(page)
    page.locator("[data-seed]").nth(3).click()
    changes(page, "lw", before)
    before = shown(page)
    page.get_by_role("button", name="Random").locator("visible=true").click()
    changes(page, "lw", before)
    page.get_by_role("button", name="Reset", exact=True).locator("visible=true").click()


def test_faces_by_keyboard(visit_faces):
    page = visit_faces()
    before = shown(page)
    page.get_by_role("slider", name=re.compile("range slider for Strength")).first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    changes(page, "lw", before)
    before = shown(page)
    page.get_by_role("radio", name="eyeglasses").focus()
    page.keyboard.press("ArrowDown")
    changes(page, "lw", before)
    before = shown(page)
    page.locator("[data-seed]").nth(2).focus()
    page.keyboard.press("Enter")
    changes(page, "lw", before)


def test_the_wipe_lays_the_original_over_the_edit_by_keyboard(visit_faces):
    page = visit_faces()
    page.locator(".card.lw .wipe input").first.focus()
    for _ in range(5):
        page.keyboard.press("PageUp")
    clip = page.locator(".card.lw .before").first.evaluate("e => getComputedStyle(e).clipPath")
    assert clip.startswith("inset(0px calc(50%") or "50%" in clip


def test_a_picture_is_saved_as_png_by_keyboard(visit_faces):
    page = visit_faces()
    with page.expect_download() as download:
        save = page.get_by_role("button", name="Save the picture LW affine")
        save.locator("visible=true").focus()
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "lw_affine.png"
    assert Image.open(download.value.path()).size == (320, 320)


def test_digits_are_added_one_after_the_other_and_removed(visit):
    page = visit()
    page.get_by_role("button", name="Keep and edit further").locator("visible=true").click()
    page.locator(".chips span:visible", has_text="+1 digit").wait_for()
    assert page.get_by_label("number input for Strength of LW neural").input_value() == "0"
    before = shown(page, "lt")
    page.get_by_text("Remove a digit").click()
    changes(page, "lt", before)
    page.get_by_role("button", name="Reset", exact=True).locator("visible=true").click()
    page.locator(".chips:visible", has_text="No edit kept").wait_for()
    assert page.get_by_label("number input for Strength of LW neural").input_value() == "1"


def test_another_digit_another_image_and_a_third_method(visit):
    page = visit()
    before = shown(page, "lw_neural")
    page.get_by_role("button", name="Another digit").click()
    changes(page, "lw_neural", before)
    assert page.get_by_label("Seed").input_value() == "1"
    page.get_by_text("LW affine", exact=True).locator("visible=true").last.click()
    page.locator(".card.lw:visible img").first.wait_for()
    page.get_by_role("button", name="Find strength").click()
    page.locator(".note:visible", has_text="LT: ").wait_for()
    before = shown(page, "lw_neural")
    page.locator("[data-example]").nth(3).click()
    changes(page, "lw_neural", before)
    number = page.get_by_label("Held-out image", exact=True)
    number.fill("4000")
    page.locator("[role=alert]:visible", has_text="from 0 to 3999, got 4000").wait_for()
    before = shown(page, "lt")
    page.get_by_role("button", name="Random").locator("visible=true").click()
    changes(page, "lt", before)


def test_digits_are_drawn_with_the_mouse(visit):
    page = visit()
    open_tab(page, "Digits")
    page.get_by_role("button", name="Draw your own").click()
    canvas = page.locator(".pad canvas:visible")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.7 * box["height"], steps=20)
    page.mouse.up()
    page.get_by_role("button", name="Edit this drawing").click()
    page.locator(".card.plain:visible", has_text="your picture").wait_for()


def test_a_picture_is_uploaded_and_a_text_is_turned_away(visit):
    page = visit()
    open_tab(page, "Digits")
    page.get_by_role("button", name="Draw your own").click()
    chooser = page.locator("input[type=file]").last
    chooser.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.locator(".notice:visible", has_text="not a picture that can be read").wait_for()
    image = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(image).line([(60, 40), (130, 40), (90, 150)], fill=0, width=12)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    chooser = page.locator("input[type=file]").last
    chooser.set_input_files({"name": "7.png", "mimeType": "image/png",
                             "buffer": buffer.getvalue()})
    page.locator(".card.plain:visible", has_text="your picture").wait_for()


def test_the_benchmark_is_drawn_and_redrawn(visit):
    page = visit()
    open_tab(page, "Benchmark")
    chart = page.locator(".chart svg[role=img]:visible")
    chart.wait_for()
    before = chart.get_attribute("aria-label")
    page.get_by_label("What is measured").click()
    page.get_by_role("option").nth(1).click()
    page.wait_for_function(
        "before => [...document.querySelectorAll('.chart svg[role=img]')]"
        ".some(chart => chart.getAttribute('aria-label') !== before)", arg=before)
    page.get_by_role("button", name="The table").click()
    page.locator(".table table:visible").first.wait_for()
    assert "python benchmark/run.py" in page.locator("body").inner_text()


def test_the_faces_report_has_its_attributes_and_a_table_whose_words_are_whole(visit):
    page = visit(390, 844)
    open_tab(page, "Benchmark")
    page.get_by_label("Report").click()
    page.get_by_role("option", name="faces, published").click()
    page.locator(".chart svg[aria-label*=eyeglasses]:visible").wait_for()
    page.get_by_role("combobox", name="Attribute").click()
    page.get_by_role("option", name="smiling").click()
    page.locator(".chart svg[aria-label*=smiling]:visible").wait_for()
    page.get_by_role("button", name="The table").click()
    table = page.locator(".table table:visible").first
    table.wait_for()
    assert table.bounding_box()["width"] >= 700  # it scrolls, rather than break words into letters
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_about_names_licences_and_what_it_is_not_for(visit):
    page = visit()
    open_tab(page, "About")
    page.locator(".drawing svg:visible").first.wait_for()
    text = page.locator("body").inner_text()
    for told in ("The method in three sentences", "What it is not for", "MNIST", "FFHQ",
                 "Client("):
        assert told in text


def test_on_a_phone_the_drawing_can_be_read_and_the_api_is_a_tap_away(visit):
    page = visit(390, 844)
    open_tab(page, "About")
    page.locator(".drawing svg:visible").first.wait_for()
    sizes = page.locator(".drawing svg text").evaluate_all(
        "all => all.map(one => parseFloat(getComputedStyle(one).fontSize)"
        " * one.getScreenCTM().a)")
    assert len(sizes) == 10
    assert min(sizes) >= 10
    link = page.get_by_role("button", name="Use via API")
    link.scroll_into_view_if_needed()
    box = link.bounding_box()
    assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
    assert box["height"] >= 16


def test_a_refused_number_goes_with_the_next_edit(visit):
    page = visit()
    number = page.get_by_label("Held-out image", exact=True)
    number.fill("40000")
    alert = page.locator("[role=alert]:visible", has_text="from 0 to 3999, got 40000")
    alert.wait_for()
    told = page.locator(".card.plain .head span:visible").first.inner_text()
    before = shown(page, "lw_neural")
    page.get_by_role("button", name="Another digit").click()
    changes(page, "lw_neural", before)
    alert.wait_for(state="detached")
    assert number.input_value() == re.search(r"held-out image (\d+)", told).group(1)


def test_an_upload_that_was_refused_is_forgotten_with_the_next_image(visit):
    page = visit()
    page.get_by_role("button", name="Draw your own").click()
    chooser = page.locator("input[type=file]").last
    chooser.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    refused = page.locator(".notice:visible", has_text="not a picture that can be read")
    refused.wait_for()
    before = shown(page, "lw_neural")
    page.locator("[data-example]").nth(3).click()
    changes(page, "lw_neural", before)
    refused.wait_for(state="detached")
    page.locator(".note:visible", has_text="One to four digits").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out_and_slider_and_images_share_the_screen(visit, theme):
    page = visit(390, 844, theme)
    for tab in ("Faces", "Digits", "Benchmark", "About"):
        open_tab(page, tab)
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    for tab, method in (("Faces", "lw"), ("Digits", "lw_neural")):
        open_tab(page, tab)
        slider = page.get_by_role("slider", name=re.compile("range slider for Strength"))
        slider = slider.locator("visible=true").last.bounding_box()
        image = page.locator(f".card.{method} .frame:visible").first.bounding_box()
        ends = [box[side] + add for box in (slider, image)
                for side, add in (("y", 0), ("y", box["height"]))]
        assert max(ends) - min(ends) < 844


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(visit, theme):
    page = visit(theme=theme)
    pairs = page.evaluate("""() => {
      const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
          const colour = getComputedStyle(e).backgroundColor;
          if (!/^rgba\\(.*, 0\\)$/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
      };
      const chosen = '.hero p, .legend li, .card .head b, .card .head span, .facts p, .foot span,'
        + '.verdict .result, .badge, .note, .chips, .strip small, button[role=tab]';
      return [...document.querySelectorAll(chosen)].filter(e => e.offsetParent)
        .map(e => [e.className + ' ' + e.textContent.slice(0, 30), getComputedStyle(e).color,
                   behind(e)]);
    }""")
    assert len(pairs) > 20
    for told, front, back in pairs:
        assert contrast(front, back) >= 4.5, (told, front, back)


def contrast(front, back):
    """WCAG's ratio of two CSS colours."""

    def luminance(colour):
        values = np.array([float(v) for v in re.findall(r"[\d.]+", colour)[:3]]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    a, b = sorted((luminance(front), luminance(back)))
    return (b + 0.05) / (a + 0.05)
