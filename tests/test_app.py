"""The demo's plain functions, and that its page can be built."""

import gradio as gr
import numpy as np
import pytest

import app


def test_a_picture_is_the_image_enlarged_and_turned_to_dark_on_white():
    pixels = np.arange(64 * 64, dtype=np.uint8).reshape(1, 64, 64)
    shown = app.picture(pixels)
    assert shown.shape == (256, 256)
    assert (shown.reshape(64, 4, 64, 4) == 255 - pixels[0][:, None, :, None]).all()


@pytest.mark.parametrize(("index", "alpha"), [(float("nan"), 1.0), (0, float("inf")), (0, 1e9)])
def test_strange_strengths_and_images_get_a_plain_message(index, alpha):
    with pytest.raises(gr.Error, match="a number from 0 to 3999, the strength one from -4 to 4"):
        app.edit(index, alpha)


def test_without_a_run_the_message_says_how_to_make_one(monkeypatch, tmp_path, shipped):
    monkeypatch.setattr(app, "RUN", tmp_path)
    monkeypatch.setattr(app, "domain", lambda: shipped)
    app.editor.cache_clear()
    with pytest.raises(gr.Error, match="run `make bench` first"):
        app.edit(0, 1.0)


def test_the_page_can_be_built_and_names_its_endpoint():
    page = app.page()
    assert "edit" in [fn.api_name for fn in page.fns.values()]
