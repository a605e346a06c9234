"""The tasks of attributes: adding each to codes that lack it, removing it from those that have it.

`benchmark.sources` says which codes; every strength of a grid is measured (`benchmark.grid`), in
one cell. facts.json says how good the judges are.
"""

import time
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.cells import Cell, load_cell, save_cell
from benchmark.files import read_json, write_json
from benchmark.grid import Partner, Source, measure_cell, measure_source
from benchmark.likeness import in_batches
from benchmark.methods import seeds_of
from benchmark.presets import DIRECTIONS, AttributeConfig
from benchmark.runs import Key, Run, Trial, Verdicts
from benchmark.sources import EditSet, edit_set, resolve_attributes
from benchmark.strengths import Strengths, choose_strengths
from lwedit.classifier import LatentClassifier
from lwedit.domains import AttributeDomain, ToyDomain
from lwedit.latents import LatentSet
from lwedit.metrics import changed, gaussian_distance

__all__ = ["DOMAINS", "AttributeRun", "remarks"]

_IMPOSTORS = 50  # pairs of different images behind the identity baseline


def _faces(_: AttributeConfig) -> AttributeDomain:
    from lwedit.domains.faces import FacesDomain  # its networks are read only where needed

    return FacesDomain.load()


def _codes(config: AttributeConfig) -> AttributeDomain:
    from lwedit.domains.codes import CodesDomain, CodesFiles

    return CodesDomain.load(CodesFiles(
        Path(config.codes), Path(config.labels), config.codes_layers, config.codes_key,
        config.codes_seed, config.train_codes, config.editor_codes, config.heldout_codes,
    ))


DOMAINS: dict[str, Any] = {"faces": _faces, "toy": lambda _: ToyDomain(), "codes": _codes}


def remarks(domain: AttributeDomain) -> list[str]:
    """What a domain has to say of its data: what is not edited, by name, and why."""
    left_out: Mapping[str, str] = getattr(domain, "left_out", {})
    return [*getattr(domain, "notes", ()),
            *(f"not edited is {name!r}: {why}" for name, why in left_out.items())]


class AttributeRun(Run):
    """A run on a domain of attributes."""

    kind = "attributes"
    config: AttributeConfig

    def __init__(self, config: AttributeConfig, out: Path, domain: AttributeDomain | None = None):
        super().__init__(config, out, domain)
        self.source = lru_cache(maxsize=2)(self._source)
        self.sources = lru_cache(maxsize=64)(self._edit_set)

    def open_domain(self) -> AttributeDomain:
        """The domain of the configuration.

        Raises:
            ValueError: If it is unknown, or its files are missing or damaged.
        """
        if self.config.domain not in DOMAINS:
            known = ", ".join(DOMAINS)
            raise ValueError(f"domain must be one of {known}, got {self.config.domain!r}.")
        return DOMAINS[self.config.domain](self.config)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Target attributes."""
        return resolve_attributes(self.domain, self.config)

    @property
    def edits(self) -> list[tuple[str, str]]:
        """Attributes in both directions."""
        return [(attribute, direction) for attribute in self.attributes for direction in DIRECTIONS]

    def near(self, latents: LatentSet, key: Key) -> LatentSet:  # noqa: ARG002
        """All of them."""
        return latents

    def key(self, method: str, edit: str, seed: int | None = None) -> Key:
        """The cell of a method that adds an attribute, of the method's first seed unless given."""
        first = seeds_of(method, self.config)[0]
        return Key(method, edit, "add", first if seed is None else seed)

    def trial(self, key: Key) -> Trial:
        """Its edit set; kept is the share of the other attributes whose verdict stays."""
        edit = self.sources(key.attribute, key.direction)

        def present(w: Tensor) -> Tensor:
            x = self.domain.generate(w, self.config.batch)
            return in_batches(self.domain.score, x, batch=self.config.batch) > 0.5

        def sees(w: Tensor) -> Tensor:
            return present(w)[:, edit.k] == edit.wanted

        def judge(w: Tensor, w_edit: Tensor) -> Verdicts:
            before, after = present(w), present(w_edit)
            others = torch.arange(before.shape[1]) != edit.k
            same = (before == after)[:, others].float().mean(dim=1)
            return Verdicts((after[:, edit.k] == edit.wanted).float(), same)

        return Trial(self.fit_data(key), edit.w, edit.targets, edit.calibration, judge, sees)

    def cell(self, key: Key) -> Cell:
        """A measured cell."""
        return load_cell(self.cell_path(key), self.kind)

    def partner(self, key: Key) -> Partner | None:
        """The same method's edit of the next attribute, at 2 d; None where there is one only."""
        names = self.attributes
        if len(names) < 2:
            return None
        after = names[(names.index(key.attribute) + 1) % len(names)]
        other = key._replace(attribute=after)
        return Partner(self.editor(other), 2 * key.sign * self.strengths(other).d)

    def strengths(self, key: Key) -> Strengths:
        """What the edit stage left."""
        path = self.strengths_path(key)
        held = read_json(path, "strengths (stage edit)")
        try:
            return Strengths(held["d"], held["reached"], tuple(held["alphas"]),
                             tuple(held["in_range"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"strengths must be whole, remove {path}: {error!r}") from error

    def outputs(self, stage: str, key: Key) -> dict[str, list[Path]]:
        """What encode, edit and score leave."""
        path = {"encode": self.out / "facts.json", "edit": self.strengths_path(key),
                "score": self.cell_path(key)}[stage]
        return {stage: [path]}

    def agreement(self, model: LatentClassifier, seed: int) -> tuple[Path, dict[str, Any]]:
        """How often the latent classifier agrees with the labels."""
        parts = {"validation": self.parts[1], "heldout": self.heldout}
        return self.classifier_path(seed).with_suffix(".json"), {
            name: dict(zip(self.domain.attributes, model.accuracy(part).tolist(), strict=True))
            for name, part in parts.items()
        }

    def do(self, part: str, key: Key) -> dict[str, float] | None:
        """Do encode, edit or score."""
        return {"encode": self._encode, "edit": self._edit, "score": self._score}[part](key)

    def _encode(self, _: Key) -> None:
        train, heldout = self.latents("train", progress=True), self.heldout
        few = self.domain.generate(heldout.w[:_IMPOSTORS], self.config.batch)
        impostors = {
            name: self.domain.identity(x, x.roll(1, 0), name).mean().item()
            for name in self.domain.identities
            for x in [few if name == self.domain.identities[-1] else few.cpu()]
        }
        edits = {}
        for attribute, direction in self.edits:
            edit = self.sources(attribute, direction)
            half = len(edit.targets) // 2
            edits[f"{attribute} {direction}"] = {
                "calibration": len(edit.calibration), "test": len(edit.w),
                "targets": len(edit.targets),
                "gaussian_of_halves": gaussian_distance(edit.targets[:half], edit.targets[half:]),
            }
        write_json(self.out / "facts.json", {
            "train_codes": len(train), "heldout_codes": len(heldout),
            "judges": self.domain.facts(), "identity_of_impostors": impostors, "edits": edits,
        })

    def _edit(self, key: Key) -> None:
        editor, edit = self.editor(key), self.sources(key.attribute, key.direction)
        codes = edit.calibration

        def change(alpha: float) -> float:
            w_edit = editor.edit(codes, edit.sign * alpha)
            if torch.equal(w_edit, codes):  # nothing to draw: the codes lack what is wanted
                return 0.0
            x = self.domain.generate(w_edit, self.config.batch)
            present = in_batches(self.domain.score, x, batch=self.config.batch) > 0.5
            return changed(present, edit.k, wanted=edit.wanted).double().mean().item()

        write_json(self.strengths_path(key), choose_strengths(change, self.config)._asdict())

    def _score(self, key: Key) -> dict[str, float]:
        editor, edit = self.editor(key), self.sources(key.attribute, key.direction)
        cell = measure_cell(
            editor, self.classifier(key.seed), self.domain, edit,
            self.source(key.attribute, key.direction), self.strengths(key), self.config,
            pictures=key.seed == self.config.seeds[0], partner=self.partner(key),
        )
        start = time.perf_counter()
        editor.edit(edit.w, edit.sign)
        per_code = (time.perf_counter() - start) / len(edit.w)
        save_cell(self.cell_path(key), cell)
        self.cell(key)  # what cannot be read, or is not finite, is said here
        return {"ms_an_edit": 1000 * per_code}

    def _edit_set(self, attribute: str, direction: str) -> EditSet:
        return edit_set(self.heldout, attribute, direction, self.config)

    def _source(self, attribute: str, direction: str) -> Source:
        return measure_source(self.domain, self.sources(attribute, direction), self.config)
