"""The stages of a run: codes, classifiers, editors, cells. Each leaves its files in the run folder.

A cell that is already there is read, not computed again, so an interrupted run goes on where
it stopped.
"""

import json
import time
import zipfile
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator
from tqdm import tqdm

from baselines import METHODS
from benchmark.measure import READINGS, Cell, TestCodes, measure_cell
from benchmark.presets import RunConfig
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.domains import DigitsDomain, EditTask
from lwedit.editors import (
    Editor,
    FitData,
    LatentWasserstein,
    LatentWassersteinConfig,
)
from lwedit.judges.train import truth
from lwedit.latents import LatentSet
from lwedit.metrics import ssim
from lwedit.vocabulary import flatten_codes, to_unit_range

__all__ = [
    "FLOORS",
    "CellKey",
    "editor_folder",
    "load_cell",
    "measure_all",
    "methods_of",
    "seeds_of",
]

_EVERY_LAYER = ("lt", "lt_star", "nearest")  # see RunConfig.layers
FLOORS = ("none", "random", "centroids", "gaussian_ot", "nearest")


class CellKey(NamedTuple):
    """Which editor on which task."""

    method: str
    task: str
    seed: int

    def path(self, out: Path, reading: str) -> Path:
        """File of the cell in the run folder."""
        task = self.task.replace("→", "to")
        return out / "cells" / f"{self.method}_{task}_{self.seed}_{reading.replace(' ', '-')}.npz"


def methods_of(config: RunConfig) -> tuple[str, ...]:
    """Methods in the order of the tables: floors, what was asked for, the ceiling."""
    if not config.floors:
        return config.methods
    *floors, ceiling = FLOORS
    return (*floors, *(name for name in config.methods if name not in FLOORS), ceiling)


def seeds_of(method: str, config: RunConfig) -> tuple[int, ...]:
    """Seeds of a method: floors that nobody asked for are measured with the first seed only."""
    return config.seeds if method in config.methods else config.seeds[:1]


def measure_all(domain: DigitsDomain, config: RunConfig, out: Path) -> None:
    """Fit and measure everything that the run folder lacks."""
    (out / "cells").mkdir(parents=True, exist_ok=True)
    train = domain.latents("train", progress=True)
    heldout = domain.latents("heldout", progress=True)
    train = train.subset(torch.arange(min(config.train_codes, len(train))))
    tasks = [task for task in domain.tasks if task.name in config.tasks]
    tests = {task.name: _test_codes(domain, task, heldout, config) for task in tasks}
    _write_npz(out / "tested.npz", {task.attribute: tests[task.name].index for task in tasks})
    _write_facts(domain, out, heldout, tests)
    todo = [
        CellKey(method, task.name, seed)
        for seed in config.seeds
        for task in tasks
        for method in methods_of(config)
        if seed in seeds_of(method, config)
    ]
    bar = tqdm(todo, "cells", unit="cell")
    order = torch.arange(len(train))
    cut = int(0.9 * len(train))  # as LT: the first 90 % train, the last 10 % validate
    parts = train.subset(order[:cut]), train.subset(order[cut:])
    fitted_on = parts[0].subset(order[: min(config.editor_codes, cut)]), parts[1]
    for seed, part in groupby(bar, key=lambda key: key.seed):
        classifier: LatentClassifier | None = None
        for key in part:
            if all(key.path(out, reading).exists() for reading in READINGS):
                continue
            if classifier is None:
                settings = ClassifierConfig(hidden=config.classifier_hidden)
                rng = Generator().manual_seed(seed)
                classifier = LatentClassifier.fit(parts[0], settings, rng, progress=True)
                _write_classifier_facts(classifier, heldout, domain, tasks, seed, out)
            bar.set_postfix_str(f"{key.method} {key.task} seed {key.seed}")
            task = next(task for task in tasks if task.name == key.task)
            _measure_key(key, task, classifier, fitted_on, domain, tests[task.name], config, out)


def load_cell(key: CellKey, reading: str, out: Path) -> Cell:
    """Read a measured cell.

    Raises:
        FileNotFoundError: If it was never measured.
        ValueError: If it is damaged or holds a number that is not finite.
    """
    path = key.path(out, reading)
    if not path.exists():
        raise FileNotFoundError(f"cell must be measured before the report, missing: {path}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            cell = Cell(**{name: file[name] for name in Cell.__dataclass_fields__})
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"cell must be a file of this benchmark, remove {path} and run again: {error}"
        ) from error
    for name, values in asdict(cell).items():
        if not np.isfinite(values).all():
            raise ValueError(f"cell must be finite, {name} is not in {path}.")
    return cell


def _of_count(latents: LatentSet, count: int) -> torch.Tensor:
    """Mask of the codes whose image really has `count` digits."""
    columns = [latents.labels(f"at_least_{n}") for n in (2, 3, 4)]
    return 1 + sum(columns) == count


def _test_codes(
    domain: DigitsDomain, task: EditTask, heldout: LatentSet, config: RunConfig
) -> TestCodes:
    index = _of_count(heldout, task.count).nonzero()[:, 0][: config.test_images]
    w = heldout.w[index]
    scores = domain.score(domain.generate(w))
    good = scores.count == task.count
    targets = flatten_codes(heldout.w[_of_count(heldout, task.count + 1)])
    spread = torch.cdist(targets, targets).fill_diagonal_(torch.inf).min(dim=1).values.mean()
    return TestCodes(
        w=w[good],
        index=index[good].numpy(),
        before=type(scores)(*(field[good] for field in scores)),
        left_out=int((~good).sum()),
        targets=heldout.w[_of_count(heldout, task.count + 1)],
        target_spread=spread.item(),
    )


def _measure_key(
    key: CellKey,
    task: EditTask,
    classifier: LatentClassifier,
    parts: tuple[LatentSet, LatentSet],
    domain: DigitsDomain,
    codes: TestCodes,
    config: RunConfig,
    out: Path,
) -> None:
    start = time.perf_counter()
    editor = _fit_or_load(key, task, classifier, parts, config, out)
    seconds = time.perf_counter() - start
    alphas = torch.arange(1, round(config.alpha_max / config.alpha_step) + 1) * config.alpha_step
    for reading, cell in measure_cell(editor, classifier, domain, task, codes, alphas).items():
        _write_npz(key.path(out, reading), {"seconds": np.array(seconds), **asdict(cell)})


def _fit_or_load(
    key: CellKey,
    task: EditTask,
    classifier: LatentClassifier,
    parts: tuple[LatentSet, LatentSet],
    config: RunConfig,
    out: Path,
) -> Editor:
    """A fitted editor, also saved; what no seed can change is fitted once for all seeds."""
    method = METHODS[key.method]
    folder = editor_folder(key.method, task.attribute, key.seed, out)
    if not method.uses_seed and (folder / "editor.json").exists():
        return method.load(folder, parts[0].space)
    near = [
        part.subset(_of_count(part, task.count) | _of_count(part, task.count + 1))
        for part in parts
    ]
    data = FitData(near[0], near[1], classifier, task.attribute, key.seed)
    if issubclass(method, LatentWasserstein):
        settings = LatentWassersteinConfig(
            solver=config.lw_solver, blur=config.lw_blur, rounds=config.lw_rounds,
            lam=config.lw_lam, layers=config.layers or None,
        )
        editor: Editor = method.fit(data, settings)
    else:
        editor = method.fit(data)
    if config.layers and key.method not in _EVERY_LAYER:
        editor.restrict(config.layers)
    editor.save(folder)
    return editor


def editor_folder(method: str, attribute: str, seed: int, out: Path) -> Path:
    """Where a run keeps an editor."""
    name = seed if METHODS[method].uses_seed else "any"
    return out / "editors" / f"{method}_{attribute}_{name}"


def _write_facts(
    domain: DigitsDomain, out: Path, heldout: LatentSet, tests: dict[str, TestCodes]
) -> None:
    """What the networks can do before any edit, on the held-out images."""
    path = out / "facts.json"
    if path.exists():
        return
    images = domain.images("heldout")
    x = to_unit_range(images.images)
    y = domain.generate(heldout.w)
    real, again = domain.score(x), domain.score(y)
    counts, classes = truth(images, "count")[:, 0], truth(images, "classes")
    pairs = zip(x.split(500), y.split(500), strict=True)
    facts = {
        "heldout_images": len(x),
        "count_judge_real": _rate(real.count == counts),
        "classes_judge_real": _rate((real.classes == classes).all(dim=1)),
        "reconstruction_count_kept": _rate(again.count == counts),
        "reconstruction_classes_kept": _rate((again.classes == classes).all(dim=1)),
        "reconstruction_ssim": torch.cat([ssim(a, b) for a, b in pairs]).mean().item(),
        "left_out": {name: codes.left_out for name, codes in tests.items()},
        "measured": {name: len(codes.w) for name, codes in tests.items()},
    }
    _write_json(path, facts)


def _rate(hit: torch.Tensor) -> float:
    return hit.float().mean().item()


def _write_classifier_facts(
    classifier: LatentClassifier,
    heldout: LatentSet,
    domain: DigitsDomain,
    tasks: list[EditTask],
    seed: int,
    out: Path,
) -> None:
    accuracy = {}
    for task in tasks:
        near = _of_count(heldout, task.count) | _of_count(heldout, task.count + 1)
        both = heldout.subset(near)
        accuracy[task.name] = classifier.accuracy(both)[both.column(task.attribute)].item()
    _write_json(out / f"classifier_{seed}.json", accuracy)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.with_suffix(".tmp").write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    path.with_suffix(".tmp").replace(path)


def _write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.with_suffix(".tmp").open("wb") as file:
        np.savez(file, **arrays)
    path.with_suffix(".tmp").replace(path)
