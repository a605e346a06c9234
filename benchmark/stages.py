"""The stages of a run, as tasks that need nothing but the run folder.

    encode     codes, test codes, what the networks can do    facts.json
    classify   a latent classifier a seed                     classifiers/
    fit        an editor a method, attribute and seed         editors/
    edit       the strengths, on codes that are not scored    strengths/
    score      edited images judged                           cells/
    report     results.csv, tables, figures                   (`benchmark.report`)

A task whose file is there is done, so an interrupted run goes on where it stopped; tasks of one
stage need nothing of each other and may run in any order, in any process. Editors that the
repository ships are copied, not fitted.
"""

import shutil
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmark.files import write_json
from benchmark.methods import fit_editor, shipped_seeds
from benchmark.runs import Key, Run, Work
from lwedit.classifier import LatentClassifier
from lwedit.domains.digits import ASSETS
from lwedit.editors import Card

__all__ = ["EDITORS", "STAGES", "perform", "tasks_of"]

EDITORS = ASSETS / "editors"
STAGES = ("encode", "classify", "fit", "edit", "score", "report")


def tasks_of(stage: str, run: Run) -> list[Work]:
    """The tasks of a stage that are not done."""
    first: dict[tuple[Path, ...], Work] = {}
    for key in run.keys:
        for part, paths in _outputs(stage, key, run).items():
            first.setdefault(tuple(paths), Work(stage, key, part))
    return [work for paths, work in first.items() if not all(path.exists() for path in paths)]


def _outputs(stage: str, key: Key, run: Run) -> dict[str, list[Path]]:
    if stage == "classify":
        return {stage: [run.classifier_path(key.seed)]}
    if stage == "fit":
        return {stage: [run.editor_folder(key) / "editor.json"]}
    return run.outputs(stage, key)


def perform(work: Work, run: Run) -> None:
    """Do one task and leave its file."""
    start = time.perf_counter()
    shared = {"classify": _classify, "fit": _fit}.get(work.part)
    extra = shared(work.key, run) if shared else run.do(work.part, work.key)
    seconds = time.perf_counter() - start
    path = run.out / "costs" / f"{work.part}_{_owner(work, run)}.json"
    write_json(path, {"seconds": seconds} | (extra or {}))


def _owner(work: Work, run: Run) -> str:
    """Whose cost it is."""
    if work.stage in ("edit", "score"):
        return work.key.stem
    if work.stage == "fit":
        return run.editor_folder(work.key).name
    return str(work.key.seed) if work.stage == "classify" else "all"


def _classify(key: Key, run: Run) -> None:
    rng = torch.Generator().manual_seed(key.seed)
    model = LatentClassifier.fit(run.parts[0], run.config.learning, rng)
    write_json(*run.agreement(model, key.seed))
    path = run.classifier_path(key.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    save_file(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def _fit(key: Key, run: Run) -> dict[str, float]:
    folder, config = run.editor_folder(key), run.config
    if shipped_seeds(key.method, config) and not config.refit:
        _copy_shipped(key, run, folder)
        return {}
    settings = config.settings.get(key.method)
    editor = fit_editor(run.methods[key.method], run.fit_data(key), settings)
    measured = f"benchmark/run.py --domain {config.domain}, seed {key.seed}: results.csv of its run"
    editor.save(folder, Card(measured))
    return {"parameters": sum(tensor.numel() for tensor in editor.state().values())}


def _copy_shipped(key: Key, run: Run, folder: Path) -> None:
    """Copy an editor of the repository, if it is one of this generator."""
    shipped = EDITORS / f"{key.method}_{key.attribute}_{key.seed}"
    if not (shipped / "editor.json").exists():
        raise ValueError(
            f"{key.method} is shipped fitted, and none of this task and seed is there: {shipped}; "
            "--refit fits it in the run."
        )
    run.methods[key.method].editor.load(shipped, run.opened.space)
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(shipped, temporary)
    temporary.replace(folder)
