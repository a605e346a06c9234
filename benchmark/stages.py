"""The stages of a digits run, as tasks that need nothing but the run folder.

    encode     codes, test codes, what the networks can do       tested.npz, facts.json
    classify   a latent classifier a seed                        classifiers/, classifier_SEED.json
    fit        an editor a method, task and seed                 editors/
    edit       the strengths under every reading                 strengths/
    score      edited images judged                              cells/
    report     results.csv, Table 2, Fig. 6                      (`benchmark.report`)

A task whose file is there is done, so an interrupted run goes on where it stopped; tasks of one
stage need nothing of each other.
"""

import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from baselines import METHODS
from benchmark.files import write_json, write_npz
from benchmark.measure import READINGS, Cell, JudgeSearch, choose_alphas, measure_at
from benchmark.presets import RunConfig
from benchmark.runs import (
    FLOORS,
    CellKey,
    DigitsRun,
    editor_folder,
    methods_of,
    of_count,
    seeds_of,
)
from lwedit.classifier import LatentClassifier
from lwedit.domains import DigitsDomain
from lwedit.editors import Editor, FitData, LatentWasserstein, LatentWassersteinConfig
from lwedit.judges.train import truth
from lwedit.metrics import ssim
from lwedit.vocabulary import to_unit_range

__all__ = [
    "FLOORS",
    "CellKey",
    "DigitsTask",
    "editor_folder",
    "load_cell",
    "measure_all",
    "methods_of",
    "perform",
    "seeds_of",
    "tasks_of",
]

_EVERY_LAYER = ("lt", "lt_star", "nearest")  # see RunConfig.layers
_WORKING = ("encode", "classify", "fit", "edit", "score")


class DigitsTask(NamedTuple):
    """A piece of work: a stage, and for which cell."""

    stage: str
    key: CellKey


def tasks_of(stage: str, run: DigitsRun) -> list[DigitsTask]:
    """The tasks of a stage that are not done."""
    files = {
        "encode": lambda key: [run.out / "facts.json", run.out / "tested.npz"],
        "classify": lambda key: [run.classifier_path(key.seed)],
        "fit": lambda key: [run.editor_folder(key) / "editor.json"],
        "edit": lambda key: [run.alphas_path(key)],
        "score": lambda key: [key.path(run.out, reading) for reading in READINGS],
    }[stage]
    first: dict[tuple[Path, ...], CellKey] = {}
    for key in run.keys:
        first.setdefault(tuple(files(key)), key)
    return [DigitsTask(stage, key) for paths, key in first.items()
            if not all(path.exists() for path in paths)]


def perform(task: DigitsTask, run: DigitsRun) -> None:
    """Do one task and leave its file."""
    start = time.perf_counter()
    _WORK[task.stage](task.key, run)
    seconds = time.perf_counter() - start
    write_json(run.out / "costs" / f"{task.stage}_{task.key.stem}.json", {"seconds": seconds})


def measure_all(domain: DigitsDomain, config: RunConfig, out: Path) -> None:
    """Do everything that the run folder lacks, one task after the other."""
    run = DigitsRun(config, out, domain)
    for stage in _WORKING:
        for task in tasks_of(stage, run):
            perform(task, run)


def load_cell(key: CellKey, reading: str, out: Path) -> Cell:
    """Read a measured cell.

    Raises:
        FileNotFoundError: If it was never measured.
        ValueError: If it is damaged or holds a number that is not finite.
    """
    path = key.path(out, reading)
    if not path.exists():
        raise FileNotFoundError(f"cell must be measured before the report, missing: {path}.")
    cell = Cell(**_arrays(path, tuple(Cell.__dataclass_fields__), "cell"))
    for name, values in asdict(cell).items():
        if not np.isfinite(values).all():
            raise ValueError(f"cell must be finite, {name} is not in {path}.")
    return cell


def _arrays(path: Path, names: tuple[str, ...], what: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{what} must be a file of this benchmark, remove {path} and run again: {error}"
        ) from error


def _encode(key: CellKey, run: DigitsRun) -> None:
    """What the networks can do before any edit, on the held-out images."""
    run.latents("train", progress=True)  # into the cache, once for all processes
    heldout, domain = run.latents("heldout", progress=True), run.domain
    images = domain.images("heldout")
    x = to_unit_range(images.images).to(run.device)
    y = domain.generate(heldout.w, run.config.batch)
    real, again = domain.score(x), domain.score(y)
    counts, classes = (truth(images, name).to(run.device) for name in ("count", "classes"))
    counts = counts[:, 0]
    pairs = zip(x.split(500), y.split(500), strict=True)
    tests = {name: run.tests(name) for name in run.tasks}
    write_npz(run.out / "tested.npz",
              {task.attribute: tests[name].index for name, task in run.tasks.items()})
    write_json(run.out / "facts.json", {
        "heldout_images": len(x),
        "count_judge_real": _rate(real.count == counts),
        "classes_judge_real": _rate((real.classes == classes).all(dim=1)),
        "reconstruction_count_kept": _rate(again.count == counts),
        "reconstruction_classes_kept": _rate((again.classes == classes).all(dim=1)),
        "reconstruction_ssim": torch.cat([ssim(a, b) for a, b in pairs]).mean().item(),
        "left_out": {name: codes.left_out for name, codes in tests.items()},
        "measured": {name: len(codes.w) for name, codes in tests.items()},
    })


def _rate(hit: torch.Tensor) -> float:
    return hit.float().mean().item()


def _classify(key: CellKey, run: DigitsRun) -> None:
    config = run.config
    rng = torch.Generator().manual_seed(key.seed)
    model = LatentClassifier.fit(run.parts[0], config.learning, rng)
    accuracy = {}
    for name, task in run.tasks.items():
        near = of_count(run.heldout, task.count) | of_count(run.heldout, task.count + 1)
        both = run.heldout.subset(near)
        accuracy[name] = model.accuracy(both)[both.column(task.attribute)].item()
    write_json(run.out / f"classifier_{key.seed}.json", accuracy)
    path = run.classifier_path(key.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    save_file(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def _fit(key: CellKey, run: DigitsRun) -> None:
    method, task, config = METHODS[key.method], run.tasks[key.task], run.config
    train, validation = run.parts
    few = train.subset(torch.arange(min(config.editor_codes, len(train))))
    near = [
        part.subset(of_count(part, task.count) | of_count(part, task.count + 1))
        for part in (few, validation)
    ]
    data = FitData(near[0], near[1], run.classifier(key.seed), task.attribute, key.seed)
    if issubclass(method, LatentWasserstein):
        settings = LatentWassersteinConfig(
            solver=config.lw_solver, blur=config.lw_blur, rounds=config.lw_rounds,
            lam=config.lw_lam, layers=config.layers or None, ridge=config.lw_ridge,
            grid=config.lw_grid or None, most_codes=config.lw_codes,
        )
        editor: Editor = method.fit(data, settings)
    else:
        editor = method.fit(data)
    if config.layers and key.method not in _EVERY_LAYER:
        editor.restrict(config.layers)
    editor.save(run.editor_folder(key))


def _edit(key: CellKey, run: DigitsRun) -> None:
    config, codes = run.config, run.tests(key.task)
    alphas = torch.arange(1, round(config.alpha_max / config.alpha_step) + 1) * config.alpha_step
    chosen = choose_alphas(run.editor(key), run.classifier(key.seed), run.domain,
                           run.tasks[key.task], codes, alphas,
                           JudgeSearch(config.judge_step, config.judge_fine, config.batch))
    write_npz(run.alphas_path(key), {name: values.numpy() for name, values in chosen.items()})


def _score(key: CellKey, run: DigitsRun) -> None:
    path = run.alphas_path(key)
    if not path.exists():
        raise FileNotFoundError(f"strengths must be chosen before (stage edit), missing: {path}.")
    editor, classifier = run.editor(key), run.classifier(key.seed)
    for reading, alpha in _arrays(path, READINGS, "strengths").items():
        cell = measure_at(editor, classifier, run.domain, run.tasks[key.task], run.tests(key.task),
                          torch.from_numpy(alpha), run.config.batch)
        write_npz(key.path(run.out, reading), asdict(cell))
        load_cell(key, reading, run.out)  # what cannot be read, or is not finite, is said here


_WORK = {"encode": _encode, "classify": _classify, "fit": _fit, "edit": _edit, "score": _score}
