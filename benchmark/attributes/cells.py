"""One cell: one editor, one direction, every strength, every image kept.

A cell is measured on codes that no editor saw, by the scoring judge, and written to one file; all
tables and figures are made from these files. Nothing in a cell may be missing or infinite: what
was not reached is an empty array.
"""

import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8

from benchmark.attributes.settings import AttributeConfig
from benchmark.attributes.sources import EditSet
from benchmark.attributes.strengths import Strengths
from benchmark.files import write_npz
from lwedit.classifier import LatentClassifier
from lwedit.domains import AttributeDomain
from lwedit.editors import Editor
from lwedit.metrics import (
    at_change,
    changed,
    gaussian_distance,
    nearest_ratio,
    norm_ratio,
    round_trip,
    target_spread,
)
from lwedit.vocabulary import from_unit_range

__all__ = ["FAR", "Cell", "Source", "load_cell", "measure_cell", "measure_source", "save_cell"]

FAR = (4.0, 6.0, 8.0)  # times d
AT_SLOW = 0.9  # target change at which slow identity networks score


@dataclass(frozen=True)
class Source:
    """What the judges see before any edit; the same for every method.

    Attributes:
        x: Images.
        scores: Probabilities by the scoring judge.
        spread: `target_spread` of the target codes.
    """

    x: Float[torch.Tensor, "n channels h w"]
    scores: Float[torch.Tensor, "n attributes"]
    spread: float


@dataclass(frozen=True)
class Cell:
    """Measurements of one editor in one direction.

    Attributes:
        alpha: Strengths, signed, of rising size.
        in_range: Which of them lie in the paper's [d, 2 d].
        d: The unit of that range.
        reached: Whether calibration codes reached the agreed change at d.
        index: Rows of the images among the held-out codes.
        scores_before: Probabilities by the scoring judge.
        scores: The same after the edit.
        present_before: Verdicts, p > 1/2.
        present: The same after the edit.
        latent: Whether the latent classifier's verdict on the target is the wanted one.
        latent_before: The same before the edit.
        identity: Similarity to the unedited image by the fast measure.
        nearest: `nearest_ratio` of the edited codes.
        norm: `norm_ratio` of the edited codes.
        gaussian: `gaussian_distance` of the edited codes.
        round_trip: `round_trip` at the last strength in range.
        slow_alpha: Strength of 90 % target change, empty where it is not reached.
        slow_identity: Similarity by each slow measure at that strength.
        pictures: The first images, before the edit and at each strength.
        far_pictures: The same images at `FAR` times d, where an edit shows what it is made of.
        far_norm: `norm_ratio` there.
    """

    alpha: Float[np.ndarray, " strengths"]
    in_range: Bool[np.ndarray, " strengths"]
    d: Float[np.ndarray, ""]
    reached: Bool[np.ndarray, ""]
    index: Int64[np.ndarray, " n"]
    scores_before: Float[np.ndarray, "n attributes"]
    scores: Float[np.ndarray, "strengths n attributes"]
    present_before: Bool[np.ndarray, "n attributes"]
    present: Bool[np.ndarray, "strengths n attributes"]
    latent: Bool[np.ndarray, "strengths n"]
    latent_before: Bool[np.ndarray, " n"]
    identity: Float[np.ndarray, "strengths n"]
    nearest: Float[np.ndarray, "strengths n"]
    norm: Float[np.ndarray, "strengths n"]
    gaussian: Float[np.ndarray, " strengths"]
    round_trip: Float[np.ndarray, " n"]
    slow_alpha: Float[np.ndarray, " reached"]
    slow_identity: Float[np.ndarray, "reached measures few"]
    pictures: UInt8[np.ndarray, "strengths+1 few channels h w"]
    far_pictures: UInt8[np.ndarray, "far few channels h w"]
    far_norm: Float[np.ndarray, "far n"]


def measure_source(domain: AttributeDomain, edit: EditSet) -> Source:
    """Draw and judge the codes of one edit.

    Args:
        domain: Generator and judges.
        edit: Codes and target.
    """
    x = domain.generate(edit.w)
    return Source(x, domain.score(x), target_spread(edit.targets))


@torch.no_grad()
def measure_cell(
    editor: Editor,
    classifier: LatentClassifier,
    domain: AttributeDomain,
    edit: EditSet,
    source: Source,
    strengths: Strengths,
    config: AttributeConfig,
    *,
    pictures: bool,
) -> Cell:
    """Edit, draw and judge the codes of one edit at every strength.

    Args:
        editor: Fitted for the target attribute.
        classifier: The latent classifier of the same seed.
        domain: Generator and judges.
        edit: Codes and target.
        source: What is seen before the edit.
        strengths: From the calibration codes.
        config: How many images slow networks see, and how many pictures are kept.
        pictures: Whether pictures are kept.
    """
    alphas = [edit.sign * a for a in strengths.alphas]
    shown = config.pictured if pictures else 0
    frames = [from_unit_range(source.x[:shown])]
    columns: dict[str, list[torch.Tensor]] = {
        name: [] for name in ("scores", "latent", "identity", "nearest", "norm", "gaussian")
    }
    for alpha in alphas:
        w_edit = editor.edit(edit.w, alpha)
        x = source.x if torch.equal(w_edit, edit.w) else domain.generate(w_edit)
        columns["scores"].append(domain.score(x))
        columns["latent"].append((classifier(w_edit)[:, edit.k] > 0) == edit.wanted)
        columns["identity"].append(domain.identity(source.x, x, domain.identities[-1]))
        columns["nearest"].append(nearest_ratio(w_edit, edit.targets, source.spread))
        columns["norm"].append(norm_ratio(w_edit, edit.targets))
        columns["gaussian"].append(torch.tensor(gaussian_distance(w_edit, edit.targets)))
        frames.append(from_unit_range(x[:shown]))
    arrays = {name: torch.stack(values).numpy() for name, values in columns.items()}
    far = [editor.edit(edit.w, edit.sign * times * strengths.d) for times in FAR]
    present = arrays["scores"] > 0.5
    at_slow = _slow_alpha(present, alphas, edit)
    return Cell(
        alpha=np.array(alphas),
        in_range=np.array(strengths.in_range),
        d=np.array(strengths.d),
        reached=np.array(strengths.reached),
        index=edit.index,
        scores_before=source.scores.numpy(),
        present_before=(source.scores > 0.5).numpy(),
        present=present,
        latent_before=((classifier(edit.w)[:, edit.k] > 0) == edit.wanted).numpy(),
        round_trip=_undone(editor, edit, alphas[int(np.flatnonzero(strengths.in_range)[-1])]),
        slow_alpha=np.array(at_slow),
        slow_identity=_slow_identity(editor, domain, edit, source, at_slow, config.slow_images),
        pictures=np.stack(frames),
        far_pictures=np.stack([_drawn(domain, w_far[:shown], source.x[:shown]) for w_far in far]),
        far_norm=torch.stack([norm_ratio(w_far, edit.targets) for w_far in far]).numpy(),
        **arrays,
    )


def _drawn(domain: AttributeDomain, w: torch.Tensor, x: torch.Tensor) -> np.ndarray:
    """Pixels of a few codes, as many as there are images x."""
    return from_unit_range(domain.generate(w) if len(w) else x)


def _undone(editor: Editor, edit: EditSet, alpha: float) -> np.ndarray:
    w_edit = editor.edit(edit.w, alpha)
    return round_trip(edit.w, w_edit, editor.edit(w_edit, -alpha)).numpy()


def _slow_alpha(present: np.ndarray, alphas: list[float], edit: EditSet) -> list[float]:
    """Strength at which this cell reaches 90 % target change, if it does."""
    hit = changed(torch.from_numpy(present), edit.k, wanted=edit.wanted).double().mean(dim=-1)
    change = torch.cat([torch.zeros(1).double(), hit])
    strength = torch.tensor([0.0, *alphas], dtype=torch.float64)
    found = at_change(change, strength, AT_SLOW).item()
    return [] if np.isnan(found) else [found]


def _slow_identity(
    editor: Editor,
    domain: AttributeDomain,
    edit: EditSet,
    source: Source,
    alphas: list[float],
    few: int,
) -> np.ndarray:
    measures = domain.identities[:-1]
    few = min(few, len(edit.w))
    if not (alphas and measures and few):
        return np.zeros((0, len(measures), few), np.float32)
    x = domain.generate(editor.edit(edit.w[:few], alphas[0]))
    rows = [domain.identity(source.x[:few], x, measure).numpy() for measure in measures]
    return np.stack(rows)[None]


def save_cell(path: Path, cell: Cell) -> None:
    """Write a cell (aside, then renamed)."""
    arrays = asdict(cell)
    for name in ("scores", "scores_before"):  # verdicts are kept apart, so half precision is enough
        arrays[name] = arrays[name].astype(np.float16)
    write_npz(path, arrays)


def load_cell(path: Path) -> Cell:
    """Read a measured cell.

    Args:
        path: Its file.

    Raises:
        FileNotFoundError: If it was never measured.
        ValueError: If it is damaged, or holds numbers that are not finite or do not fit together.
    """
    if not path.exists():
        raise FileNotFoundError(f"cell must be measured before the report, missing: {path}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            cell = Cell(**{field.name: file[field.name] for field in fields(Cell)})
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"cell must be a file of this benchmark, remove {path} and run again: {error}"
        ) from error
    for field in fields(Cell):
        if not np.isfinite(getattr(cell, field.name)).all():
            raise ValueError(f"cell must be finite, {field.name} is not in {path}.")
    shape = (len(cell.alpha), len(cell.index))
    if cell.identity.shape != shape or cell.present.shape[:2] != shape or 0 in shape:
        raise ValueError(f"cell must hold every strength and image, {path} does not.")
    return cell
