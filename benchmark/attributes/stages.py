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

import torch
from safetensors.torch import save_file

from benchmark.attributes.cells import load_cell, save_cell
from benchmark.attributes.measure import measure_cell
from benchmark.attributes.methods import fit_editor
from benchmark.attributes.runs import Key, Run, Task
from benchmark.attributes.seeing import in_batches
from benchmark.attributes.settings import DIRECTIONS
from benchmark.attributes.strengths import choose_strengths
from benchmark.files import write_json
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.editors import FitData
from lwedit.metrics import changed, gaussian_distance

__all__ = ["Key", "Run", "Task", "perform", "tasks_of"]

_STRANGERS = 50  # pairs of different images behind the identity baseline


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
    train, heldout = run.latents("train", progress=True), run.heldout
    few = run.domain.generate(heldout.w[:_STRANGERS], run.config.batch)
    strangers = {
        name: run.domain.identity(x, x.roll(1, 0), name).mean().item()
        for name in run.domain.identities
        for x in [few if name == run.domain.identities[-1] else few.cpu()]
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
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    save_file(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)
    return {}


def _fit(key: Key, run: Run) -> dict[str, float]:
    train, validation = run.parts
    few = train.subset(torch.arange(min(run.config.editor_codes, len(train))))
    data = FitData(few, validation, run.classifier(key.seed), key.attribute, key.seed,
                   getattr(run.domain, "generator", None))
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
        x = run.domain.generate(w_edit, run.config.batch)
        present = in_batches(run.domain.score, x, batch=run.config.batch) > 0.5
        return changed(present, edit.k, wanted=edit.wanted).double().mean().item()

    write_json(run.strengths_path(key), choose_strengths(change, run.config)._asdict())
    return {}


def _score(key: Key, run: Run) -> dict[str, float]:
    editor, edit = run.editor(key), run.sources(key.attribute, key.direction)
    strengths, source = run.strengths(key), run.source(key.attribute, key.direction)
    pictures = key.seed == run.config.seeds[0]
    cell = measure_cell(
        editor, run.classifier(key.seed), run.domain, edit, source, strengths, run.config,
        pictures=pictures, partner=run.partner(key),
    )
    start = time.perf_counter()
    editor.edit(edit.w, edit.sign)
    per_code = (time.perf_counter() - start) / len(edit.w)
    save_cell(run.cell_path(key), cell)
    load_cell(run.cell_path(key))  # what cannot be read, or is not finite, is said here
    return {"ms_an_edit": 1000 * per_code}


_WORK = {"encode": _encode, "classify": _classify, "fit": _fit, "edit": _edit, "score": _score}
