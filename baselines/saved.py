"""A saved editor of any method, found by the name that it was saved with."""

import json
from pathlib import Path

from baselines import METHODS
from lwedit.editors import Editor
from lwedit.latents import Space

__all__ = ["load_editor"]


def load_editor(folder: Path, space: Space | None = None) -> Editor:
    """What `Editor.save` wrote.

    Args:
        folder: With editor.json and weights.safetensors.
        space: Space of the codes to be edited. None takes the editor's word for it: then nothing
            says that the codes are of the generator that it was fitted for.

    Raises:
        ValueError: If there is no editor, it is of no method here, damaged, or of another space.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "editor.json").read_text())
        method, fitted_in = about["method"], Space(**about["space"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"folder must hold a saved editor, got {folder}: {error}") from error
    if method not in METHODS:
        raise ValueError(f"folder must hold an editor of {', '.join(METHODS)}, got {method!r}.")
    return METHODS[method].load(folder, fitted_in if space is None else space)
