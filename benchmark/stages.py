"""The stages of a digits run, as tasks that need nothing but the run folder.

    encode     codes, test codes, what the networks can do       tested.npz, ceiling.npz, facts.json
    classify   a latent classifier a seed                        classifiers/, classifier_SEED.json
    fit        an editor a method, task and seed                 editors/
    edit       the strengths under every strategy                strengths/
    score      edited images judged                              cells/
    report     results.csv, tables, figures                      (`benchmark.report`)

A task whose file is there is done, so an interrupted run goes on where it stopped; tasks of one
stage need nothing of each other. Editors that the repository ships are copied, not fitted.
"""

import shutil
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from benchmark.files import read_json, write_json, write_npz
from benchmark.measure import (
    CHOSEN,
    FITTED,
    READINGS,
    Cell,
    Hits,
    choose_strength,
    count_hits,
    latent_strengths,
    measure_at,
    move_of,
)
from benchmark.methods import SHIPPED, editor_class, fit_digits
from benchmark.presets import RunConfig
from benchmark.runs import (
    FLOORS,
    CellKey,
    DigitsRun,
    editor_folder,
    methods_of,
    of_count,
    seeds_of,
    strategies_of,
)
from lwedit.classifier import LatentClassifier
from lwedit.domains import DigitsDomain
from lwedit.domains.digits import ASSETS, DigitScores
from lwedit.editors import FitData
from lwedit.judges.train import truth
from lwedit.metrics import as_wanted, ssim
from lwedit.vocabulary import to_unit_range

__all__ = [
    "EDITORS",
    "FLOORS",
    "CellKey",
    "DigitsTask",
    "chosen_strength",
    "editor_folder",
    "fit_data",
    "load_cell",
    "measure_all",
    "methods_of",
    "perform",
    "seeds_of",
    "strategies_of",
    "tasks_of",
]

EDITORS = ASSETS / "editors"
_WORKING = ("encode", "classify", "fit", "edit", "score")


class DigitsTask(NamedTuple):
    """A piece of work: a stage, for which cell, and what of it."""

    stage: str
    key: CellKey
    part: str


def tasks_of(stage: str, run: DigitsRun) -> list[DigitsTask]:
    """The tasks of a stage that are not done."""
    first: dict[tuple[Path, ...], DigitsTask] = {}
    for key in run.keys:
        for part, paths in _files(stage, key, run).items():
            first.setdefault(tuple(paths), DigitsTask(stage, key, part))
    return [task for paths, task in first.items() if not all(path.exists() for path in paths)]


def _files(stage: str, key: CellKey, run: DigitsRun) -> dict[str, list[Path]]:
    """What the parts of a stage leave for a cell."""
    out = run.out
    if stage == "encode":
        return {"codes": [out / "codes.json"],
                stage: [out / "facts.json", out / "tested.npz", out / "ceiling.npz"]}
    if stage == "classify":
        return {stage: [run.classifier_path(key.seed)]}
    if stage == "fit":
        return {stage: [run.editor_folder(key) / "editor.json"]}
    strategies = strategies_of(key.method, key.task)
    if stage == "score":
        return {stage: [key.path(out, strategy) for strategy in strategies]}
    readings = {"edit": [run.alphas_path(key)]} if set(READINGS) <= set(strategies) else {}
    return readings | {"choose": [run.chosen_path(key)]}


def perform(task: DigitsTask, run: DigitsRun) -> None:
    """Do one task and leave its file."""
    start = time.perf_counter()
    _WORK[task.part](task.key, run)
    seconds = time.perf_counter() - start
    write_json(run.out / "costs" / f"{task.part}_{task.key.stem}.json", {"seconds": seconds})


def measure_all(domain: DigitsDomain, config: RunConfig, out: Path) -> None:
    """Do everything that the run folder lacks, one task after the other."""
    run = DigitsRun(config, out, domain)
    for stage in _WORKING:
        for task in tasks_of(stage, run):
            perform(task, run)


def load_cell(key: CellKey, strategy: str, out: Path) -> Cell:
    """Read a measured cell.

    Raises:
        FileNotFoundError: If it was never measured.
        ValueError: If it is damaged or holds a number that is not finite.
    """
    path = key.path(out, strategy)
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


def _codes(key: CellKey, run: DigitsRun) -> None:
    """Codes of the training images into the cache, once for all processes."""
    write_json(run.out / "codes.json", {"train": len(run.latents("train", progress=True))})


def _encode(key: CellKey, run: DigitsRun) -> None:
    """What the networks can do before any edit, on the held-out images."""
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
              {task.stem: tests[name].index for name, task in run.tasks.items()})
    write_npz(run.out / "ceiling.npz", _ceiling(run, counts, again))
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


def _ceiling(run: DigitsRun, counts: torch.Tensor, seen: DigitScores) -> dict[str, np.ndarray]:
    """Reconstructions of real images of as many digits as wanted, read as edits are.

    Args:
        run: Whose tasks.
        counts: Number of digits of every held-out image.
        seen: What the judges see in their reconstructions.
    """
    read = {}
    for task in run.tasks.values():
        these = (counts == task.wanted).nonzero()[:, 0][: run.config.test_images]
        count, classes, confidence, count_confidence = (field[these] for field in seen)
        accepted = as_wanted(count, count_confidence, classes, confidence, task.wanted)
        read[f"{task.stem}_accepted"] = accepted.cpu().numpy()
        read[f"{task.stem}_exact"] = (count == task.wanted).cpu().numpy()
    return read


def _rate(hit: torch.Tensor) -> float:
    return hit.float().mean().item()


def _classify(key: CellKey, run: DigitsRun) -> None:
    config = run.config
    rng = torch.Generator().manual_seed(key.seed)
    model = LatentClassifier.fit(run.parts[0], config.learning, rng)
    accuracy = {}
    for name, task in run.tasks.items():
        near = of_count(run.heldout, task.count) | of_count(run.heldout, task.wanted)
        both = run.heldout.subset(near)
        accuracy[name] = model.accuracy(both)[both.column(task.attribute)].item()
    write_json(run.out / f"classifier_{key.seed}.json", accuracy)
    path = run.classifier_path(key.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    save_file(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def fit_data(key: CellKey, run: DigitsRun) -> FitData:
    """What a method learns from: codes of the two numbers of digits of a task."""
    task, (train, validation) = run.tasks[key.task], run.parts
    few = train.subset(torch.arange(min(run.config.editor_codes, len(train))))
    low, high = task.sides
    near = [part.subset(of_count(part, low) | of_count(part, high)) for part in (few, validation)]
    return FitData(near[0], near[1], run.classifier(key.seed), task.attribute, key.seed,
                   getattr(run.domain, "generator", None), run.config.layers or None)


def _fit(key: CellKey, run: DigitsRun) -> None:
    folder = run.editor_folder(key)
    if key.method in SHIPPED and not run.config.refit:
        _copy_shipped(key, run, folder)
    else:
        fit_digits(key.method, fit_data(key, run), run.config).save(folder)


def _copy_shipped(key: CellKey, run: DigitsRun, folder: Path) -> None:
    """Copy an editor of the repository, if it is one of this generator."""
    shipped = EDITORS / f"{key.method}_{run.tasks[key.task].attribute}_{key.seed}"
    if not (shipped / "editor.json").exists():
        raise ValueError(
            f"{key.method} is shipped fitted, and none of this task and seed is there: {shipped}; "
            "--refit fits it in the run."
        )
    editor_class(key.method).load(shipped, run.opened.space)
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(shipped, temporary)
    temporary.replace(folder)


def _edit(key: CellKey, run: DigitsRun) -> None:
    """The strengths that the latent classifier says, image by image; nothing is drawn."""
    config = run.config
    alphas = torch.arange(1, round(config.alpha_max / config.alpha_step) + 1) * config.alpha_step
    task, codes = run.tasks[key.task], run.tests(key.task)
    chosen = latent_strengths(move_of(run.editor(key), task, codes.w), run.classifier(key.seed),
                              task, codes, alphas)
    write_npz(run.alphas_path(key), {name: values.numpy() for name, values in chosen.items()})


def _choose(key: CellKey, run: DigitsRun) -> None:
    """One strength for all images and seeds: each seed edits its share of validation codes."""
    config, task, codes = run.config, run.tasks[key.task], run.validation(key.task)
    seeds = seeds_of(key.method, config)
    tried = config.strengths if key.method != "none" else config.strengths[:1]
    hits = dict.fromkeys(tried, Hits(0, 0))
    for i, seed in enumerate(seeds):
        before = type(codes.before)(*(field[i :: len(seeds)] for field in codes.before))
        mine = codes._replace(w=codes.w[i :: len(seeds)], before=before)
        move = move_of(run.editor(key._replace(seed=seed)), task, mine.w)
        for alpha in tried:
            more = count_hits(move, run.domain, task, mine, alpha, config.batch)
            hits[alpha] = Hits(*(a + b for a, b in zip(hits[alpha], more, strict=True)))
    write_json(run.chosen_path(key), {
        "alpha": task.sign * choose_strength(hits),
        "codes": len(codes.w),
        "hits": {f"{alpha:g}": found._asdict() for alpha, found in hits.items()},
    })


def chosen_strength(key: CellKey, run: DigitsRun) -> float:
    """The one strength of a method on a task."""
    return float(read_json(run.chosen_path(key), "the strength of a method (stage edit)")["alpha"])


def _score(key: CellKey, run: DigitsRun) -> None:
    codes, task = run.tests(key.task), run.tasks[key.task]
    strategies = strategies_of(key.method, key.task)
    every = torch.ones(len(codes.w))
    alphas = {CHOSEN: chosen_strength(key, run) * every, FITTED: task.sign * every}
    if set(READINGS) <= set(strategies):
        path = run.alphas_path(key)
        if not path.exists():
            raise FileNotFoundError(
                f"strengths must be chosen before (stage edit), missing: {path}."
            )
        held = _arrays(path, READINGS, "strengths")
        alphas |= {reading: torch.from_numpy(alpha) for reading, alpha in held.items()}
    move, classifier = move_of(run.editor(key), task, codes.w), run.classifier(key.seed)
    measured: dict[bytes, Cell] = {}  # two strategies may have chosen the same
    for strategy in strategies:
        alpha = alphas[strategy]
        same = alpha.numpy().tobytes()
        if same not in measured:
            measured[same] = measure_at(move, classifier, run.domain, task, codes, alpha,
                                        run.config.batch)
        write_npz(key.path(run.out, strategy), asdict(measured[same]))
        load_cell(key, strategy, run.out)  # what cannot be read, or is not finite, is said here


_WORK = {"codes": _codes, "encode": _encode, "classify": _classify, "fit": _fit, "edit": _edit,
         "choose": _choose, "score": _score}
