"""One cell: one editor, one direction, every strength, every image kept.

A cell is measured on codes that no editor saw, by the scoring judge
(`benchmark.attributes.measure`), and written to one file; results.csv is made from these files.
Nothing in a cell may be missing or infinite: what was not reached is an empty array.
"""

import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from benchmark.files import write_npz

__all__ = ["FAR", "Cell", "load_cell", "save_cell"]

FAR = (4.0, 6.0, 8.0)  # times d


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
        identity_photo: Similarity to the photo, empty where codes have none.
        nearest: `nearest_ratio` of the edited codes.
        knn: The same for the fifth neighbour.
        norm: `norm_ratio` of the edited codes.
        gaussian: `gaussian_distance` of the edited codes.
        round_trip: `round_trip` at the last strength in range.
        commutator: `commutator` with another edit there, empty where there is no other.
        level_alpha: Strengths at which the agreed target changes are reached, as many as are.
        ssim: SSIM with the unedited image at those strengths; this and the next three are empty
            where no network compares images.
        perceptual: Perceptual distance to it.
        fid: FID to real target images, by each network.
        kid: KID likewise.
        fid_real: FID between two halves of the real images.
        kid_real: KID likewise.
        slow_identity: Similarity by each slow measure at the highest level, empty below it.
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
    identity_photo: Float[np.ndarray, "photographed n"]
    nearest: Float[np.ndarray, "strengths n"]
    knn: Float[np.ndarray, "strengths n"]
    norm: Float[np.ndarray, "strengths n"]
    gaussian: Float[np.ndarray, " strengths"]
    round_trip: Float[np.ndarray, " n"]
    commutator: Float[np.ndarray, " paired"]
    level_alpha: Float[np.ndarray, " levels"]
    ssim: Float[np.ndarray, "compared n"]
    perceptual: Float[np.ndarray, "compared n"]
    fid: Float[np.ndarray, "compared networks"]
    kid: Float[np.ndarray, "compared networks"]
    fid_real: Float[np.ndarray, " networks"]
    kid_real: Float[np.ndarray, " networks"]
    slow_identity: Float[np.ndarray, "slow measures few"]
    pictures: UInt8[np.ndarray, "strengths+1 few channels h w"]
    far_pictures: UInt8[np.ndarray, "far few channels h w"]
    far_norm: Float[np.ndarray, "far n"]


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
