"""Command: fit the editors that the page starts with.

    python -m demo.fit_editors digits faces
    python -m demo.fit_editors ffhq --attributes Eyeglasses Smiling

For each domain: codes with labels, one latent classifier on nine tenths of them, LW and LT for
every edit on the page, and the unit of strength of each, the alpha at which half of the edits
succeed. For faces the image judge says whether they do, so methods are compared at equal change.
For ffhq, whose images take seconds each, the latent classifier does. For digits the unit is the
alpha at which most edits of validation codes are accepted by the strict reading
(`lwedit.metrics.strict`), so that each method is shown at its best; LW neural is not fitted here:
`python -m training.editors` makes its editors, which the page reads from `assets/digits/editors`.
The others are those of the benchmark with fewer codes, so that a domain takes minutes on one core;
the numbers to quote are the benchmark's. The result is `assets/app/DOMAIN`, for ffhq `editors`
beside its weights (see `demo.bundles`).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from benchmark.methods import REGISTRY, fit_editor
from benchmark.presets import settings_of
from demo.bundles import BUNDLES, Bundle, Unit
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.domains import AttributeDomain, DigitsDomain, FacesDomain
from lwedit.domains.digits import labels
from lwedit.domains.ffhq import FfhqDomain
from lwedit.domains.ffhq.files import EDITORS
from lwedit.editors import Editor, FitData
from lwedit.latents import LatentSet
from lwedit.memory import keep_freed_memory
from lwedit.metrics.strict import as_wanted, kept

__all__ = ["best_strength", "fit_digits", "fit_faces", "fit_ffhq", "main", "unit_of"]

PAGE_METHODS = ("lt", "lw")
CODES = {"digits": 5_000, "faces": 10_000, "ffhq": 10_000}
FFHQ_ATTRIBUTES = ("Eyeglasses", "Smiling", "Male", "Young", "No_Beard", "Bangs", "Blond_Hair")
# The benchmark's own settings, with fewer codes.
FEWER: dict[str, Any] = {"most_codes": 2_500, "held_out": 500}
_TRIED = torch.logspace(-1.3, 0.6, 40)  # strengths, 0.05 to 4, at which a unit is looked for
_UNIT_CODES = 60
_DIGIT_ALPHAS = torch.linspace(0.25, 5, 20)
_DIGIT_CODES = 40
_SOME = 0.05  # share of accepted edits below which no alpha is better than the map as fitted
_JUDGES = ("count_judge", "classes_judge")
Verdict = Callable[[Tensor, str], Tensor]  # codes, attribute -> whether each is said to have it


def main(arguments: list[str] | None = None) -> None:
    """Fit and write the bundles of the domains named."""
    parser = argparse.ArgumentParser(prog="python -m demo.fit_editors")
    parser.add_argument("domains", nargs="*", default=["digits", "faces"],
                        help="digits, faces, ffhq; the first two unless given")
    parser.add_argument("--codes", type=int, help=f"training codes of a domain; default {CODES}")
    parser.add_argument("--attributes", nargs="+", default=FFHQ_ATTRIBUTES,
                        help="of ffhq, by CelebA's names; more take more time and space")
    parser.add_argument("--out", type=Path, help="folder of the domains' folders")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    for name in args.domains:
        if name not in CODES:
            parser.error(f"argument domains: must be digits, faces or ffhq, got {name!r}")
        start = time.perf_counter()
        codes, folder = args.codes or CODES[name], (args.out or BUNDLES) / name
        if name == "digits":
            bundle = fit_digits(DigitsDomain.load(), codes)
        elif name == "faces":
            bundle = fit_faces(FacesDomain.load(), codes)
        else:
            domain = FfhqDomain.load()
            bundle = fit_ffhq(domain, codes, args.attributes)
            folder = folder if args.out else domain.folder / EDITORS
        bundle.facts["seconds"] = round(time.perf_counter() - start, 1)
        bundle.save(folder)


def fit_digits(domain: DigitsDomain, codes: int) -> Bundle:
    """Editors "add a digit" of the digits domain, one for each number of digits.

    Args:
        domain: Weights and images.
        codes: How many of the first training images are encoded.
    """
    images = domain.images("train", codes)
    w = domain.encode(images, progress=True)
    latents = LatentSet(w, labels(images), domain.attributes, domain.space)
    counts = torch.from_numpy(images.counts)
    near = {
        task.attribute: (counts == task.count) | (counts == task.count + 1)
        for task in domain.tasks
    }
    bundle = _fit(latents, near, None, "digits",
                  lambda editor, validation: _best_unit(domain, editor, validation))
    bundle.facts["judges"] = {name: domain.weights[name] for name in _JUDGES}
    return bundle


def fit_faces(domain: AttributeDomain, codes: int) -> Bundle:
    """An editor for each attribute worth editing.

    Args:
        domain: Codes named by its naming judge.
        codes: How many of the training codes are used.
    """
    latents = domain.latents("train", progress=True).subset(torch.arange(codes))
    everything = torch.ones(len(latents), dtype=torch.bool)

    def seen(w: Tensor, attribute: str) -> Tensor:
        return domain.score(domain.generate(w))[:, domain.attributes.index(attribute)] > 0.5

    return _fit(latents, dict.fromkeys(domain.editable, everything), seen, "faces")


def fit_ffhq(domain: FfhqDomain, codes: int, attributes: Sequence[str]) -> Bundle:
    """An editor for each attribute asked for.

    Args:
        domain: Weights, codes and labels that the user brought.
        codes: How many of the training codes are used.
        attributes: By CelebA's names.

    Raises:
        ValueError: If an attribute is unknown, or too rare among the labels.
    """
    for name in attributes:
        if name not in domain.editable:
            raise ValueError(f"attributes must be some of {domain.editable}, got {name!r}.")
    latents = domain.latents("train", most=codes)
    everything = torch.ones(len(latents), dtype=torch.bool)
    return _fit(latents, dict.fromkeys(attributes, everything), None, "ffhq")


def _fit(
    latents: LatentSet,
    near: dict[str, Tensor],
    verdict: Verdict | None,
    like: str,
    unit: Callable[[Editor, LatentSet], Unit] | None = None,
) -> Bundle:
    """Classifier, editors and units.

    Args:
        latents: Codes and labels.
        near: Target attributes, each with the mask of the codes between which it edits.
        verdict: Who says whether an edit succeeds; the latent classifier if None.
        like: Domain of the benchmark whose settings are taken.
        unit: Unit of an editor, from validation codes; by the verdict if None.
    """
    cut = int(0.9 * len(latents))  # as LT: the first 90 % train, the last 10 % validate
    train = torch.arange(len(latents)) < cut
    rng = torch.Generator().manual_seed(0)
    parts = latents.subset(train), latents.subset(~train)
    settings = settings_of(like)
    learning = ClassifierConfig(**settings["classifier"])
    classifier = LatentClassifier.fit(parts[0], learning, rng, progress=True)
    accuracy = classifier.accuracy(parts[1])

    def claimed(w: Tensor, attribute: str) -> Tensor:
        return classifier(w)[:, latents.column(attribute)] > 0

    editors: dict[str, dict[str, Editor]] = {method: {} for method in PAGE_METHODS}
    units: dict[str, dict[str, Unit]] = {method: {} for method in PAGE_METHODS}
    bar = tqdm([(m, a) for a in near for m in PAGE_METHODS], "editors")
    for method, attribute in bar:
        bar.set_postfix_str(f"{method} {attribute}")
        used = [latents.subset(near[attribute] & part) for part in (train, ~train)]
        editor = _fit_one(method, FitData(*used, classifier, attribute, seed=0), settings)
        editors[method][attribute] = editor
        units[method][attribute] = (
            unit(editor, used[1]) if unit else _units(editor, used[1], verdict or claimed)
        )
    facts = {
        "codes": len(latents),
        "classifier_accuracy": {
            name: round(accuracy[latents.column(name)].item(), 4) for name in latents.attributes
        },
    }
    return Bundle(latents.space, classifier, editors, units, facts)


def _fit_one(method: str, data: FitData, settings: dict[str, dict[str, Any]]) -> Editor:
    given = settings.get(method, {}) | (FEWER if method == "lw" else {})
    editor = fit_editor(REGISTRY[method], data, given)
    rounded = {name: tensor.half().float() for name, tensor in editor.state().items()}
    return type(editor).restore(rounded, data.attribute, data.train.space)


def _units(editor: Editor, validation: LatentSet, verdict: Verdict) -> Unit:
    pair = validation.pair(editor.attribute)
    add, added = unit_of(editor, pair.source[:_UNIT_CODES], verdict, wanted=True)
    remove, removed = unit_of(editor, pair.target[:_UNIT_CODES], verdict, wanted=False)
    return Unit(add, remove, (added, removed))


def _best_unit(domain: DigitsDomain, editor: Editor, validation: LatentSet) -> Unit:
    pair = validation.pair(editor.attribute)
    more = int(editor.attribute.removeprefix("at_least_"))
    add, added = best_strength(domain, editor, pair.source[:_DIGIT_CODES], more, adding=True)
    remove, removed = best_strength(
        domain, editor, pair.target[:_DIGIT_CODES], more - 1, adding=False
    )
    return Unit(add, remove, (added, removed))


def best_strength(
    domain: DigitsDomain, editor: Editor, w: Tensor, wanted: int, *, adding: bool
) -> tuple[float, bool]:
    """The |alpha| at which most edits are accepted by the strict reading, the least of several.

    Args:
        domain: Generator and judges.
        editor: Whose strength.
        w: Codes of images of one digit fewer (to add one) or more (to remove one).
        wanted: Digits after the edit.
        adding: Whether a digit is added.

    Returns:
        The strength, and whether one in twenty edits is accepted there; else 1 and False.
    """
    before, shares = domain.score(domain.generate(w)).classes, []
    for size in _DIGIT_ALPHAS.tolist():
        after = domain.score(domain.generate(editor.edit(w, size if adding else -size)))
        sure = as_wanted(
            after.count, after.count_confidence, after.classes, after.confidence, wanted
        )
        accepted = sure & kept(before, after.classes, adding=adding)
        shares.append(accepted.float().mean().item())
    best = shares.index(max(shares))
    return (_DIGIT_ALPHAS[best].item(), True) if shares[best] >= _SOME else (1.0, False)


def unit_of(editor: Editor, w: Tensor, verdict: Verdict, *, wanted: bool) -> tuple[float, bool]:
    """The least |alpha| at which the verdict is the wanted one on half of the codes.

    Args:
        editor: Whose unit.
        w: Codes that lack the attribute (to add it) or have it (to remove it).
        verdict: Who says so.
        wanted: True to add.

    Returns:
        The strength, and whether it was found; 1 where it was not.
    """
    for size in _TRIED.tolist():
        edited = editor.edit(w, size if wanted else -size)
        if (verdict(edited, editor.attribute) == wanted).float().mean() >= 0.5:
            return round(size, 2), True
    return 1.0, False


if __name__ == "__main__":
    main()
