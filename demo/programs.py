"""The page for programs: named endpoints with types, and the models read before anyone asks."""

import base64
import io
from typing import Any

import gradio as gr
from PIL import Image

from demo import digits, faces, photos
from demo.pictures import read_photo_data
from demo.studio import LOCK, METHODS_SHOWN, STRONGEST, Step, studio

__all__ = ["SNIPPET", "add_digits", "describe", "edit_face", "edit_photo", "publish", "warm_up"]

SNIPPET = """from gradio_client import Client

client = Client("http://127.0.0.1:7860")
answer = client.predict(seed=1, attributes=["eyeglasses"], strengths=[1.5], api_name="/edit_face")
print(answer["lw"]["judge"]["eyeglasses"], answer["lt"]["judge"]["eyeglasses"])
"""


def describe() -> dict[str, Any]:
    """What can be edited: attributes, range of strengths, methods, and which weights answer."""
    answer: dict[str, Any] = {"methods": list(METHODS_SHOWN), "strengths": [-STRONGEST, STRONGEST]}
    for name in ("faces", "digits"):
        try:
            place = studio(name)
        except ValueError as error:
            answer[name] = {"unavailable": str(error)}
            continue
        answer[name] = {
            "editable": list(place.bundle.editors["lw"]),
            "judged": list(place.domain.attributes),
            "weights": place.domain.weights,
        }
    answer["photos"] = {"editable": list(photos.editable())} if photos.available() else {
        "unavailable": "python -m lwedit.domains.ffhq says which weights are missing"}
    return answer


def edit_face(seed: int, attributes: list[str], strengths: list[float]) -> dict[str, Any]:
    """Edit the face of a seed by LT and by LW, one attribute after the other.

    Args:
        seed: Whose face, 0 to 2147483647.
        attributes: What is added, in turn; see /describe.
        strengths: How much of each, -5 to 5; below 0 removes. 1 flips half of the latent verdicts.

    Returns:
        For "original", "lt" and "lw": png (base64), judge (probability of each attribute by the
        image judge), latent (by the latent classifier), identity, alpha, milliseconds.
    """
    try:
        readings = faces.compare(seed, _steps(attributes, strengths))
    except (ValueError, TypeError) as error:
        raise gr.Error(str(error), print_exception=False) from error
    return {name: _answer(one) for name, one in readings.items()}


def add_digits(image: int, strengths: list[float]) -> dict[str, Any]:
    """Add digits to a held-out image by LT and by LW, or remove them.

    Args:
        image: Number of the held-out image, 0 to 3999.
        strengths: One for each digit, -5 to 5: above 0 adds one, below 0 removes one.

    Returns:
        For "image", "original" (its reconstruction, which is what gets edited), "lt" and "lw": png
        (base64), judge (digits by the image judge), classes (which ones), latent (digits by the
        latent classifier), alpha, milliseconds.
    """
    try:
        pixels = digits.heldout_image(image)
        count = digits.source_count(pixels)
        steps: list[Step] = []
        for strength in strengths:
            if not isinstance(strength, int | float):
                raise ValueError(f"The strength must be a number, got {strength!r:.40}.")
            steps.append(digits.next_step(count, steps, add=strength > 0, strength=abs(strength)))
        readings = digits.compare(pixels, steps)
    except (ValueError, TypeError) as error:
        raise gr.Error(str(error), print_exception=False) from error
    return {name: _answer(one) for name, one in readings.items()}


def edit_photo(
    picture: str, attributes: list[str], strengths: list[float]
) -> dict[str, Any]:
    """Align a photo's largest face, encode it, and edit it by LT and by LW.

    Args:
        picture: "data:image/png;base64,...", or another picture than PNG.
        attributes: What is added, in turn, by CelebA's names; see /describe.
        strengths: How much of each, -5 to 5; below 0 removes.

    Returns:
        "photo": png (base64) of the aligned crop. For "original" (its reconstruction, which is what
        gets edited) and, where there are editors, "lt" and "lw": png, judge, latent, identity,
        alpha, milliseconds; judge is empty and identity null where there is no network for them.
    """
    try:
        steps = _steps(attributes, strengths)
        photo = photos.receive(read_photo_data(picture))
        readings = photos.compare(photo, steps)
    except (ValueError, TypeError) as error:
        raise gr.Error(str(error), print_exception=False) from error
    return {"photo": {"png": _png(photo.crop)},
            **{name: _answer(one) for name, one in readings.items()}}


def _steps(attributes: list[str], strengths: list[float]) -> list[Step]:
    if len(attributes) != len(strengths):
        raise ValueError(
            f"There must be a strength for each attribute, got {len(attributes)} attributes "
            f"and {len(strengths)} strengths."
        )
    return [Step(*pair) for pair in zip(attributes, strengths, strict=True)]


def publish() -> None:
    """Add the endpoints to the page that is being built; that of photos where the weights are."""
    of_photos = [edit_photo] if photos.available() else []
    for function in (describe, edit_face, add_digits, *of_photos):
        gr.api(function, api_name=function.__name__, concurrency_id="cpu", concurrency_limit=1)


def warm_up() -> None:
    """Read every model and draw the first pictures, so that the first visitor waits less."""
    with LOCK:
        for name, first in (("faces", lambda: faces.compare(1, [])),
                            ("digits", lambda: digits.compare(digits.heldout_image(0), []))):
            try:
                studio(name)
                first()
            except ValueError:
                continue  # its tab says what is missing


def _answer(
    reading: faces.FaceReading | digits.DigitReading | photos.PhotoReading
) -> dict[str, Any]:
    """A reading as JSON."""
    answer = reading._asdict()
    return {"png": _png(answer.pop("pixels")), **answer, "alpha": list(reading.alpha)}


def _png(pixels: Any) -> str:  # noqa: ANN401
    image = pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
