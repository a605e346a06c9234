"""Photos on the page: there only with weights, aligned, encoded, edited, and plain when not."""

import base64
import io
import json

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

import app
from demo import about, faces_tab, photos, photos_tab, programs, studio
from demo.fit_editors import main as fit
from demo.studio import Step
from lwedit.domains.ffhq import CELEBA_ATTRIBUTES, FfhqDomain
from lwedit.inversion.align import FaceFinder, NoFaceError, crop, square_of
from lwedit.judges.faces import FaceJudge
from lwedit.vocabulary import from_unit_range, to_unit_range

pytestmark = pytest.mark.slow

POINTS = np.array([[90.0, 100.0], [130.0, 100.0], [110.0, 125.0], [95.0, 150.0], [125.0, 150.0]])


@pytest.fixture
def folder(tmp_path, photo_weights, monkeypatch):
    """A copy of the weights without editors, codes or judge, which the environment names."""
    monkeypatch.setenv("LWEDIT_FFHQ", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    for name in ("generator.safetensors", "encoder.safetensors"):
        (tmp_path / "weights" / name).write_bytes((photo_weights / name).read_bytes())
    for cached in (studio._open, photos._reconstruction):
        cached.cache_clear()
    yield tmp_path / "weights"
    for cached in (studio._open, photos._reconstruction):
        cached.cache_clear()


@pytest.fixture
def edited(folder, photo_weights):
    """The same with editors."""
    (folder / "editors").mkdir()
    for file in (photo_weights / "editors").iterdir():
        (folder / "editors" / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def face(monkeypatch):
    """A finder that sees a face in every picture that is not of one colour."""

    class Finder(FaceFinder):
        def points(self, photo):
            if len(photo.getcolors(2**20) or [0, 0]) == 1:
                raise NoFaceError("No face was found in this picture.")
            return POINTS

    monkeypatch.setattr(photos, "_finder", Finder)


def picture(path, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(small).resize((220, 240), Image.Resampling.BICUBIC).save(path)
    return path


def tabs(page):
    return [block.label for block in page.blocks.values() if type(block).__name__ == "Tab"]


def test_without_weights_there_is_no_tab_and_about_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("LWEDIT_FFHQ", str(tmp_path / "none"))
    assert not photos.available()
    assert tabs(app.page()) == ["Digits", "Faces", "Benchmark", "About"]
    told = about.ffhq_words()
    for part in ("`generator.safetensors` and `encoder.safetensors` are not here",
                 "psp_ffhq_encode.pt", "github.com/eladrich/pixel2style2pixel", "SHA-256",
                 "python -m lwedit.domains.ffhq convert", "LWEDIT_FFHQ", "celebahq_anno.npy"):
        assert part in told
    assert str(tmp_path) not in told
    assert "python -m lwedit.domains.ffhq" in programs.describe()["photos"]["unavailable"]


def test_with_weights_there_is_one(folder):
    assert tabs(app.page()) == ["Digits", "Faces", "Photos (FFHQ)", "Benchmark", "About"]
    assert "The tab *Photos (FFHQ)* encodes photos. To edit them, codes" in about.ffhq_words()


def test_with_editors_about_names_their_terms(edited):
    assert photos.editable() == ("Eyeglasses", "Smiling")
    assert "non-commercial" in about.ffhq_words()
    assert tabs(app.page())[2] == "Photos (FFHQ)"


def test_an_upload_becomes_the_aligned_crop_and_its_code(folder, face, tmp_path):
    path = picture(tmp_path / "a.png")
    photo = photos.receive(Image.open(path))
    aligned = crop(Image.open(path), square_of(POINTS), 512)
    assert (photo.crop == aligned).all()
    w = FfhqDomain.load().encode(to_unit_range(aligned[None]))
    assert torch.equal(torch.from_numpy(photo.code), w[0])


def test_without_editors_the_crop_and_the_reconstruction_are_shown(folder, face, tmp_path):
    photo = photos.receive(Image.open(picture(tmp_path / "a.png")))
    readings = photos.compare(photo, [])
    assert list(readings) == ["original"]
    x = FfhqDomain.load().generate(torch.from_numpy(photo.code)[None])
    assert (readings["original"].pixels == from_unit_range(x)[0]).all()
    html = photos_tab.compare_html(photo, None, 1.0)
    assert html.count("<figure") == 2
    assert "Photo, aligned" in html
    assert "python -m demo.fit_editors ffhq" in html


def test_both_methods_stand_side_by_side_where_there_are_editors(edited, face, tmp_path):
    photo = photos.receive(Image.open(picture(tmp_path / "a.png")))
    readings = photos.compare(photo, [Step("Smiling", 1.0)])
    place = studio.studio("ffhq")
    for method in ("lt", "lw"):
        unit = place.bundle.units[method]["Smiling"].add
        editor = place.bundle.editors[method]["Smiling"]
        w = editor.edit(torch.from_numpy(photo.code)[None], unit)
        x = from_unit_range(place.domain.generate(w))[0].astype(int)
        assert np.abs(readings[method].pixels - x).max() <= 1
        truth = place.latent(w)[0, CELEBA_ATTRIBUTES.index("Smiling")].item()
        assert readings[method].latent["Smiling"] == pytest.approx(truth, abs=1e-4)
        assert readings[method].alpha == (unit,)
    html = photos_tab.compare_html(photo, "Smiling", 1.0)
    assert html.count("<figure") == 4
    assert "moves the whole distribution (optimal transport)" in html
    assert "No judge of images is here" in html


def test_with_a_judge_its_verdict_stands_against_the_latent_classifiers(edited, face, tmp_path):
    torch.manual_seed(0)
    FaceJudge(CELEBA_ATTRIBUTES, width=4, features=8).save(edited / "judge.safetensors")
    photo = photos.receive(Image.open(picture(tmp_path / "a.png")))
    html = photos_tab.compare_html(photo, "Eyeglasses", 1.0)
    assert html.count("image judge: ") == 2
    assert html.count("identity kept") == 2
    assert "judge: eyeglasses" in html


def test_editors_of_other_weights_are_a_notice(edited, face, tmp_path):
    photo = photos.receive(Image.open(picture(tmp_path / "a.png")))
    path = edited / "editors" / "bundle.json"
    path.write_text(path.read_text().replace('"generator": "', '"generator": "0'))
    studio._open.cache_clear()
    html = photos_tab.compare_html(photo, "Smiling", 1.0)
    assert "The saved editors of ffhq do not belong to these weights" in html
    assert "python -m demo.fit_editors ffhq" in html
    with pytest.raises(ValueError, match="do not belong"):
        photos.receive(Image.open(picture(tmp_path / "a.png")))


def test_photos_take_more_threads_and_give_them_back(folder, face, tmp_path, monkeypatch):
    import os

    seen, before = [], torch.get_num_threads()
    torch.set_num_threads(1)
    real = FfhqDomain.encode
    monkeypatch.setattr(FfhqDomain, "encode", lambda *a: seen.append(torch.get_num_threads())
                        or real(*a))
    photos.receive(Image.open(picture(tmp_path / "a.png")))
    assert seen == [min(2, os.cpu_count())]
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_a_picture_without_a_face_is_said_so_and_changes_nothing(folder, face, tmp_path):
    Image.new("RGB", (100, 100), "red").save(tmp_path / "red.png")
    photo = photos.receive(Image.open(picture(tmp_path / "a.png")))
    kept, said, cards = photos_tab._receive(str(tmp_path / "red.png"), photo, None, 1.0)
    assert kept is photo
    assert "No face was found in this picture" in said
    assert cards.count("<figure") == 2
    none, _, cards = photos_tab._receive(str(tmp_path / "red.png"), None, None, 1.0)
    assert none is None
    assert "Send a photo" in cards


def test_the_real_finder_says_so_too(folder, tmp_path):
    pytest.importorskip("facenet_pytorch")
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (150, 150, 3), dtype=np.uint8))
    noise.save(tmp_path / "noise.png")
    _, said, _ = photos_tab._receive(str(tmp_path / "noise.png"), None, None, 1.0)
    assert "No face was found in this picture. Send a photo" in said


def test_text_sent_as_a_picture_is_said_so(folder, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    _, said, _ = photos_tab._receive(str(tmp_path / "a.png"), None, None, 1.0)
    assert "not a picture that can be read" in said


@pytest.mark.parametrize("strength", [float("nan"), 1e9])
def test_a_strange_strength_or_attribute_is_a_notice(edited, face, tmp_path, strength):
    photo = photos.receive(Image.open(picture(tmp_path / "a.png")))
    assert "The strength must be a number" in photos_tab.compare_html(photo, "Smiling", strength)
    assert "There is no attribute" in photos_tab.compare_html(photo, "../etc", 1.0)


def test_programs_edit_photos_where_the_weights_are(edited, face, tmp_path):
    page = app.page()
    public = [fn.api_name for fn in page.fns.values() if fn.api_visibility == "public"]
    assert sorted(public) == ["add_digits", "describe", "edit_face", "edit_photo"]
    path = picture(tmp_path / "a.png")
    text = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    answer = json.loads(json.dumps(programs.edit_photo(text, ["Smiling"], [1.0])))
    assert list(answer) == ["photo", "original", "lt", "lw"]
    shown = Image.open(io.BytesIO(base64.b64decode(answer["photo"]["png"])))
    photo = photos.receive(Image.open(path))
    assert (np.asarray(shown).transpose(2, 0, 1) == photo.crop).all()
    reading = photos.compare(photo, [Step("Smiling", 1.0)])["lw"]
    assert answer["lw"]["latent"]["Smiling"] == pytest.approx(reading.latent["Smiling"])
    assert programs.describe()["photos"] == {"editable": ["Eyeglasses", "Smiling"]}


@pytest.mark.parametrize(
    ("text", "attributes", "strengths", "message"),
    [
        ("../../etc/passwd", [], [], "not a picture that can be read"),
        ("data:image/png;base64,AAAA", [], [], "not a picture that can be read"),
        (None, ["Smiling"], [], "There must be a strength for each attribute"),
    ],
)
def test_programs_get_plain_messages(edited, face, text, attributes, strengths, message):
    with pytest.raises(gr.Error, match=message):
        programs.edit_photo(text, attributes, strengths)


def test_fitting_an_attribute_that_is_not_in_the_labels_is_refused(photo_weights, monkeypatch):
    monkeypatch.setenv("LWEDIT_FFHQ", str(photo_weights))
    with pytest.raises(ValueError, match="attributes must be some of .*, got 'Bald'"):
        fit(["ffhq", "--codes", "100", "--attributes", "Bald"])


def test_the_page_of_faces_needs_none_of_this(tmp_path, monkeypatch):
    monkeypatch.setenv("LWEDIT_FFHQ", str(tmp_path / "none"))
    assert photos.editable() == ()
    assert "<figure" in faces_tab.compare_html(1, [], "eyeglasses", 1.0)
