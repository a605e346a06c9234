"""Where the shipped weights and data lie, and where computed codes are kept.

In a clone `assets/` lies beside the packages. A wheel carries the same folders inside the package,
as `lwedit/assets` (`setup.py` says which). Paths are not checked here: what reads a file says which
one is missing.
"""

import os
from pathlib import Path

__all__ = ["assets", "default_cache", "in_clone"]

_PACKAGE = Path(__file__).resolve().parent


def assets(name: str, package: Path = _PACKAGE) -> Path:
    """Folder of shipped files.

    Args:
        name: "digits", "faces", "avatars", "mnist" or "app".
        package: Folder of this package.
    """
    carried = package / "assets" / name
    return carried if carried.is_dir() else package.parent / "assets" / name


def in_clone(package: Path = _PACKAGE) -> bool:
    """Whether the package is run from a clone of the repository rather than installed.

    Args:
        package: Folder of this package.
    """
    return (package.parent / "pyproject.toml").is_file()


def default_cache(package: Path = _PACKAGE) -> Path:
    """$LWEDIT_CACHE, else .cache/lwedit of the clone, or of the user where there is no clone.

    Args:
        package: Folder of this package.
    """
    home = package.parent if in_clone(package) else Path.home()
    return Path(os.environ.get("LWEDIT_CACHE", home / ".cache" / "lwedit"))
