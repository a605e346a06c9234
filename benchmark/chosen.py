"""Measuring one strength an image: edit, draw and judge the codes of a task at it.

The counterpart of `benchmark.grid`, for tasks whose strength is chosen (`benchmark.strengths`).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from benchmark.cells import Cell
from benchmark.measure import View, measured, strictly
from benchmark.strengths import PAPERS, Hits, select_alpha
from lwedit.classifier import LatentClassifier
from lwedit.domains import DigitsDomain, EditTask
from lwedit.domains.digits import DigitScores
from lwedit.editors import Editor
from lwedit.metrics import kept

__all__ = ["TestCodes", "count_hits", "latent_strengths", "measure_at", "move_of"]


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
    index: Int[np.ndarray, " n"]  # type: ignore[assignment]  # hides tuple.index
    before: DigitScores
    left_out: int
    targets: Float[Tensor, "m layers dim"]
    target_spread: float
    photo: Int[Tensor, "n 10"]


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
    move: Float[Tensor, "n layers dim"], classifier: LatentClassifier, task: EditTask,
    codes: TestCodes, alphas: Float[Tensor, " alphas"],
) -> dict[str, Float[Tensor, " n"]]:
    """The strength of each image in the paper's two ways; no image is drawn.

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
    return {name: task.sign * select_alpha(verdicts, alphas, name) for name in PAPERS}


@torch.no_grad()
def count_hits(
    move: Float[Tensor, "n layers dim"], domain: DigitsDomain, task: EditTask, codes: TestCodes,
    alpha: float, batch: int = 100,
) -> Hits:
    """How many edits are accepted at one strength, which is above 0 for removing as well."""
    w_edit = codes.w + alpha * move
    x = domain.generate(w_edit, batch)
    view = View(domain, task, codes, w_edit, x, domain.score(x), torch.ones(len(x)).bool(), batch)
    left = kept(codes.before.classes, view.seen.classes, adding=task.adds)
    return Hits(int(strictly(view).sum()), int(((view.seen.count == task.wanted) & left).sum()))


@torch.no_grad()
def measure_at(
    move: Float[Tensor, "n layers dim"], classifier: LatentClassifier, domain: DigitsDomain,
    task: EditTask, codes: TestCodes, alpha: Float[Tensor, " n"], batch: int = 100,
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
    w_edit = codes.w + alpha.abs().to(codes.w)[:, None, None] * move
    k = classifier.attributes.index(task.attribute)
    flipped = (classifier(w_edit)[:, k] > 0) == task.adds
    x = domain.generate(w_edit, batch)
    view = View(domain, task, codes, w_edit, x, domain.score(x), flipped, batch)
    found = {"alpha": alpha} | measured(view, "digits")
    return Cell({name: values.cpu().numpy() for name, values in found.items()})
