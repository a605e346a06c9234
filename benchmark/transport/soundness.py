"""Whether edits collapse or escape (`lwedit.metrics.collapse`), over the benchmark's strengths.

d is the smallest strength of a grid at which nine in ten held-out codes that lack the attribute
get it by the latent classifier; d, 1.5 d and 2 d are looked at, the paper's range. Editors have the
settings of the benchmark's own runs of a domain, and lambda 0 and 1. Beside each
stands alpha = 0: codes of the source class that lie tighter than the target's to begin with are no
collapse of the edit.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from benchmark.ablate.variants import BASES
from benchmark.transport.sources import attribute_data, classifier_of, digits_data, of_count
from lwedit.classifier import LatentClassifier
from lwedit.domains import AttributeDomain, DigitsDomain
from lwedit.editors import Editor, FitData, LatentWasserstein, LatentWassersteinConfig
from lwedit.metrics.collapse import Collapse, collapse

__all__ = ["Soundness", "attributes_soundness", "digits_soundness", "strengths"]

_GRID = tuple(round(0.25 * step, 2) for step in range(1, 17))
_SHARE = 0.9
_CODES = 500  # held-out codes of each side
_LAMBDAS = (0.0, 1.0)


class Soundness(NamedTuple):
    """One edit at one strength.

    Attributes:
        domain: Its name.
        edit: Task or attribute.
        lam: lambda of the fit.
        alpha: Strength, 0 for no edit.
        flipped: Share of codes that have the attribute by the latent classifier.
        found: Spread and distance.
    """

    domain: str
    edit: str
    lam: float
    alpha: float
    flipped: float
    found: Collapse


def digits_soundness(domain: DigitsDomain) -> list[Soundness]:
    """All three tasks."""
    heldout = domain.latents("heldout")
    classifier = classifier_of(domain.latents("train"))
    rows = []
    for task in domain.tasks:
        source = heldout.w[of_count(heldout, task.count)][:_CODES]
        target = heldout.w[of_count(heldout, task.count + 1)][:_CODES]
        data = digits_data(domain, task.count, classifier)
        rows += _edit_rows(domain.name, task.name, data, source, target)
    return rows


def attributes_soundness(
    domain: AttributeDomain, attributes: tuple[str, ...]
) -> list[Soundness]:
    """Some attributes of a domain, adding them."""
    heldout = domain.latents("heldout")
    classifier = classifier_of(domain.latents("train"))
    rows = []
    for attribute in attributes:
        pair = heldout.pair(attribute)
        data = attribute_data(domain, attribute, classifier)
        rows += _edit_rows(domain.name, attribute, data, pair.source[:_CODES],
                           pair.target[:_CODES])
    return rows


def _edit_rows(
    domain: str,
    edit: str,
    data: FitData,
    source: Float[Tensor, "n layers dim"],
    target: Float[Tensor, "m layers dim"],
) -> list[Soundness]:
    rows, settings = [], BASES["digits" if domain == "digits" else "faces"]
    for lam in _LAMBDAS:
        editor = LatentWasserstein.fit(data, LatentWassersteinConfig(**{**settings, "lam": lam}))
        for alpha in (0.0, *strengths(editor, data.classifier, source)):
            w = editor.edit(source, alpha)
            share = _flipped(data.classifier, editor.attribute, w)
            rows.append(Soundness(domain, edit, lam, alpha, share, collapse(w, target)))
    return rows


def strengths(
    editor: Editor, classifier: LatentClassifier, w: Float[Tensor, "n layers dim"]
) -> tuple[float, ...]:
    """d, 1.5 d and 2 d; d is the grid's last where no strength flips enough."""
    enough = (
        alpha for alpha in _GRID
        if _flipped(classifier, editor.attribute, editor.edit(w, alpha)) >= _SHARE
    )
    d = next(enough, _GRID[-1])
    return d, 1.5 * d, 2 * d


@torch.no_grad()
def _flipped(
    classifier: LatentClassifier, attribute: str, w: Float[Tensor, "n layers dim"]
) -> float:
    k = classifier.attributes.index(attribute)
    return float((classifier(w)[:, k] > 0).float().mean())
