"""Cells: named arrays of one editor on one edit, every image kept, checked when they are read.

A cell is measured on codes that no editor saw and written to one file; results.csv is made from
these files. `SHAPES` names the arrays that a cell must have, by kind of run, with their dimensions;
a dimension of one name is as long in every array. Whatever else is measured
(`benchmark.measure.MEASURES`) is kept beside them, so a new metric leaves stored cells valid.
Nothing in a cell may be missing or infinite: what was not reached is an empty array.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmark.files import write_npz

__all__ = ["FAR", "SHAPES", "Cell", "load_cell", "read_arrays", "save_cell"]

FAR = (4.0, 6.0, 8.0)  # times d
SHAPES: dict[str, dict[str, str]] = {
    # One strength an image, below 0 where it removes.
    "digits": {
        "alpha": "n",
        "flipped": "n",  # the latent classifier says that the digit was added, or removed
        "changed": "n",  # the count judge sees n + 1 digits or more; of removing, n or fewer
        "exact": "n",  # just as many as wanted
        "kept": "n",  # the other digits of the reconstruction left alone, by the classes judge
        "kept_photo": "n",  # the same against the image that was encoded
        "accepted": "n",  # strictly, see `lwedit.metrics.strict`
        "fooled": "n",  # the latent classifier believes in the edit, the count judge does not
        "digit": "n",  # class that an accepted edit added or removed, -1 elsewhere
        "distance": "n",  # to the nearest held-out target code, in units of `target_spread`
    },
    # A grid of strengths, one row each.
    "attributes": {
        "alpha": "strengths",  # signed, of rising size
        "in_range": "strengths",  # which of them lie in the paper's [d, 2 d]
        "d": "",
        "reached": "",  # whether calibration codes reached the agreed change at d
        "index": "n",  # rows of the images among the held-out codes
        "scores_before": "n attributes",  # probabilities by the scoring judge
        "scores": "strengths n attributes",
        "present_before": "n attributes",  # verdicts, p > 1/2
        "present": "strengths n attributes",
        "latent": "strengths n",  # whether the latent classifier's verdict is the wanted one
        "latent_before": "n",
        "identity": "strengths n",  # to the unedited image by the fast measure
        "identity_photo": "photographed n",  # to the photo; empty where codes have none
        "nearest": "strengths n",  # `nearest_ratio` of the edited codes
        "knn": "strengths n",  # the same for the fifth neighbour
        "norm": "strengths n",
        "gaussian": "strengths",
        "round_trip": "n",  # at the last strength in range
        "commutator": "paired",  # with another edit there; empty where there is no other
        "level_alpha": "levels",  # where the agreed target changes are reached, as many as are
        "ssim": "compared n",  # at those strengths; empty where no network compares images
        "perceptual": "compared n",
        "fid": "compared networks",  # to real target images
        "kid": "compared networks",
        "fid_real": "networks",  # between two halves of the real images
        "kid_real": "networks",
        "slow_identity": "slow measures few",  # at the highest level, empty below it
        "pictures": "frames pictured channels h w",  # before the edit and at each strength
        "far_pictures": "far pictured channels h w",  # at `FAR` times d
        "far_norm": "far n",
    },
}


class Cell(Mapping[str, np.ndarray]):
    """Arrays by name, as items and as attributes.

    Args:
        arrays: What was measured.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name not in self._arrays:
            raise AttributeError(name)
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def save_cell(path: Path, cell: Mapping[str, np.ndarray]) -> None:
    """Write a cell (aside, then renamed)."""
    arrays = dict(cell)
    for name in {"scores", "scores_before"} & set(arrays):  # verdicts are kept apart
        arrays[name] = arrays[name].astype(np.float16)
    write_npz(path, arrays)


def load_cell(path: Path, kind: str) -> Cell:
    """Read a measured cell.

    Args:
        path: Its file.
        kind: Kind of run, one of `SHAPES`.

    Raises:
        FileNotFoundError: If it was never measured.
        ValueError: If it is damaged, lacks an array, or holds numbers that are not finite or do not
            fit together.
    """
    if not path.exists():
        raise FileNotFoundError(f"cell must be measured before the report, missing: {path}.")
    arrays = read_arrays(path, "cell")
    sizes: dict[str, int] = {}
    for name, dimensions in SHAPES[kind].items():
        if name not in arrays:
            raise ValueError(f"cell must be a file of this benchmark, remove {path} and run again: "
                             f"it lacks {name}.")
        named = dimensions.split()
        shape = arrays[name].shape
        if len(shape) != len(named) or any(
            sizes.setdefault(dimension, size) != size
            for dimension, size in zip(named, shape, strict=True)
        ):
            raise ValueError(f"cell must hold every strength and image, {name} of {path} does not.")
    if 0 in (sizes["n"], sizes.get("strengths", 1)):
        raise ValueError(f"cell must hold every strength and image, {path} does not.")
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"cell must be finite, {name} is not in {path}.")
    return Cell(arrays)


def read_arrays(path: Path, what: str) -> dict[str, np.ndarray]:
    """Every array of a file.

    Args:
        path: The file.
        what: What the file is, for the message.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, TypeError, KeyError, OSError, EOFError, AttributeError,
            zipfile.BadZipFile) as error:
        raise ValueError(
            f"{what} must be a file of this benchmark, remove {path} and run again: {error}"
        ) from error
