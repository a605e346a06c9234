"""Fit every variant and read it at equal latent change.

Every fit leaves a file, named after a hash of all that decides it (networks, settings, edit, seed),
so a run that was stopped goes on where it was, and rows that two runs share are fitted once. The
hash knows nothing of the code: remove the folder after a change of it.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor
from tqdm import tqdm

from benchmark.ablate.layers import layer_roles
from benchmark.ablate.variants import (
    BASES,
    EDITS,
    FLOORS,
    GROUP_BY,
    KEPT,
    AblationPreset,
    Variant,
)
from benchmark.bootstrap import bootstrap_mean
from benchmark.files import read_json, write_json
from benchmark.methods import REGISTRY, fit_editor
from benchmark.presets import settings_of
from benchmark.runs import Run
from lwedit.classifier import LatentClassifier
from lwedit.editors import Editor, FitData
from lwedit.latents import LatentSet
from lwedit.metrics.collapse import collapse

__all__ = ["equal_strength", "fit_variant", "measure"]

_EACH = ("changed", "kept")  # what has a number for every image
_GRID = tuple(round(0.05 * step, 2) for step in range(1, 81))


def measure(
    run: Run, variants: Mapping[str, Variant], preset: AblationPreset, folder: Path
) -> dict[str, Any]:
    """The report: settings, one row a (variant, edit), gains over the floors.

    Args:
        run: On the domain, with its latent classifiers.
        variants: Rows by name.
        preset: How much is measured.
        folder: Where each fit's measurements are kept.
    """
    domain = run.config.domain
    edits = EDITS[domain][: preset.edits]
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    todo = [
        (edit, name, seed) for edit in edits for name, variant in variants.items()
        # Floors are formulas, and the Gaussian one takes a minute on W+: the first draw will do.
        for seed in (preset.seeds[:1] if variant.method in FLOORS else preset.seeds)
    ]
    bar = tqdm(todo, domain, unit="fit")
    for edit, name, seed in bar:
        bar.set_postfix_str(f"{edit} {name}")
        found = _kept_fit(run, variants[name], edit, seed, preset, folder)
        seen.setdefault((edit, name), []).append(found)
    rows = [{"variant": name, "what": variants[name].what, "edit": edit, **_summary(runs, preset)}
            for (edit, name), runs in seen.items()]
    gains = [row for edit in edits for row in _gains(edit, seen, preset)]
    return {"domain": domain, "kept": KEPT[domain], "preset": asdict(preset),
            "base": BASES[domain], "weights": dict(run.domain.weights),
            "rows": rows, "gains": gains,
            "layers": [row for edit in edits for row in layer_roles(run, edit)]}


def fit_variant(variant: Variant, data: FitData, domain: str, preset: AblationPreset) -> Editor:
    """One editor of a variant."""
    base, method = BASES[domain], REGISTRY[variant.method]
    if variant.method in FLOORS:  # as in the benchmark, floors move what LW moves
        return fit_editor(method, data, settings_of(domain).get(variant.method))
    settings = base | {"most_codes": preset.codes, "held_out": preset.codes} | variant.changes
    if settings.get("solver") == "adam":
        settings["max_steps"] = preset.adam_steps
    if settings.get("weights", "none") != "none":
        names = [name for name in GROUP_BY[domain] if name != data.attribute]
        settings["group_by"] = tuple(names)
    return fit_editor(method, data, settings)


def equal_strength(
    editor: Editor,
    classifier: LatentClassifier,
    w: Float[Tensor, "n layers dim"],
    share: float,
) -> tuple[float, float]:
    """The smallest strength at which a share of codes has the attribute by the latent classifier.

    Args:
        editor: Whose.
        classifier: The latent classifier.
        w: Codes that lack the attribute.
        share: Asked for; where no strength of the grid gives it, the one with the most counts.

    Returns:
        The strength and the share that it gives.
    """
    k = classifier.attributes.index(editor.attribute)
    best = (0.0, 0.0)
    with torch.no_grad():
        for alpha in _GRID:
            flipped = float((classifier(editor.edit(w, alpha))[:, k] > 0).float().mean())
            if flipped > best[1]:
                best = (alpha, flipped)
            if flipped >= share:
                break
    return best


def _kept_fit(
    run: Run, variant: Variant, edit: str, seed: int, preset: AblationPreset, folder: Path
) -> dict[str, Any]:
    """`_fit`, from its file where there is one."""
    settings, domain = asdict(preset), run.config.domain
    about = {
        "domain": domain, "weights": dict(run.domain.weights), "edit": edit, "seed": seed,
        "method": variant.method, "settings": {**BASES[domain], **variant.changes},
        "preset": {name: settings[name] for name in ("codes", "images", "share", "adam_steps")},
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    path = folder / f"{domain}_{digest[:16]}.json"
    if not path.exists():
        found = _fit(run, variant, edit, seed, preset)
        lists = {name: found[name].tolist() for name in _EACH}
        write_json(path, {"about": about, "run": found | lists})
    found = read_json(path, "a fit of the ablation")["run"]
    return found | {name: np.array(found[name], dtype=np.float32) for name in _EACH}


def _fit(
    run: Run, variant: Variant, edit: str, seed: int, preset: AblationPreset
) -> dict[str, Any]:
    trial = run.trial(run.key(variant.method, edit, seed))
    # A seed is another draw of training codes: the solvers themselves draw hardly anything.
    data = replace(trial.data, train=_drawn(trial.data, preset.codes))
    start = time.perf_counter()
    editor = fit_variant(variant, data, run.config.domain, preset)
    seconds = time.perf_counter() - start
    alpha, flipped = equal_strength(editor, data.classifier, trial.source, preset.share)
    w_edit = editor.edit(trial.source, alpha)
    verdicts = trial.judge(trial.source, w_edit)
    solution = getattr(editor, "solution", None)
    return {
        "seconds": seconds, "alpha": alpha, "flipped": flipped,
        "changed": verdicts.changed.numpy(), "kept": verdicts.kept.numpy(),
        "length": float((w_edit - trial.source).flatten(1).norm(dim=1).mean()),
        "held_out": None if solution is None else solution.loss,
        **collapse(w_edit, trial.target)._asdict(),
    }


def _drawn(data: FitData, codes: int) -> LatentSet:
    """A random draw of training codes, as many of each side."""
    y = data.train.labels(data.attribute)
    order = torch.randperm(len(y), generator=Generator().manual_seed(data.seed))
    return data.train.subset(torch.cat([order[y[order] == label][:codes] for label in (0, 1)]))


def _summary(runs: list[dict[str, Any]], preset: AblationPreset) -> dict[str, Any]:
    """Means over seeds, intervals over images."""
    means: dict[str, Any] = {
        name: float(np.mean([run[name] for run in runs]))
        for name in ("seconds", "alpha", "flipped", "length", "spread", "distance")
    }
    losses = [run["held_out"] for run in runs if run["held_out"] is not None]
    rng = np.random.default_rng(0)
    for name in ("changed", "kept"):
        values = np.stack([run[name] for run in runs], axis=1).astype(np.float64)
        means[name] = list(bootstrap_mean(values, np.ones_like(values), preset.resamples, rng))
    return means | {
        "held_out": float(np.mean(losses)) if losses else None,
        "images": len(runs[0]["changed"]),
    }


def _gains(
    edit: str, seen: Mapping[tuple[str, str], list[dict[str, Any]]], preset: AblationPreset
) -> Iterator[dict[str, Any]]:
    """Paired differences of every variant to each floor, image by image."""
    floors = [name for name in FLOORS if (edit, name) in seen]
    for (task, name), runs in seen.items():
        for floor in floors:
            if task != edit or name in FLOORS:
                continue
            rng = np.random.default_rng(0)
            row: dict[str, Any] = {"edit": edit, "variant": name, "floor": floor}
            for what in ("changed", "kept"):
                mine, theirs = (
                    np.stack([run[what] for run in part], axis=1).astype(np.float64)
                    for part in (runs, seen[edit, floor])
                )
                gap = mine - theirs  # one column of a floor against every seed's
                row[what] = list(bootstrap_mean(gap, np.ones_like(gap), preset.resamples, rng))
            yield row
