"""Whether edits stay in-distribution (`lwedit.metrics.collapse`), over the benchmark's strengths.

An editor is linear in alpha, so how far it goes in [d, 2 d] depends on what d means. Two
meanings stand side by side:

    judge    half of held-out codes change by the scoring judge: the benchmark's own protocol
             (`benchmark.strengths`), for digits by the count judge
    latent   nine in ten change by the latent classifier, which is more than the protocol asks

For each, d, 1.5 d and 2 d are looked at, and the first multiple of d is found at which edited codes
are farther from real ones than the 10 % allow. Editors have the settings of the benchmark's own
runs of a domain, and lambda 0 and 1. On digits another stands beside them: LW that may move layer 0
only, which is what the generator draws digits from (`benchmark/ablation.py`). Beside each stands
alpha = 0: codes of the source class that lie tighter than the target's to begin with are no
collapse of the edit.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm import tqdm

from benchmark.methods import REGISTRY, fit_editor
from benchmark.presets import AttributeConfig
from benchmark.runs import Run, Trial
from benchmark.strengths import find_d
from lwedit.editors import Editor
from lwedit.metrics.collapse import Collapse, collapse

__all__ = ["SHARES", "Placement", "leaves_at", "placements"]

SHARES = {"judge": AttributeConfig.change_at_d, "latent": 0.9}
_TIMES = (1.0, 1.5, 2.0)
_FURTHEST, _STEP = 4.0, 0.1  # multiples of d at which an edit may leave the data
_CODES = 500  # held-out codes of each side
_LAMBDAS = (0.0, 1.0)
# What a fit changes of the benchmark's settings.
_VARIANTS: dict[str, dict[str, Any]] = {"lw": {}, "lw_layer0": {"layers": (0,)}}


class Placement(NamedTuple):
    """One edit at one strength.

    Attributes:
        domain: Its name.
        edit: Task or attribute.
        lam: lambda of the fit.
        by: Who says where d is, a name of `SHARES`; empty for no edit.
        times: Multiple of d, 0 for no edit.
        alpha: Strength.
        reached: Whether any strength reaches the share that d stands for.
        flipped: Share of codes that have the attribute by the latent classifier.
        leaves: The multiple of this d at which the edit leaves the data, None where it does not up
            to 4.
        found: Spread and distance.
        method: Whose edit, "lw" or "lw_layer0".
    """

    domain: str
    edit: str
    lam: float
    by: str
    times: float
    alpha: float
    reached: bool
    flipped: float
    leaves: float | None
    found: Collapse
    method: str = "lw"


def placements(run: Run, edits: tuple[str, ...]) -> list[Placement]:
    """How far some edits of a domain stay among real codes, adding.

    Args:
        run: With the latent classifier of seed 0.
        edits: Their names, as in tables.
    """
    domain = run.config.domain
    settings, rows = run.config.settings["lw"], list[Placement]()
    fits = [(name, lam) for name in _VARIANTS for lam in _LAMBDAS
            if name == "lw" or domain == "digits"]
    with tqdm(total=len(edits) * len(fits), desc=f"edits of {domain}", unit="fit") as bar:
        for edit in edits:
            trial = run.trial(run.key("lw", edit, 0))
            for name, lam in fits:
                chosen = settings | {"lam": lam} | _VARIANTS[name]
                editor = fit_editor(REGISTRY["lw"], trial.data, chosen)
                rows += _of_editor(domain, edit, trial, lam, name, editor)
                bar.update()
    return rows


def _share(
    editor: Editor, verdict: Callable[[Tensor], Tensor], codes: Tensor, alpha: float
) -> float:
    return verdict(editor.edit(codes, alpha)).float().mean().item()


@torch.no_grad()
def _of_editor(
    domain: str, edit: str, trial: Trial, lam: float, name: str, editor: Editor
) -> Iterator[Placement]:
    classifier = trial.data.classifier
    source, target = trial.source[:_CODES], trial.target[:_CODES]
    k = classifier.attributes.index(editor.attribute)

    def latent(w: Tensor) -> Bool[Tensor, " n"]:
        return classifier(w)[:, k] > 0

    def row(by: str, times: float, d: float, reached: bool, leaves: float | None) -> Placement:
        w = editor.edit(source, times * d)
        return Placement(domain, edit, lam, by, times, times * d, reached,
                         latent(w).float().mean().item(), leaves, collapse(w, target),
                         name)

    yield row("", 0.0, 0.0, True, None)
    asked = {"judge": (trial.sees, trial.calibration), "latent": (latent, source)}
    for by, (verdict, codes) in asked.items():
        d, reached = find_d(
            partial(_share, editor, verdict, codes), SHARES[by], AttributeConfig.largest_d,
        )
        leaves = leaves_at(editor, source, target, d)
        for times in _TIMES:
            yield row(by, times, d, reached, leaves)


def leaves_at(
    editor: Editor,
    source: Float[Tensor, "n layers dim"],
    target: Float[Tensor, "m layers dim"],
    d: float,
) -> float | None:
    """The first multiple of d, from d on, at which edited codes are off-manifold; None up to 4.

    Off-manifold is a distance beyond the band. A spread below it is not counted: it can be that of
    the source codes.

    Args:
        editor: Whose edit.
        source: Codes to be edited.
        target: Held-out real codes of the target class.
        d: The unit.
    """
    for step in range(round((_FURTHEST - 1) / _STEP) + 1):
        times = round(1 + _STEP * step, 2)
        if collapse(editor.edit(source, times * d), target).off_manifold:
            return times
    return None
