"""Contact sheets: the first held-out images of every task, not picked, and what each method makes.

    sheets/METHOD.png   24 images a task, above each edited one the reconstruction it came from;
                        accepted edits have a green frame
    examples.png        six images a task, one row a method, for the first page

Everything is drawn from the codes and strengths of the run folder at one strength for all images.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from benchmark.digits import DigitsRun
from benchmark.methods import label_of, methods_of
from benchmark.strengths import CHOSEN
from lwedit.domains import EditTask
from lwedit.vocabulary import from_unit_range

__all__ = ["SHOWN", "draw_first_page", "draw_sheets"]

SHOWN = ("lt", "lw", "lw_neural")  # methods of the first page
_UNSEEN = ("none", "random")
_IMAGES, _ACROSS, _FEW = 24, 12, 6
_GAP, _FRAME, _LINE = 2, 3, 18
_GREEN, _GREY, _WHITE, _BLACK = (0, 150, 80), (214, 214, 214), (255, 255, 255), (20, 20, 20)


def draw_sheets(run: DigitsRun) -> list[Path]:
    """A PNG a method.

    Args:
        run: A measured run.
    """
    config, paths = run.config, []
    for method in methods_of(config):
        if method in _UNSEEN:
            continue
        blocks = [_block(run, method, task) for task in run.tasks.values()
                  if method in methods_of(config, adds=task.adds)]
        path = run.out / "sheets" / f"{method}.png"
        _save(_stack(blocks), path)
        paths.append(path)
    return paths


def draw_first_page(run: DigitsRun) -> Path | None:
    """The first six images of each task that adds: input, then a row for each method.

    Args:
        run: A measured run.

    Returns:
        Path of the PNG, or None where the run has no task that adds.
    """
    methods = [name for name in SHOWN if name in run.config.methods]
    tasks = [task for task in run.tasks.values() if task.adds]
    if not tasks:
        return None
    blocks = []
    for task in tasks:
        rows: list[tuple[str, np.ndarray, np.ndarray | None]] = [
            (f"{_spelt(task)}   input", _input(run, task)[:_FEW], None)]
        for method in methods:
            tiles, accepted = _edited(run, method, task, _FEW)
            rows.append((label_of(method), tiles, accepted))
        blocks.append(_stack([_labelled(*row, across=_FEW) for row in rows]))
    path = run.out / "examples.png"
    _save(_beside(blocks), path)
    return path


def _block(run: DigitsRun, method: str, task: EditTask) -> np.ndarray:
    """One task on the sheet of a method."""
    before = from_unit_range(run.domain.generate(run.tests(task.name).w[:_IMAGES]))[:, 0]
    after, accepted = _edited(run, method, task, _IMAGES)
    label, alpha = label_of(method), _strength(run, method, task)
    title = (f"{label}   {_spelt(task)}   alpha {alpha:g}   "
             f"accepted {int(accepted.sum())} of {len(accepted)}")
    parts = [_text(title, _ACROSS * _width(before))]
    for start in range(0, len(before), _ACROSS):
        part = slice(start, start + _ACROSS)
        parts += [_row(before[part], None, _ACROSS), _row(after[part], accepted[part], _ACROSS)]
    return _stack(parts)


def _edited(
    run: DigitsRun, method: str, task: EditTask, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first edited images, in grey values, and whether each is accepted."""
    key = run.key(method, task.name)
    cell = run.cell(key, CHOSEN)
    w = run.editor(key).edit(run.tests(task.name).w[:n], torch.from_numpy(cell.alpha[:n]))
    return from_unit_range(run.domain.generate(w))[:, 0], cell.accepted[:n]


def _strength(run: DigitsRun, method: str, task: EditTask) -> float:
    return float(run.cell(run.key(method, task.name), CHOSEN).alpha[0])


def _spelt(task: EditTask) -> str:
    """The name of a task without the arrow, which the font lacks."""
    return task.name.replace("→", " to ")


def _input(run: DigitsRun, task: EditTask) -> np.ndarray:
    """The images that were encoded, in grey values."""
    return run.opened.images("heldout").images[run.tests(task.name).index][:, 0]


def _labelled(
    title: str, tiles: np.ndarray, accepted: np.ndarray | None, across: int
) -> np.ndarray:
    return _stack([_text(title, across * _width(tiles)), _row(tiles, accepted, across)])


def _width(tiles: np.ndarray) -> int:
    return tiles.shape[2] + 2 * (_FRAME + _GAP)


def _row(tiles: np.ndarray, accepted: np.ndarray | None, across: int) -> np.ndarray:
    """Tiles side by side, dark on white, framed in green where accepted."""
    row = np.full((tiles.shape[1] + 2 * (_FRAME + _GAP), across * _width(tiles), 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        left = i * _width(tiles) + _GAP
        frame = _GREEN if accepted is not None and accepted[i] else _GREY
        framed = row[_GAP : row.shape[0] - _GAP, left : left + _width(tiles) - 2 * _GAP]
        framed[:] = frame
        framed[_FRAME:-_FRAME, _FRAME:-_FRAME] = 255 - tile[..., None]
    return row


def _text(words: str, width: int) -> np.ndarray:
    line = Image.new("RGB", (width, _LINE), _WHITE)
    font = ImageFont.load_default(size=12)
    ImageDraw.Draw(line).text((_GAP, 2), words, fill=_BLACK, font=font)
    return np.asarray(line)


def _stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    width = max(part.shape[1] for part in parts)
    return np.concatenate([_padded(part, part.shape[0], width) for part in parts])


def _beside(parts: Sequence[np.ndarray]) -> np.ndarray:
    height = max(part.shape[0] for part in parts)
    spaced = [_padded(part, height, part.shape[1] + 6 * _GAP) for part in parts]
    return np.concatenate(spaced, axis=1)


def _padded(part: np.ndarray, height: int, width: int) -> np.ndarray:
    whole = np.full((height, width, 3), 255, np.uint8)
    whole[: part.shape[0], : part.shape[1]] = part
    return whole


def _save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    Image.fromarray(pixels).save(temporary, "PNG", optimize=True)
    temporary.replace(path)
