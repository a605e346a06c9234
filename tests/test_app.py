"""The page as a whole: it can be built, and starts where it should."""

import app as entry
from demo import page as app


def test_the_page_can_be_built_and_names_its_endpoints(monkeypatch, tmp_path):
    monkeypatch.setenv("LWEDIT_FFHQ", str(tmp_path))  # without weights for photos
    page = app.page()
    public = [fn.api_name for fn in page.fns.values() if fn.api_visibility == "public"]
    assert sorted(public) == ["add_digits", "describe", "edit_face"]


def served(monkeypatch):
    """The arguments with which the page is served."""
    seen = {}
    monkeypatch.setattr(app, "page", lambda: type("Page", (), {
        "queue": lambda self, **queue: self, "launch": lambda self, **options: seen.update(options)
    })())
    monkeypatch.setattr(app.programs, "warm_up", lambda: None)
    app.main([])
    return seen


def test_it_listens_on_localhost_unless_asked(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    options = served(monkeypatch)
    assert options["server_name"] == "127.0.0.1"
    assert options["max_file_size"] == 20 * 2**20
    assert not options.get("share")


def test_on_a_space_it_listens_where_the_space_looks(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/lwedit")
    assert served(monkeypatch)["server_name"] == "0.0.0.0"


def test_app_py_is_the_page():
    assert (entry.page, entry.main) == (app.page, app.main)
