"""Run folders: config.json says whose they are, and no run is mixed with another."""

import json
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lwedit import __version__

__all__ = ["open_run"]

_ROOT = Path(__file__).resolve().parents[1]


def open_run(config: Any, weights: dict[str, str], out: Path, *, create: bool) -> None:
    """Write config.json, or check that the folder holds a run of this configuration and weights.

    Args:
        config: A dataclass.
        weights: Hash of everything that was trained, by name.
        out: Run folder.
        create: Whether a new run may begin.

    Raises:
        ValueError: If it holds another run, or none and none is to be created.
    """
    about = {"config": asdict(config), "weights": weights, "lwedit": __version__,
             "torch": torch.__version__, "python": platform.python_version(),
             "commit": _commit(), "threads": torch.get_num_threads()}
    path = out / "config.json"
    if path.exists():
        held, asked = _held(path), json.loads(json.dumps(about))
        differing = [key for key in ("config", "weights") if held.get(key) != asked[key]]
        if differing:
            raise ValueError(
                f"out must be a new folder or hold a run of the same {' and '.join(differing)}, "
                f"got {out}; name another folder with --out or remove it."
            )
        return
    if not create:
        raise ValueError(f"out must hold a finished run, got {out} without config.json.")
    out.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".tmp").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    path.with_suffix(".tmp").replace(path)


def _held(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"config.json must be a run's, {path} is damaged: {error}") from error


def _commit() -> str:
    try:
        run = subprocess.run(["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True,
                             text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return run.stdout.strip()
