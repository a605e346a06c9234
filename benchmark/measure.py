"""One cell of Table 2: one editor on one task, every image kept.

For "add a digit to images of n digits" the paper raises alpha until the latent classifier
says that all codes have n + 1 digits and asks an image classifier how many images do. Both
readings of that sentence are measured:

    per image     each code gets the smallest alpha of the grid that flips *its* verdict
    one for all   all codes get the smallest alpha at which every verdict is flipped, or, if the
                  grid holds none, the smallest at which most are

In both, only codes whose verdict did flip are counted, as in "given 100 % latent change". What
they say therefore depends on the latent classifier as much as on the edit. A third one asks the
image alone, as a person with a slider does:

    by the judge  each code gets the smallest alpha at which the count judge sees n + 1 digits or
                  more in its image; all images are counted, and those in which it never does are
                  not changed
"""

import math
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
    "BY_JUDGE",
    "READINGS",
    "Cell",
    "JudgeSearch",
    "TestCodes",
    "alphas_by_judge",
    "choose_alphas",
    "counted",
    "measure_at",
    "measure_cell",
    "select_alpha",
]

_LATENT = ("one for all", "per image")  # decided by the latent classifier
BY_JUDGE = "by the judge"
READINGS = (*_LATENT, BY_JUDGE)


class JudgeSearch(NamedTuple):
    """How the strength "by the judge" is looked for, see `alphas_by_judge`.

    Attributes:
        step: Spacing of the coarse grid.
        fine: Resolution of the bisection between two of its strengths.
        batch: Images drawn at a time.
    """

    step: float = 1.0
    fine: float = 0.125
    batch: int = 100


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


def counted(cell: Cell, reading: str) -> Bool[np.ndarray, " n"]:
    """The images that the shares of one reading are shares of.

    Args:
        cell: Measurements under that reading.
        reading: One of `READINGS`.

    Returns:
        Where the latent verdict flipped, or, by the judge, every image.

    Raises:
        ValueError: If there is no such reading.
    """
    if reading not in READINGS:
        raise ValueError(f"reading must be one of {READINGS}, got {reading!r}.")
    return cell.flipped if reading in _LATENT else np.ones_like(cell.flipped)


def select_alpha(
    flipped: Bool[Tensor, "alphas n"], alphas: Float[Tensor, " alphas"], reading: str
) -> Float[Tensor, " n"]:
    """The strength of each image under one of the two readings by the latent classifier.

    Args:
        flipped: Verdicts over a grid of strengths.
        alphas: The grid, rising.
        reading: "one for all" or "per image".

    Raises:
        ValueError: If it is another reading.
    """
    if reading not in _LATENT:
        raise ValueError(f"reading must be one of {_LATENT}, got {reading!r}.")
    if reading == "one for all":
        share = flipped.float().mean(dim=1)
        best = int((share >= share.max()).int().argmax())  # argmax of a mask: its first True
        return alphas[best].expand(flipped.shape[1]).clone()
    first = flipped.int().argmax(dim=0)
    return torch.where(flipped.any(dim=0), alphas[first], alphas[-1])


@torch.no_grad()
def alphas_by_judge(
    editor: Editor,
    domain: DigitsDomain,
    task: EditTask,
    codes: TestCodes,
    alpha_max: float,
    step: float,
    fine: float,
    batch: int = 100,
) -> Float[Tensor, " n"]:
    """The strength at which the count judge first sees n + 1 digits or more, image by image.

    Strengths step, 2 step, ..., alpha_max are drawn until an image changes; then the step that
    did it is halved until it is no longer than `fine`. What comes out is *a* threshold: the judge
    saw the digit there and did not at most `fine` below. It is the smallest one, to within `fine`,
    if more strength never takes the digit away again within a step; a digit that comes and goes
    between two strengths of the coarse grid is not seen. An image is drawn some 5-9 times.

    Args:
        editor: Fitted for the task.
        domain: Generator and judges.
        task: Add a digit to images of `task.count`.
        codes: Test codes of the task.
        alpha_max: Largest strength, and that of images in which the judge never sees it.
        step: Spacing of the coarse grid.
        fine: Largest distance to a strength at which the judge did not see it.
        batch: Images drawn at a time.

    Returns:
        Strengths, on the CPU.
    """
    w = codes.w
    low = torch.zeros(len(w), device=w.device)
    high = torch.full_like(low, torch.inf)

    def look(rows: Int[Tensor, " r"], alpha: Float[Tensor, " r"]) -> None:
        y = domain.generate(editor.edit(w[rows], alpha), batch)
        seen = domain.score(y).count > task.count
        high[rows[seen]], low[rows[~seen]] = alpha[seen], alpha[~seen]

    for k in range(1, math.ceil(alpha_max / step - 1e-6) + 1):
        rows = high.isinf().nonzero()[:, 0]
        if len(rows):
            look(rows, torch.full_like(low[rows], min(k * step, alpha_max)))
    # Never seen: the gap is infinite. 1.001: halves of a step that is no power of 2 are rounded.
    while len(rows := (high.isfinite() & (high - low > 1.001 * fine)).nonzero()[:, 0]):
        look(rows, (low + high)[rows] / 2)
    return high.clamp(max=alpha_max).cpu()


@torch.no_grad()
def choose_alphas(
    editor: Editor,
    classifier: LatentClassifier,
    domain: DigitsDomain,
    task: EditTask,
    codes: TestCodes,
    alphas: Float[Tensor, " alphas"],
    search: JudgeSearch = JudgeSearch(),  # noqa: B008 - immutable
) -> dict[str, Float[Tensor, " n"]]:
    """The strength of each image under each reading.

    Args:
        editor: Fitted for the target attribute.
        classifier: The latent classifier of the same seed.
        domain: Generator and judges.
        task: Whose attribute is the target.
        codes: Test codes of the task.
        alphas: The grid of the latent classifier's readings, rising; its last is the largest
            strength of all.
        search: How the judge's threshold is looked for.
    """
    k = classifier.attributes.index(task.attribute)
    verdicts = torch.stack([classifier(editor.edit(codes.w, a.item()))[:, k] > 0 for a in alphas])
    chosen = {reading: select_alpha(verdicts.cpu(), alphas, reading) for reading in _LATENT}
    by_judge = alphas_by_judge(editor, domain, task, codes, alphas[-1].item(), *search)
    return chosen | {BY_JUDGE: by_judge}


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
    search: JudgeSearch = JudgeSearch(),  # noqa: B008 - immutable
) -> dict[str, Cell]:
    """Choose the strengths of one task and measure it; arguments as of `choose_alphas`.

    Returns:
        One cell a reading.
    """
    chosen = choose_alphas(editor, classifier, domain, task, codes, alphas, search)
    return {
        reading: measure_at(editor, classifier, domain, task, codes, alpha, search.batch)
        for reading, alpha in chosen.items()
    }
