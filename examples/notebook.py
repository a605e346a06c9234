"""quickstart.ipynb from quickstart.py, whose cells begin with `# %%`: run this file."""

import json
from pathlib import Path

__all__ = ["notebook"]

_HERE = Path(__file__).parent


def notebook(script: str) -> str:
    """The notebook of a script, as JSON.

    Args:
        script: Cells that begin with `# %%`, or with `# %% [markdown]` and are comments.
    """
    cells = []
    for number, part in enumerate(script.split("# %%")[1:]):
        title, _, body = part.rstrip().partition("\n")
        text = "markdown" in title
        lines = body.splitlines(keepends=True)
        lines = [line.removeprefix("# ") for line in lines] if text else lines
        cell = {"cell_type": "markdown" if text else "code", "id": f"cell-{number}",
                "metadata": {}, "source": lines}
        cells.append(cell if text else cell | {"execution_count": None, "outputs": []})
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
             "language_info": {"name": "python"}}
    whole = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    made = notebook((_HERE / "quickstart.py").read_text())
    (_HERE / "quickstart.ipynb").write_text(made)
