"""The tab for photos: there only where FFHQ's weights are; widgets, and the HTML they show."""

from pathlib import Path
from typing import Any

import gradio as gr

from demo import photos
from demo.bundles import REFIT
from demo.cards import Card, comparison, html, meter, notice, percent, verdict
from demo.photos import Photo, PhotoReading
from demo.pictures import read_photo
from demo.studio import METHODS_SHOWN, Step

__all__ = ["build", "compare_html"]

_START = 1.0
_ASK = notice("Send a photo", "One face, looking towards the camera. It is turned and cropped as "
              "the generator expects, and the crop is shown beside what is made of it.")
_PRIVACY = (
    '<p class="note">A photo stays in the memory of this page; the upload is deleted within two '
    "hours. Send only photos of people who agreed to it. Drawing takes seconds an image on a "
    "processor.</p>"
)
_NO_EDITORS = (
    f"There are no editors for these weights yet. {REFIT.format('ffhq')} fits them on codes with "
    "labels; python -m lwedit.domains.ffhq says which those are and where they come from."
)


def words(attribute: str) -> str:
    """An attribute of CelebA as people write it."""
    return attribute.replace("_", " ").lower()


def compare_html(photo: Photo | None, attribute: str | None, strength: float) -> str:
    """The crop, its reconstruction, LT's and LW's edit, or in their place what is wrong."""
    if photo is None:
        return _ASK
    steps = [] if not attribute or strength == 0 else [Step(attribute, strength)]
    try:
        readings = photos.compare(photo, steps)
    except ValueError as error:
        return notice("That cannot be shown", str(error))
    before = readings["original"]
    cards = [
        Card("plain", "Photo, aligned", "its largest face, as the generator expects it", photo.crop,
             "The face in the photo, turned upright and cropped", side=photos.SIDE),
        Card("plain", "Reconstruction", "by encoder and generator; this is what gets edited",
             before.pixels, "The reconstruction of the photo", _plain_facts(before, attribute),
             side=photos.SIDE),
    ]
    cards += [_method_card(method, readings[method], before, attribute, strength)
              for method in METHODS_SHOWN if method in readings]
    below = "" if len(readings) > 1 else notice("Nothing to edit with", _NO_EDITORS)
    return f'<div class="stack">{comparison(cards)}{below}</div>'


def _plain_facts(reading: PhotoReading, attribute: str | None) -> list[str]:
    facts = []
    if attribute and reading.judge:
        p = reading.judge[attribute]
        facts.append(meter(f"judge: {words(attribute)}", p, percent(p)))
    if attribute and reading.latent:
        facts.append(f'<p class="soft">latent classifier: {words(attribute)} '
                     f"{percent(reading.latent[attribute])}</p>")
    return facts


def _method_card(
    method: str, after: PhotoReading, before: PhotoReading, attribute: str | None, strength: float
) -> Card:
    facts = []
    if attribute:
        facts = _edit_facts(after, before, attribute, strength)
    if after.identity is not None:
        facts.append(meter("identity kept", after.identity, f"{after.identity:.2f}"))
    alpha = "α " + ", ".join(f"{value:+.2f}" for value in after.alpha) if after.alpha else "no edit"
    alt = f"The reconstruction edited by {method.upper()}: {words(attribute or 'nothing')}"
    return Card(method, "", "", after.pixels, alt, facts, f"{alpha} · {after.milliseconds:.0f} ms",
                before=before.pixels, side=photos.SIDE)


def _edit_facts(
    after: PhotoReading, before: PhotoReading, attribute: str, strength: float
) -> list[str]:
    """Verdicts where there is a judge of images; else what the latent classifier claims."""
    latent, wanted = after.latent[attribute], strength > 0
    if not after.judge:
        return [
            f'<p class="verdict"><em>latent classifier: {words(attribute)} '
            f"{percent(before.latent[attribute])} → {percent(latent)}</em></p>",
            '<p class="soft">No judge of images is here: whether the picture changed is for you to '
            "see.</p>",
        ]
    said = {True: "yes", False: "no"}
    claims, sees = latent > 0.5, after.judge[attribute] > 0.5
    return [
        verdict(said[claims], claims == wanted, said[sees], sees == wanted, asked=strength != 0),
        meter(f"judge: {words(attribute)}", after.judge[attribute],
              f"{percent(before.judge[attribute])} → {percent(after.judge[attribute])}"),
    ]


def build() -> None:
    """Lay out the tab and connect it."""
    names = photos.editable()
    photo = gr.State(None)
    with gr.Row(equal_height=False, elem_classes="sides"):
        with gr.Column(scale=3, min_width=290, elem_classes="controls"):
            with gr.Row(elem_classes="seedrow"):
                upload = gr.UploadButton("Upload a photo", type="filepath", file_types=["image"],
                                         variant="primary")
            attribute = gr.Radio([(words(name), name) for name in names],
                                 value=names[0] if names else None, label="Attribute",
                                 elem_classes="choices", visible=bool(names))
            strength = gr.Slider(-2.5, 2.5, _START, step=0.05, label="Strength",
                                 visible=bool(names))
            message = html(_PRIVACY)
        with gr.Column(scale=9, min_width=320):
            cards = html(_ASK, elem_classes="first")
    shown = [photo, attribute, strength]
    slow: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "cpu",
                            "concurrency_limit": 1, "trigger_mode": "always_last"}
    gr.on([strength.release, strength.input, attribute.input],
          lambda *values: (compare_html(*values), _PRIVACY), shown, [cards, message], **slow)
    upload.upload(_receive, [upload, *shown], [photo, message, cards], **slow)


def _receive(
    path: str, photo: Photo | None, attribute: str | None, strength: float
) -> tuple[Photo | None, str, str]:
    """An upload in place of the photo before; where it is none, why, and no change."""
    try:
        photo = photos.receive(read_photo(Path(path)))
        said = '<p class="note">Aligned and encoded: edit it with the controls above.</p>'
    except ValueError as error:
        said = notice("That cannot be used", str(error))
    return photo, said, compare_html(photo, attribute, strength)
