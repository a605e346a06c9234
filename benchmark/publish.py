"""Results that stand in the repository: copies of a run's tables and figures, and README's table.

Nothing is retyped: the text between the two markers in README.md is table2.md without its
title, and fig6.png is the run's.
"""

import shutil
from pathlib import Path

__all__ = ["publish"]

_FILES = ("config.json", "facts.json", "results.csv", "table2.md", "table2.csv", "table2.json",
          "fig6.png")
_START, _END = "<!-- results -->", "<!-- /results -->"


def publish(out: Path, root: Path) -> None:
    """Copy a finished run to `results/digits` and its main table into README.md.

    Args:
        out: Run folder.
        root: Root of the repository.

    Raises:
        ValueError: If README.md has lost its markers.
    """
    readme = root / "README.md"
    head, start, rest = readme.read_text().partition(_START)
    _, end, tail = rest.partition(_END)
    if not (start and end):
        raise ValueError(f"README.md must hold the markers {_START} and {_END}, found one at most.")
    folder = root / "results" / "digits"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(out / name, folder / name)
    for path in out.glob("classifier_*.json"):
        shutil.copyfile(path, folder / path.name)
    table = (out / "table2.md").read_text().partition("\n")[2].replace("\n## ", "\n### ").strip()
    text = f"{head}{_START}\n{table}\n\n![Fig. 6](results/digits/fig6.png)\n{_END}{tail}"
    readme.with_suffix(".tmp").write_text(text)
    readme.with_suffix(".tmp").replace(readme)
