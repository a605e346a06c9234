"""Results that stand in the repository: copies of a run's tables and pictures, and README's blocks.

Nothing is retyped: what stands between two markers in results/README.md is the readme.md that the
report made from the run's data, and the three rows of README.md are of the same data.
"""

import shutil
from fnmatch import fnmatch
from pathlib import Path

from benchmark.files import read_list
from benchmark.front import front_table

__all__ = ["publish", "replace_between"]

_FILES = {
    "digits": ("config.json", "facts.json", "results.csv", "table2.md", "table2.csv", "table2.json",
               "table2.tex", "gains.json", "fig6.png", "fig6.pdf", "examples.png", "shipped.json",
               "times.json", "readme.md", "tables/tables.json"),
    "attributes": ("config.json", "facts.json", "results.csv", "summary.csv", "costs.csv",
                   "report.md", "times.json", "readme.md", "tables/tables.json"),
}
# More of a run, as far as it is there; picture grids as PNG alone, they are large.
_ALSO = {
    "digits": ("classifier_*.json", "sheets/*"),
    "attributes": ("tables/*", "figures/fig4.*", "figures/rescoring.*", "figures/fig2.png",
                   "figures/fig5.png", "figures/fig3_eyeglasses_add.png",
                   "figures/fig3_smiling_add.png", "figures/fig3_masculine_add.png"),
}
_MARKERS = {"digits": "results", "faces": "faces"}  # by folder below results/, of its README.md
_FRONT = "digits"  # what README.md shows


def publish(out: Path, root: Path, kind: str, name: str) -> None:
    """Copy a finished run to `results/NAME`, and its main table to where it has a place.

    Args:
        out: Run folder.
        root: Root of the repository.
        kind: Kind of run, "digits" or "attributes".
        name: Folder below `results`.

    Raises:
        ValueError: If README.md or results/README.md has lost its markers.
        FileNotFoundError: If the run is not finished.
    """
    missing = [file for file in _FILES[kind] if not (out / file).exists()]
    if missing:  # whatever may be wrong, before anything is written
        raise FileNotFoundError(f"a run must be finished before it is published, {out} lacks "
                                f"{', '.join(missing)}.")
    marker = _MARKERS.get(name)
    folder, page = root / "results" / name, root / "results" / "README.md"
    if marker:
        _split(page, marker)
    if name == _FRONT:
        _split(root / "README.md", _MARKERS[name])
        front = front_table(read_list(out / "table2.json", "table2.json"))
    for pattern in _ALSO[kind]:
        for old in folder.glob(pattern):
            old.unlink()
    files = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
    for file in files:
        if str(file) in _FILES[kind] or any(fnmatch(str(file), also) for also in _ALSO[kind]):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(out / file, folder / file)
    if marker:
        replace_between(page, marker, (folder / "readme.md").read_text())
    if name == _FRONT:
        replace_between(root / "README.md", _MARKERS[name], front)


def replace_between(path: Path, name: str, text: str) -> None:
    """Put text between the markers <!-- name --> and <!-- /name --> of a file.

    Args:
        path: The file.
        name: Name of the markers.
        text: What stands between them afterwards.

    Raises:
        ValueError: If a marker is missing.
    """
    head, tail = _split(path, name)
    whole = f"{head}<!-- {name} -->\n{text}\n<!-- /{name} -->{tail}"
    path.with_suffix(".tmp").write_text(whole)
    path.with_suffix(".tmp").replace(path)


def _split(path: Path, name: str) -> tuple[str, str]:
    """What stands before and after a pair of markers."""
    head, start, rest = path.read_text().partition(f"<!-- {name} -->")
    _, end, tail = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise ValueError(
            f"{path.parent.name}/{path.name} must hold the markers <!-- {name} --> and "
            f"<!-- /{name} -->, found one at most."
        )
    return head, tail
