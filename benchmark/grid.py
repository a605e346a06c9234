"""Measuring a grid of strengths: edit, draw and judge the test codes at each of them.

SSIM, perceptual distance, FID and KID are measured where they are compared: at the strengths at
which this cell reaches the agreed target changes. So is identity by slow networks, at the last
of them, and on fewer images.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmark.cells import FAR, Cell
from benchmark.likeness import compare, features_of, in_batches, networks_of, of_halves
from benchmark.measure import View, measured
from benchmark.presets import LEVELS, NEIGHBOURS, AttributeConfig
from benchmark.sources import EditSet
from benchmark.strengths import Strengths
from lwedit.classifier import LatentClassifier
from lwedit.domains import AttributeDomain, Photographed
from lwedit.editors import Editor
from lwedit.metrics import (
    at_change,
    changed,
    commutator,
    norm_ratio,
    round_trip,
    target_spread,
)
from lwedit.vocabulary import from_unit_range

__all__ = ["Partner", "Source", "measure_cell", "measure_source"]

_AT = len(LEVELS)


@dataclass(frozen=True)
class Source:
    """What the judges see before any edit; the same for every method.

    Attributes:
        x: Images.
        photos: What the codes were made from, where there is such a thing.
        scores: Probabilities by the scoring judge.
        spread: `target_spread` of the target codes, for the nearest and for the k-th neighbour.
        real: Features of real target images, by each network that compares images.
    """

    x: Float[Tensor, "n channels h w"]
    photos: Float[Tensor, "n channels h w"] | None
    scores: Float[Tensor, "n attributes"]
    spread: tuple[float, float]
    real: tuple[Float[Tensor, "m _dim"], ...]


class Partner(NamedTuple):
    """Another edit of the same method, to be done before and after.

    Attributes:
        editor: Fitted for another attribute.
        alpha: Its strength, signed.
    """

    editor: Editor
    alpha: float


@torch.no_grad()
def measure_source(domain: AttributeDomain, edit: EditSet, config: AttributeConfig) -> Source:
    """Draw and judge the codes of one edit, and look at real target images.

    Args:
        domain: Generator and judges.
        edit: Codes and target.
        config: How many real images, and the batch.
    """
    x = domain.generate(edit.w, config.batch)
    photos = domain.photos(edit.index).to(x.device) if isinstance(domain, Photographed) else None
    spread = (target_spread(edit.targets), target_spread(edit.targets, NEIGHBOURS))
    networks = networks_of(domain)
    real: tuple[Tensor, ...] = ()
    if networks:
        shown = domain.generate(edit.targets[: config.real_images], config.batch)
        real = features_of(networks, shown, config.batch)
    scores = in_batches(domain.score, x, batch=config.batch)
    return Source(x, photos, scores, spread, real)


@torch.no_grad()
def measure_cell(
    editor: Editor,
    classifier: LatentClassifier,
    domain: AttributeDomain,
    edit: EditSet,
    source: Source,
    strengths: Strengths,
    config: AttributeConfig,
    *,
    pictures: bool,
    partner: Partner | None = None,
) -> Cell:
    """Edit, draw and judge the codes of one edit at every strength.

    Args:
        editor: Fitted for the target attribute.
        classifier: The latent classifier of the same seed.
        domain: Generator and judges.
        edit: Codes and target.
        source: What is seen before the edit.
        strengths: From the calibration codes.
        config: How many images slow networks see, and how many pictures are kept.
        pictures: Whether pictures are kept.
        partner: Another edit that this one should commute with.
    """
    alphas = [edit.sign * a for a in strengths.alphas]
    shown = config.pictured if pictures else 0
    frames = [from_unit_range(source.x[:shown])]
    columns: dict[str, list[Tensor]] = {"identity_photo": []}  # not of every domain
    for alpha in alphas:
        w_edit = editor.edit(edit.w, alpha)
        x = source.x if torch.equal(w_edit, edit.w) else domain.generate(w_edit, config.batch)
        seen = in_batches(domain.score, x, batch=config.batch)
        flipped = (classifier(w_edit)[:, edit.k] > 0) == edit.wanted
        view = View(domain, edit, source, w_edit, x, seen, flipped, config.batch)
        for name, values in measured(view, "attributes").items():
            columns.setdefault(name, []).append(values)
        frames.append(from_unit_range(x[:shown]))
    arrays = {name: _stacked(values, len(edit.w)) for name, values in columns.items()}
    far = [editor.edit(edit.w, edit.sign * times * strengths.d) for times in FAR]
    present = arrays["scores"] > 0.5
    levels = _level_alphas(present, alphas, edit)
    last = alphas[int(np.flatnonzero(strengths.in_range)[-1])]
    return Cell(dict(
        alpha=np.array(alphas),
        in_range=np.array(strengths.in_range),
        d=np.array(strengths.d),
        reached=np.array(strengths.reached),
        index=edit.index,
        scores_before=source.scores.cpu().numpy(),
        present_before=(source.scores > 0.5).cpu().numpy(),
        present=present,
        latent_before=((classifier(edit.w)[:, edit.k] > 0) == edit.wanted).cpu().numpy(),
        round_trip=_undone(editor, edit, last),
        commutator=_commuted(editor, edit, last, partner),
        level_alpha=np.array(levels),
        slow_identity=_slow_identity(editor, domain, edit, source, levels[_AT - 1 :], config),
        pictures=np.stack(frames),
        far_pictures=np.stack([_drawn(domain, w_far[:shown], source.x[:shown]) for w_far in far]),
        far_norm=torch.stack([norm_ratio(w_far, edit.targets) for w_far in far]).cpu().numpy(),
        **_likeness(editor, domain, edit, source, levels, config),
        **arrays,
    ))


def _stacked(values: list[Tensor], n: int) -> np.ndarray:
    """One row a strength; none of n columns where nothing was measured."""
    return torch.stack(values).cpu().numpy() if values else np.zeros((0, n), np.float32)


def _drawn(domain: AttributeDomain, w: Tensor, x: Tensor) -> np.ndarray:
    """Pixels of a few codes, as many as there are images x."""
    return from_unit_range(domain.generate(w) if len(w) else x)


def _undone(editor: Editor, edit: EditSet, alpha: float) -> np.ndarray:
    w_edit = editor.edit(edit.w, alpha)
    return round_trip(edit.w, w_edit, editor.edit(w_edit, -alpha)).cpu().numpy()


def _commuted(
    editor: Editor, edit: EditSet, alpha: float, partner: Partner | None
) -> np.ndarray:
    """How far the order of two edits matters; empty without a second one."""
    if partner is None:
        return np.zeros(0, np.float32)
    both: list[Callable[[Tensor], Tensor]] = [
        lambda w: editor.edit(w, alpha), lambda w: partner.editor.edit(w, partner.alpha),
    ]
    ab, ba = both[1](both[0](edit.w)), both[0](both[1](edit.w))
    return commutator(edit.w, ab, ba).cpu().numpy()


def _level_alphas(present: np.ndarray, alphas: list[float], edit: EditSet) -> list[float]:
    """Strengths at which this cell reaches the agreed target changes, as many as it does."""
    hit = changed(torch.from_numpy(present), edit.k, wanted=edit.wanted).double().mean(dim=-1)
    change = torch.cat([torch.zeros(1).double(), hit])
    strength = torch.tensor([0.0, *alphas], dtype=torch.float64)
    found = [at_change(change, strength, level).item() for level in LEVELS]
    return [alpha for alpha in found if not np.isnan(alpha)]  # those of the higher levels lack


def _likeness(
    editor: Editor, domain: AttributeDomain, edit: EditSet, source: Source, alphas: list[float],
    config: AttributeConfig,
) -> dict[str, np.ndarray]:
    """SSIM, perceptual distance, FID and KID at the levels that are reached."""
    networks = networks_of(domain)
    if not networks:
        empty = {"ssim": (0, len(edit.w)), "perceptual": (0, len(edit.w)), "fid": (0, 0),
                 "kid": (0, 0), "fid_real": (0,), "kid_real": (0,)}
        return {name: np.zeros(shape) for name, shape in empty.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("ssim", "perceptual", "fid", "kid")}
    for alpha in alphas:
        x = domain.generate(editor.edit(edit.w, alpha), config.batch)
        seen = compare(networks, source.x, x, source.real, config.batch)
        for name, values in seen._asdict().items():
            found[name].append(values.cpu().numpy())
    widths = {"ssim": len(edit.w), "perceptual": len(edit.w)}
    arrays = {
        name: np.array(rows).reshape(len(alphas), widths.get(name, len(networks)))
        for name, rows in found.items()
    }
    fid, kid = of_halves(source.real)
    return arrays | {"fid_real": fid.numpy(), "kid_real": kid.numpy()}


def _slow_identity(
    editor: Editor, domain: AttributeDomain, edit: EditSet, source: Source, alphas: list[float],
    config: AttributeConfig,
) -> np.ndarray:
    """Similarity by each slow measure at the highest level, on few images."""
    measures = domain.identities[:-1]
    few = min(config.slow_images, len(edit.w))
    if not (alphas and measures and few):
        return np.zeros((0, len(measures), few), np.float32)
    x = domain.generate(editor.edit(edit.w[:few], alphas[0]), config.batch).cpu()
    before = source.x[:few].cpu()  # these networks stay where they are
    rows = [domain.identity(before, x, measure).cpu().numpy() for measure in measures]
    return np.stack(rows)[None]
