"""The stages of a run, as tasks that need nothing but the run folder.

    encode     codes, labels, what the judges can do             facts.json
    classify   a latent classifier a seed                        classifiers/
    fit        an editor a method, attribute and seed            editors/
    edit       d and the strengths, on calibration codes         strengths/
    score      every strength on the test codes                  cells/
    report     results.csv, tables, figures                      (`benchmark.attributes.report`)

A task whose file is there is done, so an interrupted run goes on where it stopped. Tasks of one
stage need nothing of each other and may run in any order, in any process.
"""

import time
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from benchmark.attributes.cells import Source, load_cell, measure_cell, measure_source, save_cell
from benchmark.attributes.domains import open_domain
from benchmark.attributes.methods import CEILING, fit_editor, methods_of, registry, seeds_of
from benchmark.attributes.settings import DIRECTIONS, AttributeConfig
from benchmark.attributes.sources import EditSet, edit_set, resolve_attributes
from benchmark.attributes.strengths import Strengths, choose_strengths
from benchmark.files import read_json, write_json
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.domains import AttributeDomain
from lwedit.editors import Editor, FitData
from lwedit.latents import LatentSet
from lwedit.metrics import changed, gaussian_distance

__all__ = ["STAGES", "Key", "Run", "Task", "perform", "tasks_of"]

STAGES = ("encode", "classify", "fit", "edit", "score", "report")
_STRANGERS = 50  # pairs of different images behind the identity baseline


class Key(NamedTuple):
    """Which cell."""

    method: str
    attribute: str
    direction: str
    seed: int

    @property
    def stem(self) -> str:
        """Name of its files."""
        return f"{self.method}_{self.attribute}_{self.direction}_{self.seed}"


class Task(NamedTuple):
    """A piece of work: a stage, and for which cell (fits ignore the direction)."""

    stage: str
    key: Key


class Run:
    """A configuration and a folder, with what tasks read kept in memory."""

    def __init__(self, config: AttributeConfig, out: Path):
        self.config, self.out = config, Path(out)
        self.methods = registry(config)
        self.classifier = lru_cache(maxsize=8)(self._classifier)
        self.source = lru_cache(maxsize=2)(self._source)
        self.sources = lru_cache(maxsize=64)(self._edit_set)

    @cached_property
    def domain(self) -> AttributeDomain:
        """Generator and judges."""
        return open_domain(self.config)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Target attributes."""
        return resolve_attributes(self.domain, self.config)

    @cached_property
    def parts(self) -> tuple[LatentSet, LatentSet]:
        """As LT: the first 90 % of the training codes train, the last 10 % validate."""
        train = self.domain.latents("train")
        n = min(self.config.train_codes, len(train))
        order = torch.arange(n)
        cut = int(0.9 * n)
        return train.subset(order[:cut]), train.subset(order[cut:])

    @cached_property
    def heldout(self) -> LatentSet:
        """Held-out codes with the scoring judge's labels."""
        return self.domain.latents("heldout")

    @cached_property
    def keys(self) -> list[Key]:
        """Every cell, in the order of the tables."""
        return [
            Key(method, attribute, direction, seed)
            for attribute in self.attributes
            for direction in DIRECTIONS
            for method in methods_of(self.config)
            if direction == "add" or method != CEILING  # it knows codes with the attribute only
            for seed in seeds_of(method, self.config)
        ]

    def editor_folder(self, key: Key) -> Path:
        """Where an editor is kept; what no seed can change is fitted once."""
        seed = key.seed if self.methods[key.method].uses_seed else "any"
        return self.out / "editors" / f"{key.method}_{key.attribute}_{seed}"

    def editor(self, key: Key) -> Editor:
        """A fitted editor."""
        return self.methods[key.method].load(self.editor_folder(key), self.domain.space)

    def cell_path(self, key: Key) -> Path:
        """File of a cell."""
        return self.out / "cells" / f"{key.stem}.npz"

    def strengths_path(self, key: Key) -> Path:
        """File of the strengths of a cell."""
        return self.out / "strengths" / f"{key.stem}.json"

    def classifier_path(self, seed: int) -> Path:
        """File of the latent classifier of a seed."""
        return self.out / "classifiers" / f"{seed}.safetensors"

    def strengths(self, key: Key) -> Strengths:
        """What the edit stage left."""
        path = self.strengths_path(key)
        held = read_json(path, "strengths (stage edit)")
        try:
            return Strengths(held["d"], held["reached"], tuple(held["alphas"]),
                             tuple(held["in_range"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"strengths must be whole, remove {path}: {error!r}") from error

    def _edit_set(self, attribute: str, direction: str) -> EditSet:
        return edit_set(self.heldout, attribute, direction, self.config)

    def _source(self, attribute: str, direction: str) -> Source:
        return measure_source(self.domain, self.sources(attribute, direction))

    def _classifier(self, seed: int) -> LatentClassifier:
        path = self.classifier_path(seed)
        if not path.exists():
            raise FileNotFoundError(f"classifier must be trained before (stage classify): {path}.")
        space, names = self.domain.space, self.domain.attributes
        model = LatentClassifier(names, space, self.config.classifier_hidden)
        try:
            model.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise ValueError(f"classifier must be of this run, remove {path}: {error}") from error
        return model.eval().requires_grad_(False)


def tasks_of(stage: str, run: Run) -> list[Task]:
    """The tasks of a stage that are not done."""
    if stage == "encode":
        done, keys = (lambda key: (run.out / "facts.json").exists()), run.keys[:1]
    elif stage == "classify":
        first = {key.seed: key for key in reversed(run.keys)}
        done = lambda key: run.classifier_path(key.seed).exists()  # noqa: E731
        keys = [first[seed] for seed in run.config.seeds if seed in first]
    elif stage == "fit":
        first_of = {run.editor_folder(key): key for key in reversed(run.keys)}
        done = lambda key: (run.editor_folder(key) / "editor.json").exists()  # noqa: E731
        keys = [key for key in run.keys if first_of[run.editor_folder(key)] == key]
    elif stage == "edit":
        done, keys = (lambda key: run.strengths_path(key).exists()), run.keys
    else:
        done, keys = (lambda key: run.cell_path(key).exists()), run.keys
    return [Task(stage, key) for key in keys if not done(key)]


def perform(task: Task, run: Run) -> None:
    """Do one task and leave its file."""
    start = time.perf_counter()
    extra = _WORK[task.stage](task.key, run)
    seconds = time.perf_counter() - start
    name = task.key.stem if task.stage in ("edit", "score") else _owner(task, run)
    write_json(run.out / "costs" / f"{task.stage}_{name}.json", {"seconds": seconds} | extra)


def _owner(task: Task, run: Run) -> str:
    if task.stage == "fit":
        return run.editor_folder(task.key).name
    return str(task.key.seed) if task.stage == "classify" else "all"


def _encode(key: Key, run: Run) -> dict[str, float]:
    train, heldout = run.domain.latents("train", progress=True), run.heldout
    few = run.domain.generate(heldout.w[:_STRANGERS])
    strangers = {
        name: run.domain.identity(few, few.roll(1, 0), name).mean().item()
        for name in run.domain.identities
    }
    edits = {}
    for attribute in run.attributes:
        for direction in DIRECTIONS:
            edit = run.sources(attribute, direction)
            half = len(edit.targets) // 2
            real = gaussian_distance(edit.targets[:half], edit.targets[half:])
            edits[f"{attribute} {direction}"] = {
                "calibration": len(edit.calibration), "test": len(edit.w),
                "targets": len(edit.targets), "gaussian_of_halves": real,
            }
    write_json(run.out / "facts.json", {
        "train_codes": len(train), "heldout_codes": len(heldout),
        "judges": run.domain.facts(), "identity_of_strangers": strangers, "edits": edits,
    })
    return {}


def _classify(key: Key, run: Run) -> dict[str, float]:
    train, validation = run.parts
    settings = ClassifierConfig(hidden=run.config.classifier_hidden)
    rng = torch.Generator().manual_seed(key.seed)
    model = LatentClassifier.fit(train, settings, rng)
    names = run.domain.attributes
    agrees = {
        "validation": dict(zip(names, model.accuracy(validation).tolist(), strict=True)),
        "heldout": dict(zip(names, model.accuracy(run.heldout).tolist(), strict=True)),
    }
    path = run.classifier_path(key.seed)
    write_json(path.with_suffix(".json"), agrees)
    save_file(model.state_dict(), path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)
    return {}


def _fit(key: Key, run: Run) -> dict[str, float]:
    train, validation = run.parts
    few = train.subset(torch.arange(min(run.config.editor_codes, len(train))))
    data = FitData(few, validation, run.classifier(key.seed), key.attribute, key.seed)
    editor = fit_editor(run.methods[key.method], data, run.config)
    editor.save(run.editor_folder(key))
    return {"parameters": sum(tensor.numel() for tensor in editor.state().values())}


def _edit(key: Key, run: Run) -> dict[str, float]:
    editor, edit = run.editor(key), run.sources(key.attribute, key.direction)
    codes = edit.calibration

    def change(alpha: float) -> float:
        w_edit = editor.edit(codes, edit.sign * alpha)
        if torch.equal(w_edit, codes):  # nothing to draw: the codes lack what is wanted
            return 0.0
        present = run.domain.score(run.domain.generate(w_edit)) > 0.5
        return changed(present, edit.k, wanted=edit.wanted).double().mean().item()

    write_json(run.strengths_path(key), choose_strengths(change, run.config)._asdict())
    return {}


def _score(key: Key, run: Run) -> dict[str, float]:
    editor, edit = run.editor(key), run.sources(key.attribute, key.direction)
    strengths, source = run.strengths(key), run.source(key.attribute, key.direction)
    pictures = key.seed == run.config.seeds[0]
    cell = measure_cell(
        editor, run.classifier(key.seed), run.domain, edit, source, strengths, run.config,
        pictures=pictures,
    )
    start = time.perf_counter()
    editor.edit(edit.w, edit.sign)
    per_code = (time.perf_counter() - start) / len(edit.w)
    save_cell(run.cell_path(key), cell)
    load_cell(run.cell_path(key))  # what cannot be read, or is not finite, is said here
    return {"ms_an_edit": 1000 * per_code}


_WORK = {"encode": _encode, "classify": _classify, "fit": _fit, "edit": _edit, "score": _score}
