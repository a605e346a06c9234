"""Results that stand in the repository: copies of a run's tables and figures, and README's table.

Nothing is retyped: between the two markers in README.md stand two tables of table2.md, that for the
paper's strength and that for the least one at which the judge sees a digit more, and their figures.
"""

import shutil
from pathlib import Path

__all__ = ["publish", "replace_between"]

_FILES = ("config.json", "facts.json", "results.csv", "table2.md", "table2.csv", "table2.json",
          "fig6.png", "fig6.pdf", "fig6_judge.png", "fig6_judge.pdf", "table2.tex", "times.json")
_SHOWN = {"alpha: one for all": "fig6.png", "alpha: by the judge": "fig6_judge.png"}


def publish(out: Path, root: Path, name: str = "digits") -> None:
    """Copy a finished run to `results/NAME`, and of "digits" the main table into README.md.

    Args:
        out: Run folder.
        root: Root of the repository.
        name: Folder below `results`.

    Raises:
        ValueError: If README.md has lost its markers.
        FileNotFoundError: If the run is not finished.
    """
    shown = name == "digits"
    if shown:  # whatever may be wrong, before anything is written
        text = _main_table(out)
        _split(root / "README.md", "results")
    folder = root / "results" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in _FILES:
        shutil.copyfile(out / file, folder / file)
    for path in out.glob("classifier_*.json"):
        shutil.copyfile(path, folder / path.name)
    if shown:
        replace_between(root / "README.md", "results", text)


def _main_table(out: Path) -> str:
    """Two tables, how to read them, and two figures, in Markdown."""
    sections = dict(
        part.split("\n", 1) for part in (out / "table2.md").read_text().split("\n## ")[1:]
    )
    return "\n\n".join([
        *(f"### {name}\n\n{sections[name].strip()}" for name in _SHOWN),
        sections["How to read it"].strip(),
        *(f"![Fig. 6, {name}](results/digits/{file})" for name, file in _SHOWN.items()),
    ])


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
            f"{path.name} must hold the markers <!-- {name} --> and <!-- /{name} -->, "
            "found one at most."
        )
    return head, tail
