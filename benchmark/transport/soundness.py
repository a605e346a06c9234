"""Whether edits collapse or escape (`lwedit.metrics.collapse`), over the benchmark's strengths.

An editor is linear in alpha, so how far it goes in [d, 2 d] depends on what d means. Two
meanings stand side by side:

    judge    half of held-out codes change by the scoring judge: the benchmark's own protocol
             (`benchmark.attributes.strengths`), for digits by the count judge
    latent   nine in ten change by the latent classifier, which is more than the protocol asks

For each, d, 1.5 d and 2 d are looked at, and the first multiple of d is found at which edited codes
are farther from real ones than the 10 % allow. Editors have the settings of the benchmark's own
runs of a domain, and lambda 0 and 1. On digits another stands beside them: LW that may move layer 0
only, which is what the generator draws digits from (`benchmark/ablation.py`). Beside each stands
alpha = 0: codes of the source class that lie tighter than the target's to begin with are no
collapse of the edit.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm import tqdm

from benchmark.ablate.variants import BASES
from benchmark.attributes.settings import AttributeConfig
from benchmark.attributes.strengths import find_d
from benchmark.presets import RunConfig
from benchmark.transport.sources import attribute_data, classifier_of, digits_data, of_count
from lwedit.domains import AttributeDomain, DigitsDomain
from lwedit.editors import Editor, FitData, LatentWasserstein, LatentWassersteinConfig
from lwedit.metrics.collapse import Collapse, collapse

__all__ = ["SHARES", "Soundness", "attributes_soundness", "digits_soundness", "leaves_at"]

SHARES = {"judge": AttributeConfig.change_at_d, "latent": 0.9}
_TIMES = (1.0, 1.5, 2.0)
_FURTHEST, _STEP = 4.0, 0.1  # multiples of d at which an edit may leave the data
_CODES = 500  # held-out codes of each side
_DRAWN = 100  # of those, how many the judge sees
_LAMBDAS = (0.0, 1.0)
# What a fit changes of the benchmark's settings.
_VARIANTS: dict[str, dict[str, Any]] = {"lw": {}, "lw_layer0": {"layers": (0,)}}
Verdict = Callable[[Tensor], Tensor]  # codes -> whether each has the attribute


class Soundness(NamedTuple):
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


class _Edit(NamedTuple):
    """What is needed to look at one edit.

    Attributes:
        name: Task or attribute.
        data: What editors learn from.
        source: Held-out codes to be edited.
        target: Held-out real codes of the target class.
        judged: Codes of the source whose image the judge reads right.
        judge: Its verdicts.
    """

    name: str
    data: FitData
    source: Float[Tensor, "n layers dim"]
    target: Float[Tensor, "m layers dim"]
    judged: Float[Tensor, "k layers dim"]
    judge: Verdict


def digits_soundness(domain: DigitsDomain) -> list[Soundness]:
    """All three tasks."""
    return _rows(domain.name, len(domain.tasks), _digit_edits(domain))


def attributes_soundness(
    domain: AttributeDomain, attributes: tuple[str, ...]
) -> list[Soundness]:
    """Some attributes of a domain, adding them."""
    return _rows(domain.name, len(attributes), _attribute_edits(domain, attributes))


def _digit_edits(domain: DigitsDomain) -> Iterator[_Edit]:
    heldout = domain.latents("heldout")
    classifier = classifier_of(domain.latents("train"), RunConfig().learning)
    for task in domain.tasks:
        source = heldout.w[of_count(heldout, task.count)][:_CODES]
        target = heldout.w[of_count(heldout, task.count + 1)][:_CODES]

        def counted(w: Tensor) -> Tensor:
            return domain.score(domain.generate(w)).count

        def judge(w: Tensor, more: int = task.count + 1) -> Bool[Tensor, " n"]:
            return counted(w) >= more

        few = source[:_DRAWN]
        yield _Edit(task.name, digits_data(domain, task.count, classifier), source, target,
                    few[counted(few) == task.count], judge)


def _attribute_edits(domain: AttributeDomain, attributes: tuple[str, ...]) -> Iterator[_Edit]:
    heldout = domain.latents("heldout")
    classifier = classifier_of(domain.latents("train"))
    for attribute in attributes:
        def judge(w: Tensor, k: int = heldout.column(attribute)) -> Bool[Tensor, " n"]:
            return domain.score(domain.generate(w))[:, k] > 0.5

        pair = heldout.pair(attribute)
        source = pair.source[:_CODES]
        yield _Edit(attribute, attribute_data(domain, attribute, classifier), source,
                    pair.target[:_CODES], source[:_DRAWN], judge)


def _rows(domain: str, count: int, edits: Iterator[_Edit]) -> list[Soundness]:
    digits = domain == "digits"
    rows, settings = [], BASES["digits" if digits else "faces"]
    fits = [("lw", lam) for lam in _LAMBDAS]
    fits += [("lw_layer0", lam) for lam in _LAMBDAS] if digits else []
    with tqdm(total=count * len(fits), desc=f"soundness of {domain}", unit="fit") as bar:
        for edit in edits:
            for name, lam in fits:
                config = LatentWassersteinConfig(**{**settings, "lam": lam, **_VARIANTS[name]})
                editor = LatentWasserstein.fit(edit.data, config)
                rows += _of_editor(domain, edit, lam, name, editor)
                bar.update()
    return rows


@torch.no_grad()
def _of_editor(
    domain: str, edit: _Edit, lam: float, name: str, editor: Editor
) -> Iterator[Soundness]:
    classifier = edit.data.classifier
    k = classifier.attributes.index(editor.attribute)

    def latent(w: Tensor) -> Bool[Tensor, " n"]:
        return classifier(w)[:, k] > 0

    def row(by: str, times: float, d: float, reached: bool, leaves: float | None) -> Soundness:
        w = editor.edit(edit.source, times * d)
        return Soundness(domain, edit.name, lam, by, times, times * d, reached,
                         latent(w).float().mean().item(), leaves, collapse(w, edit.target),
                         name)

    yield row("", 0.0, 0.0, True, None)
    asked = {"judge": (edit.judge, edit.judged), "latent": (latent, edit.source)}
    for by, (verdict, codes) in asked.items():
        d, reached = find_d(
            lambda alpha, verdict=verdict, codes=codes:
                verdict(editor.edit(codes, alpha)).float().mean().item(),
            SHARES[by], AttributeConfig.largest_d,
        )
        leaves = leaves_at(editor, edit.source, edit.target, d)
        for times in _TIMES:
            yield row(by, times, d, reached, leaves)


def leaves_at(
    editor: Editor,
    source: Float[Tensor, "n layers dim"],
    target: Float[Tensor, "m layers dim"],
    d: float,
) -> float | None:
    """The first multiple of d, from d on, at which edited codes escape; None up to 4 d.

    Escape is a distance beyond the band. A spread below it is not counted: it can be that of the
    source codes.

    Args:
        editor: Whose edit.
        source: Codes to be edited.
        target: Held-out real codes of the target class.
        d: The unit.
    """
    for step in range(round((_FURTHEST - 1) / _STEP) + 1):
        times = round(1 + _STEP * step, 2)
        if collapse(editor.edit(source, times * d), target).escaped:
            return times
    return None
