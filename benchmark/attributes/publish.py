"""Results that stand in the repository: tables, figures and README's table of a finished run.

Nothing is retyped: the text between <!-- faces --> and <!-- /faces --> in README.md is the main
table that the report wrote, and results/DOMAIN holds copies of the run's files.
"""

import shutil
from pathlib import Path

from benchmark.attributes.runs import Run
from benchmark.publish import replace_between

__all__ = ["publish_attributes", "readme_text"]

_FILES = ("config.json", "facts.json", "results.csv", "summary.csv", "costs.csv", "report.md",
          "times.json")
_BOTH_KINDS = ("fig4", "rescoring")  # PNG and PDF; picture grids as PNG alone, they are large
_GRIDS = ("fig2", "fig5", "fig3_eyeglasses_add", "fig3_smiling_add", "fig3_masculine_add")
_IN_README = "faces"


def publish_attributes(run: Run, root: Path) -> None:
    """Copy a finished run to `results/DOMAIN`, and for faces its main table into README.md.

    Args:
        run: Finished, report included.
        root: Root of the repository.

    Raises:
        FileNotFoundError: If the run is not finished.
        ValueError: If README.md has lost its markers.
    """
    folder = root / "results" / run.domain.name
    for name in _FILES:
        _copy(run.out / name, folder / name)
    for path in sorted((run.out / "tables").iterdir()):
        _copy(path, folder / "tables" / path.name)
    for path in sorted((run.out / "figures").iterdir()):
        if path.stem in _BOTH_KINDS or (path.suffix == ".png" and path.stem in _GRIDS):
            _copy(path, folder / "figures" / path.name)
    if run.domain.name == _IN_README:
        replace_between(root / "README.md", _IN_README, readme_text(folder))


def readme_text(folder: Path) -> str:
    """What stands in README.md: the main table and Fig. 4 of a published run."""
    table = (folder / "tables" / "equal_change.md").read_text()
    body = table.partition("\n")[2].strip()
    about = (folder / "report.md").read_text().split("\n\n")[1].strip()  # codes, seeds, resamples
    place = f"results/{folder.name}/figures"
    return (
        f"{body} {about}\n\n"
        f"![Preservation and identity against target change]({place}/fig4.png)\n\n"
        f"![LT(*), LW(*) and LW at twice d]({place}/fig5.png)"
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
