"""The page for programs: named endpoints with types, and the models read before anyone asks.

What a program gets wrong is answered in one line, and is no error of the server's.
"""

import base64
import io
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from fastapi import Request
from fastapi.responses import JSONResponse
from gradio.route_utils import FnIndexInferError
from PIL import Image

from demo import digits, digits_cards, faces, photos
from demo.pictures import read_photo_data
from demo.studio import LOCK, STRONGEST, Step, is_number, studio

__all__ = [
    "APP",
    "SNIPPET",
    "Page",
    "add_digits",
    "describe",
    "edit_face",
    "edit_photo",
    "publish",
    "warm_up",
]

_EXAMPLES = {"attributes": '["eyeglasses"]', "strengths": "[1.5]"}
SNIPPET = """from gradio_client import Client

client = Client("http://127.0.0.1:7860")
answer = client.predict(seed=1, attributes=["eyeglasses"], strengths=[1.5], api_name="/edit_face")
print(answer["lw"]["judge"]["eyeglasses"], answer["lt"]["judge"]["eyeglasses"])
"""


def describe() -> dict[str, Any]:
    """What can be edited: attributes, range of strengths, methods, and which weights answer."""
    answer: dict[str, Any] = {"strengths": [-STRONGEST, STRONGEST]}
    for name in ("faces", "digits"):
        try:
            place = studio(name)
        except ValueError as error:
            answer[name] = {"unavailable": str(error)}
            continue
        answer[name] = {
            "methods": [method for method, of in place.bundle.editors.items() if of],
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
    with _plain_errors():
        readings = faces.compare(seed, _steps(attributes, strengths))
    return {name: _answer(one) for name, one in readings.items()}


def add_digits(
    image: int, strengths: list[float], draw: int = 0, digit: int = -1
) -> dict[str, Any]:
    """Add digits to a held-out image by LT, LW neural and LW affine, or remove them.

    Args:
        image: Number of the held-out image, 0 to 3999.
        strengths: One for each digit, -5 to 5: above 0 adds one, below 0 removes one. 1 is LW
            neural's transport itself, and the best single strength of the others.
        draw: Which answer of LW neural: 0, or the seed of another.
        digit: Which digit LW neural adds or removes, 0 to 9; -1 leaves it open.

    Returns:
        For "image", "original" (its reconstruction, which is what gets edited), "lt", "lw_neural"
        (where it has an editor for every edit) and "lw": png (base64), judge (digits by the image
        judge), classes (which ones), sure (whether both judges are), latent (digits by the latent
        classifier), alpha, milliseconds.
    """
    with _plain_errors():
        pixels = digits.heldout_image(image)
        count = digits.source_count(pixels)
        edits: list[digits.Edit] = []
        for strength in _listed("strengths", strengths):
            if not is_number(strength):
                raise ValueError(f"The strength must be a number, got {strength!r:.40}.")
            sizes = dict.fromkeys(digits.METHODS, abs(strength))
            edits.append(digits.next_edit(
                count, edits, add=strength > 0, strengths=sizes, draw=draw,
                digit=None if digit == -1 else digit))
        readings = digits.compare(pixels, edits)
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
    with _plain_errors():
        steps = _steps(attributes, strengths)
        photo = photos.receive(read_photo_data(picture))
        readings = photos.compare(photo, steps)
    return {"photo": {"png": _png(photo.crop)},
            **{name: _answer(one) for name, one in readings.items()}}


@contextmanager
def _plain_errors() -> Generator[None]:
    """What a program got wrong as one line for it, and nothing in the server's log."""
    try:
        yield
    except ValueError as error:
        raise gr.Error(" ".join(str(error).split()), print_exception=False) from error


def _listed(name: str, values: object) -> list[Any]:
    """An argument that must be a list; a single number or name is none.

    Raises:
        ValueError: In plain words.
    """
    if not isinstance(values, list | tuple):
        raise ValueError(f"{name} must be a list, such as {_EXAMPLES[name]}, got {values!r:.40}.")
    return list(values)


def _steps(attributes: list[str], strengths: list[float]) -> list[Step]:
    attributes, strengths = _listed("attributes", attributes), _listed("strengths", strengths)
    if len(attributes) != len(strengths):
        raise ValueError(
            f"There must be a strength for each attribute, got {len(attributes)} attributes "
            f"and {len(strengths)} strengths."
        )
    return [Step(*pair) for pair in zip(attributes, strengths, strict=True)]


class Page(gr.Blocks):
    """Blocks that answer a request without all its values in one line, with nothing in the log."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:  # noqa: ANN401
        """Refuse a request that lacks values.

        Args:
            block_fn: What is asked for.
            inputs: The values that came.

        Raises:
            gr.Error: In plain words.
        """
        wanted = len(block_fn.inputs)
        if len(inputs) < wanted:
            name = block_fn.api_name or "This"
            raise gr.Error(f"/{name} needs {wanted} values, got {len(inputs)}.",
                           print_exception=False)


def _unknown(request: Request, _: Exception) -> JSONResponse:
    """The answer to a request for an endpoint that is not there."""
    return JSONResponse({"error": f"There is no such endpoint: {request.url.path:.60}."}, 404)


APP: dict[str, Any] = {"exception_handlers": {FnIndexInferError: _unknown}}


def publish() -> None:
    """Add the endpoints to the page that is being built; that of photos where the weights are."""
    of_photos = [edit_photo] if photos.available() else []
    for function in (describe, edit_face, add_digits, *of_photos):
        gr.api(function, api_name=function.__name__, concurrency_id="cpu", concurrency_limit=1)


def warm_up() -> None:
    """Read every model and draw the first pictures, so that the first visitor waits less."""
    with LOCK:
        for name, first in (("digits", digits_cards.prepare),
                            ("faces", lambda: faces.compare(1, []))):
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
