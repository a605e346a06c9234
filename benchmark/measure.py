"""One cell of the digits benchmark: one editor on one task, every image kept.

How strong an edit is decides what is seen of it. Four ways of choosing alpha stand side by side:

    chosen         one alpha for all images, the one with most accepted edits of validation codes;
                   every method has the same alphas to choose from
    as fitted      alpha = 1, the transport itself, for the variants of LW
    one for all    all codes get the smallest alpha at which the latent classifier says n + 1 of
                   each, or, if the grid holds none, the smallest at which it says so of most
    per image      each code gets the smallest alpha that flips *its* verdict

The first two are read strictly (`lwedit.metrics.strict`), over all images. The last two are the two
readings of the paper's Table 2, "actual change at a latent target change rate of 100 %": only codes
whose verdict did flip are counted, so they say as much of the latent classifier as of the edit.
"""

from collections.abc import Mapping
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
from lwedit.metrics import as_wanted, fooled, kept, new_class
from lwedit.vocabulary import flatten_codes

__all__ = [
    "CHOSEN",
    "FITTED",
    "READINGS",
    "STRICT",
    "Cell",
    "Hits",
    "TestCodes",
    "choose_strength",
    "count_hits",
    "counted",
    "latent_strengths",
    "measure_at",
    "move_of",
    "select_alpha",
]

CHOSEN, FITTED = STRICT = ("chosen", "as fitted")
READINGS = ("one for all", "per image")  # of the paper, decided by the latent classifier


class TestCodes(NamedTuple):
    """Codes of one task that the judge still counts right after reconstruction.

    Attributes:
        w: Source codes.
        index: Their rows among the images that they are of.
        before: What the judges see in their reconstructions.
        left_out: Images of this count whose reconstruction is miscounted.
        targets: Held-out codes of images that really have the number of digits wanted.
        target_spread: Mean distance from a target code to the nearest other one.
        photo: How many digits of each class the image itself shows.
    """

    w: Float[Tensor, "n layers dim"]
    index: Int[np.ndarray, " n"]
    before: DigitScores
    left_out: int
    targets: Float[Tensor, "m layers dim"]
    target_spread: float
    photo: Int[Tensor, "n 10"]


@dataclass(frozen=True)
class Cell:
    """Measurements of one editor, one task, one strategy; arrays have an entry an image.

    Attributes:
        alpha: Strength used; below 0 it removes.
        flipped: The latent classifier says that the digit was added, or removed.
        changed: The count judge sees n + 1 digits or more; of removing, n or fewer.
        exact: It sees just as many as wanted.
        kept: The other digits of the reconstruction were left alone, by the classes judge.
        kept_photo: The same against the image that was encoded.
        accepted: Strictly read, see `lwedit.metrics.strict`.
        fooled: The latent classifier believes in the edit and the count judge does not see it.
        digit: Class of the digit that an accepted edit added or removed, -1 elsewhere.
        distance: To the nearest held-out target code, in units of `target_spread`.
    """

    alpha: Float[np.ndarray, " n"]
    flipped: Bool[np.ndarray, " n"]
    changed: Bool[np.ndarray, " n"]
    exact: Bool[np.ndarray, " n"]
    kept: Bool[np.ndarray, " n"]
    kept_photo: Bool[np.ndarray, " n"]
    accepted: Bool[np.ndarray, " n"]
    fooled: Bool[np.ndarray, " n"]
    digit: Int[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]


def counted(cell: Cell, strategy: str) -> Bool[np.ndarray, " n"]:
    """The images that the shares under one strategy are shares of.

    Args:
        cell: Measurements under that strategy.
        strategy: One of `STRICT` or `READINGS`.

    Returns:
        Every image, or, for the readings of the paper, where the latent verdict flipped.

    Raises:
        ValueError: If there is no such strategy.
    """
    if strategy not in (*STRICT, *READINGS):
        raise ValueError(f"strategy must be one of {(*STRICT, *READINGS)}, got {strategy!r}.")
    return cell.flipped if strategy in READINGS else np.ones_like(cell.flipped)


def select_alpha(
    flipped: Bool[Tensor, "alphas n"], alphas: Float[Tensor, " alphas"], reading: str
) -> Float[Tensor, " n"]:
    """The strength of each image under one of the paper's two readings.

    Args:
        flipped: Verdicts over a grid of strengths.
        alphas: The grid, rising.
        reading: "one for all" or "per image".

    Raises:
        ValueError: If it is another reading.
    """
    if reading not in READINGS:
        raise ValueError(f"reading must be one of {READINGS}, got {reading!r}.")
    if reading == "one for all":
        share = flipped.float().mean(dim=1)
        best = int((share >= share.max()).int().argmax())  # argmax of a mask: its first True
        return alphas[best].expand(flipped.shape[1]).clone()
    first = flipped.int().argmax(dim=0)
    return torch.where(flipped.any(dim=0), alphas[first], alphas[-1])


def move_of(
    editor: Editor, task: EditTask, w: Float[Tensor, "n layers dim"]
) -> Float[Tensor, "n layers dim"]:
    """What alpha = 1, or -1 where the task removes, does to codes.

    An edit is linear in the strength (Eq. 1), so its move, which may be a network's, is computed
    once for all of them.
    """
    return editor.edit(w, float(task.sign)) - w


@torch.no_grad()
def latent_strengths(
    move: Float[Tensor, "n layers dim"],
    classifier: LatentClassifier,
    task: EditTask,
    codes: TestCodes,
    alphas: Float[Tensor, " alphas"],
) -> dict[str, Float[Tensor, " n"]]:
    """The strength of each image under the paper's two readings; no image is drawn.

    Args:
        move: From `move_of`.
        classifier: The latent classifier of the same seed.
        task: Whose attribute is the target.
        codes: Test codes of the task.
        alphas: The grid, rising, above 0.
    """
    k = classifier.attributes.index(task.attribute)
    logits = classifier.along(codes.w, move, alphas)[:, :, k].cpu()
    verdicts = (logits > 0) == task.adds
    return {
        reading: task.sign * select_alpha(verdicts, alphas, reading) for reading in READINGS
    }


class Hits(NamedTuple):
    """Edits of validation codes at one strength.

    Attributes:
        accepted: How many were accepted.
        clean: How many show as many digits as wanted and left the others alone.
    """

    accepted: int
    clean: int


def choose_strength(hits: Mapping[float, Hits]) -> float:
    """The alpha of all images: that with most accepted edits.

    Of those that are equal, the one with most that show as many digits as wanted and left the
    others alone, and then the smallest: a method none of whose edits is accepted is shown at its
    best all the same.

    Args:
        hits: By strength, above 0.
    """
    return max(sorted(hits), key=lambda alpha: hits[alpha])


@torch.no_grad()
def count_hits(
    move: Float[Tensor, "n layers dim"],
    domain: DigitsDomain,
    task: EditTask,
    codes: TestCodes,
    alpha: float,
    batch: int = 100,
) -> Hits:
    """How many edits are accepted at one strength, which is above 0 for removing as well."""
    after = domain.score(domain.generate(codes.w + alpha * move, batch))
    left = kept(codes.before.classes, after.classes, adding=task.adds)
    return Hits(int((as_wanted(*_seen(after), task.wanted) & left).sum()),
                int(((after.count == task.wanted) & left).sum()))


@torch.no_grad()
def measure_at(
    move: Float[Tensor, "n layers dim"],
    classifier: LatentClassifier,
    domain: DigitsDomain,
    task: EditTask,
    codes: TestCodes,
    alpha: Float[Tensor, " n"],
    batch: int = 100,
) -> Cell:
    """Edit, draw and judge the codes of one task at the strengths of one strategy.

    Args:
        move: From `move_of`.
        classifier: The latent classifier of the same seed.
        domain: Generator and judges.
        task: The edit.
        codes: Test codes of the task.
        alpha: Strengths, below 0 where the task removes.
        batch: Images drawn at a time.
    """
    k = classifier.attributes.index(task.attribute)
    w_edit = codes.w + alpha.abs().to(codes.w)[:, None, None] * move
    after = domain.score(domain.generate(w_edit, batch))
    nearest = torch.cdist(flatten_codes(w_edit), flatten_codes(codes.targets)).min(dim=1).values
    flipped = (classifier(w_edit)[:, k] > 0) == task.adds
    left, left_photo = (
        kept(before, after.classes, adding=task.adds)
        for before in (codes.before.classes, codes.photo)
    )
    accepted = as_wanted(*_seen(after), task.wanted) & left
    more, less = after.count >= task.wanted, after.count <= task.wanted
    measured = {
        "alpha": alpha,
        "flipped": flipped,
        "changed": more if task.adds else less,
        "exact": more & less,
        "kept": left,
        "kept_photo": left_photo,
        "accepted": accepted,
        "fooled": fooled(flipped, after.count, task.wanted, adding=task.adds),
        "digit": new_class(codes.before.classes, after.classes, accepted).to(torch.int8),
        "distance": nearest / codes.target_spread,
    }
    return Cell(**{name: values.cpu().numpy() for name, values in measured.items()})


def _seen(scores: DigitScores) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the judges saw, in the order of `as_wanted`."""
    return scores.count, scores.count_confidence, scores.classes, scores.confidence
