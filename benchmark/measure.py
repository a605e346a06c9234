"""One cell of Table 2: one editor on one task, every image kept.

For "add a digit to images of n digits" the paper raises alpha until the latent classifier
says that all codes have n + 1 digits and asks an image classifier how many images do. Both
readings of that sentence are measured:

    per image     each code gets the smallest alpha of the grid that flips *its* verdict
    one for all   all codes get the smallest alpha at which every verdict is flipped, or, if the
                  grid holds none, the smallest at which most are

In both, only codes whose verdict did flip are counted, as in "given 100 % latent change".
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lwedit.classifier import LatentClassifier
from lwedit.domains import DigitsDomain, EditTask
from lwedit.domains.digits import DigitScores
from lwedit.editors import Editor
from lwedit.vocabulary import flatten_codes

__all__ = [
    "READINGS",
    "Cell",
    "TestCodes",
    "choose_alphas",
    "measure_at",
    "measure_cell",
    "select_alpha",
]

READINGS = ("one for all", "per image")


class TestCodes(NamedTuple):
    """Held-out codes of one task that the judge still counts right after reconstruction.

    Attributes:
        w: Source codes.
        index: Their rows among the held-out images.
        before: What the judges see in their reconstructions.
        left_out: Images of this count whose reconstruction is miscounted.
        targets: Held-out codes of images that really have one digit more.
        target_spread: Mean distance from a target code to the nearest other one.
        photo: How many digits of each class the image itself shows; what the judges see in the
            reconstruction if left out.
    """

    w: Float[Tensor, "n layers dim"]
    index: Int[np.ndarray, " n"]
    before: DigitScores
    left_out: int
    targets: Float[Tensor, "m layers dim"]
    target_spread: float
    photo: Int[Tensor, "n 10"] | None = None


@dataclass(frozen=True)
class Cell:
    """Measurements of one editor, one task, one reading; arrays have an entry an image.

    Attributes:
        alpha: Strength used.
        flipped: Latent classifier says n + 1 or more.
        more: Judge counts n + 1 or more.
        exact: Judge counts n + 1.
        kept: Every digit of the reconstruction is still there, by the classes judge.
        kept_photo: Every digit of the image that was encoded is there, by the same judge.
        distance: To the nearest held-out target code, in units of `target_spread`.
    """

    alpha: Float[np.ndarray, " n"]
    flipped: Bool[np.ndarray, " n"]
    more: Bool[np.ndarray, " n"]
    exact: Bool[np.ndarray, " n"]
    kept: Bool[np.ndarray, " n"]
    kept_photo: Bool[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]


def select_alpha(
    flipped: Bool[Tensor, "alphas n"], alphas: Float[Tensor, " alphas"], reading: str
) -> Float[Tensor, " n"]:
    """The strength of each image under one reading.

    Args:
        flipped: Verdicts over a grid of strengths.
        alphas: The grid, rising.
        reading: One of `READINGS`.

    Raises:
        ValueError: If there is no such reading.
    """
    if reading not in READINGS:
        raise ValueError(f"reading must be one of {READINGS}, got {reading!r}.")
    if reading == "one for all":
        share = flipped.float().mean(dim=1)
        best = int((share >= share.max()).int().argmax())  # argmax of a mask: its first True
        return alphas[best].expand(flipped.shape[1]).clone()
    first = flipped.int().argmax(dim=0)
    return torch.where(flipped.any(dim=0), alphas[first], alphas[-1])


@torch.no_grad()
def choose_alphas(
    editor: Editor,
    classifier: LatentClassifier,
    codes: TestCodes,
    attribute: str,
    alphas: Float[Tensor, " alphas"],
) -> dict[str, Float[Tensor, " n"]]:
    """The strength of each image under each reading.

    Args:
        editor: Fitted for the target attribute.
        classifier: The latent classifier of the same seed.
        codes: Test codes of one task.
        attribute: Target attribute.
        alphas: The grid, rising.
    """
    k = classifier.attributes.index(attribute)
    verdicts = torch.stack([classifier(editor.edit(codes.w, a.item()))[:, k] > 0 for a in alphas])
    return {reading: select_alpha(verdicts.cpu(), alphas, reading) for reading in READINGS}


@torch.no_grad()
def measure_at(
    editor: Editor,
    classifier: LatentClassifier,
    domain: DigitsDomain,
    task: EditTask,
    codes: TestCodes,
    alpha: Float[Tensor, " n"],
    batch: int = 100,
) -> Cell:
    """Edit, draw and judge the codes of one task at the strengths of one reading."""
    k = classifier.attributes.index(task.attribute)
    w_edit = editor.edit(codes.w, alpha)
    after = domain.score(domain.generate(w_edit, batch))
    nearest = torch.cdist(flatten_codes(w_edit), flatten_codes(codes.targets)).min(dim=1).values
    photo = codes.before.classes if codes.photo is None else codes.photo
    measured = {
        "alpha": alpha,
        "flipped": classifier(w_edit)[:, k] > 0,
        "more": after.count >= task.count + 1,
        "exact": after.count == task.count + 1,
        "kept": (after.classes >= codes.before.classes).all(dim=1),
        "kept_photo": (after.classes >= photo).all(dim=1),
        "distance": nearest / codes.target_spread,
    }
    return Cell(**{name: values.cpu().numpy() for name, values in measured.items()})


def measure_cell(
    editor: Editor,
    classifier: LatentClassifier,
    domain: DigitsDomain,
    task: EditTask,
    codes: TestCodes,
    alphas: Float[Tensor, " alphas"],
) -> dict[str, Cell]:
    """Choose the strengths of one task and measure it.

    Returns:
        One cell a reading.
    """
    chosen = choose_alphas(editor, classifier, codes, task.attribute, alphas)
    return {
        reading: measure_at(editor, classifier, domain, task, codes, alpha)
        for reading, alpha in chosen.items()
    }
