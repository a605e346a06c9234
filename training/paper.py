"""Fit LW as published on the digits, once: `python -m training.paper`.

A step on all codes of n and n + 1 digits takes a minute of a core, so this is no part of
`benchmark/run.py`, which takes the editors from `assets/digits/editors/lw_paper_ATTRIBUTE_SEED`.
The same command goes on where it was stopped, killed or by Ctrl-C: every few minutes the state of
the fit is written to the run folder. `--most-batch N` caps the codes a side in a step, which is a
deviation from the paper and is noted in the editor's `fit.json`. Codes and latent classifier are
those of the benchmark's default preset.
"""

import argparse
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from benchmark.digits import DigitsRun
from benchmark.files import read_json, write_json
from benchmark.presets import DigitsConfig
from benchmark.runs import Key
from benchmark.stages import EDITORS, perform, tasks_of
from lwedit.domains import DigitsDomain
from lwedit.editors import FitData, LatentWassersteinPaper, paper_config
from lwedit.editors.latent_wasserstein import prepare
from lwedit.editors.paper import half
from lwedit.editors.solvers.adam import AdamSolver, Descent

__all__ = ["fit_resumable", "main"]

_ROOT = Path(__file__).resolve().parents[1]


def fit_resumable(
    data: FitData, folder: Path, *, most_batch: int | None = None, every: float = 180.0,
    progress: bool = False,
) -> LatentWassersteinPaper:
    """Fit one editor, going on from what an interrupted fit left; it ends in the same bits.

    Args:
        data: Codes, labels and the latent classifier.
        folder: Where the state of the fit is kept.
        most_batch: Most codes a side in a step, all if None as in the paper.
        every: Seconds between two states.
        progress: Show a bar.

    Raises:
        ValueError: If the folder holds the state of another fit, or a damaged one.
    """
    config = paper_config(data.train, data.attribute, biased=False, most_batch=most_batch)
    about = {"settings": asdict(config), "generator": data.train.space.generator,
             "attribute": data.attribute, "seed": data.seed, "codes": len(data.train)}
    rng = torch.Generator().manual_seed(data.seed)
    assert isinstance(config.solver, AdamSolver)
    run = Descent(prepare(data, config, rng), config.solver, config.blur[0], data.seed)
    _take_up(run, folder, about)
    last = time.monotonic()
    with tqdm(total=config.solver.max_steps, initial=run.steps, unit="step", disable=not progress,
              desc=f"lw_paper {data.attribute} {data.seed}") as bar:
        while not run.done:
            run.step()
            bar.set_postfix_str(f"held-out loss {run.best.loss:.4g} at {run.best.steps}",
                                refresh=False)
            bar.update()
            if time.monotonic() - last > every:
                _keep(run, folder)
                last = time.monotonic()
    _keep(run, folder)
    editor = LatentWassersteinPaper(data.attribute, data.train.space, half(run.best.map))
    editor.solution = run.best
    return editor


def _take_up(run: Descent, folder: Path, about: dict[str, object]) -> None:
    """Go on from the state in the folder, if there is one of the same fit."""
    path = folder / "state.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_json(folder / "about.json", about)
        return
    held = read_json(folder / "about.json", "the settings of the fit")
    write_json(folder / "asked.json", about)  # as JSON has them: tuples are lists
    if held != read_json(folder / "asked.json", "the settings asked for"):
        raise ValueError(f"runs must hold a fit of the same codes and settings, remove {folder}.")
    try:
        run.take_up(load_file(path))
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"the state of a fit must be readable, remove {path}: {error}") from error


def _keep(run: Descent, folder: Path) -> None:
    temporary = folder / "state.tmp"
    save_file({name: part.contiguous() for name, part in run.state().items()}, temporary)
    temporary.replace(folder / "state.safetensors")


def main(arguments: list[str] | None = None) -> int:
    """Fit and save the editors; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.paper",
                                     description=__doc__.split("\n\n")[0])
    names = [task.name for task in DigitsDomain.tasks]
    parser.add_argument("--tasks", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--most-batch", type=int, metavar="N",
                        help="most codes a side in a step; the paper has all, a deviation")
    parser.add_argument("--runs", type=Path, default=_ROOT / "runs" / "lw_paper",
                        help="where states are kept, to be gone on with")
    parser.add_argument("--out", type=Path, default=EDITORS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    if args.most_batch is not None and args.most_batch < 2:
        parser.error(f"argument --most-batch: must be at least 2, got {args.most_batch}")
    torch.set_num_threads(args.threads)
    config = replace(DigitsConfig(), methods=("lw_paper",), seeds=tuple(args.seeds), floors=False)
    run = DigitsRun(config, args.runs)
    try:
        for seed in args.seeds:
            for name in args.tasks:
                _fit(run.key("lw_paper", name, seed), run, args)
    except (ValueError, OSError) as error:
        print(f"training.paper: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"training.paper: stopped; the same command goes on from {args.runs}.",
              file=sys.stderr)
        return 130
    return 0


def _fit(key: Key, run: DigitsRun, args: argparse.Namespace) -> None:
    """One editor, unless it is there."""
    name = f"lw_paper_{key.attribute}_{key.seed}"
    if (args.out / name / "editor.json").exists():
        return
    if not run.classifier_path(key.seed).exists():
        for task in tasks_of("classify", run):
            perform(task, run)
    start, data = time.perf_counter(), run.fit_data(key)
    editor = fit_resumable(data, args.runs / name, most_batch=args.most_batch, progress=True)
    assert editor.solution is not None
    temporary = args.out / f"{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    editor.save(temporary)
    write_json(temporary / "fit.json", {
        "most_batch": args.most_batch, "steps": editor.solution.steps,
        "held_out_loss": editor.solution.loss,
        "seconds_of_the_last_sitting": round(time.perf_counter() - start, 1),
    })
    temporary.replace(args.out / name)


if __name__ == "__main__":
    sys.exit(main())
