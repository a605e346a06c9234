"""What a run consists of: its cells by name, its folder, and what tasks read kept in memory."""

import hashlib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from benchmark.attributes.domains import open_domain
from benchmark.attributes.measure import Partner, Source, measure_source
from benchmark.attributes.methods import CEILING, methods_of, registry, seeds_of
from benchmark.attributes.settings import DIRECTIONS, AttributeConfig
from benchmark.attributes.sources import EditSet, edit_set, resolve_attributes
from benchmark.attributes.strengths import Strengths
from benchmark.devices import check_device, move_domain
from benchmark.files import read_json
from lwedit.classifier import LatentClassifier
from lwedit.domains import Abridged, AttributeDomain
from lwedit.domains.base import Part
from lwedit.editors import Editor
from lwedit.latents import LatentSet

__all__ = ["Key", "Run", "Task", "file_part"]

_LONGEST = 80  # characters of an attribute in the name of a file


class Key(NamedTuple):
    """Which cell."""

    method: str
    attribute: str
    direction: str
    seed: int

    @property
    def stem(self) -> str:
        """Name of its files."""
        return f"{self.method}_{file_part(self.attribute)}_{self.direction}_{self.seed}"


def file_part(name: str) -> str:
    """An attribute's name as part of a file's: what a path may not hold is escaped."""
    safe = quote(name, safe=" ()[]{}+=@!'&^~")
    if len(safe) <= _LONGEST:
        return safe
    return f"{safe[:_LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"


class Task(NamedTuple):
    """A piece of work: a stage, and for which cell (fits ignore the direction)."""

    stage: str
    key: Key


class Run:
    """A configuration and a folder, with what tasks read kept in memory."""

    def __init__(self, config: AttributeConfig, out: Path):
        self.config, self.out = config, Path(out)
        self.device = check_device(config.device)
        self.methods = registry(config)
        self.classifier = lru_cache(maxsize=8)(self._classifier)
        self.source = lru_cache(maxsize=2)(self._source)
        self.sources = lru_cache(maxsize=64)(self._edit_set)

    @cached_property
    def _opened(self) -> AttributeDomain:
        return open_domain(self.config)

    @cached_property
    def domain(self) -> AttributeDomain:
        """Generator and judges, on the device of the run."""
        return move_domain(self._opened, self.device)

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:
        """Codes and labels, as many as the run asks for, on its device."""
        n = self.config.train_codes if part == "train" else self.config.heldout_codes
        if isinstance(self._opened, Abridged):
            return self._opened.abridged(part, n, progress=progress).to(self.device)
        held = self._opened.latents(part, progress=progress)
        return held.subset(torch.arange(min(n, len(held)))).to(self.device)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Target attributes."""
        return resolve_attributes(self.domain, self.config)

    @cached_property
    def parts(self) -> tuple[LatentSet, LatentSet]:
        """As LT: the first 90 % of the training codes train, the last 10 % validate."""
        train = self.latents("train")
        order = torch.arange(len(train))
        cut = int(0.9 * len(train))
        return train.subset(order[:cut]), train.subset(order[cut:])

    @cached_property
    def heldout(self) -> LatentSet:
        """Held-out codes with the scoring judge's labels."""
        return self.latents("heldout")

    @cached_property
    def keys(self) -> list[Key]:
        """Every cell, in the order of the tables."""
        return [
            Key(method, attribute, direction, seed)
            for attribute in self.attributes
            for direction in DIRECTIONS
            for method in methods_of(self.config)
            if direction == "add" or method != CEILING  # it knows codes with the attribute only
            for seed in seeds_of(method, self.config)
        ]

    def editor_folder(self, key: Key) -> Path:
        """Where an editor is kept; what no seed can change is fitted once."""
        seed = key.seed if self.methods[key.method].uses_seed else "any"
        return self.out / "editors" / f"{key.method}_{file_part(key.attribute)}_{seed}"

    def editor(self, key: Key) -> Editor:
        """A fitted editor."""
        loaded = self.methods[key.method].load(self.editor_folder(key), self.domain.space)
        return loaded.to(self.device)

    def partner(self, key: Key) -> Partner | None:
        """The same method's edit of the next attribute, at 2 d; None where there is one only."""
        names = self.attributes
        if len(names) < 2:
            return None
        after = names[(names.index(key.attribute) + 1) % len(names)]
        other = key._replace(attribute=after)
        sign = 1.0 if key.direction == "add" else -1.0
        return Partner(self.editor(other), 2 * sign * self.strengths(other).d)

    def cell_path(self, key: Key) -> Path:
        """File of a cell."""
        return self.out / "cells" / f"{key.stem}.npz"

    def strengths_path(self, key: Key) -> Path:
        """File of the strengths of a cell."""
        return self.out / "strengths" / f"{key.stem}.json"

    def classifier_path(self, seed: int) -> Path:
        """File of the latent classifier of a seed."""
        return self.out / "classifiers" / f"{seed}.safetensors"

    def strengths(self, key: Key) -> Strengths:
        """What the edit stage left."""
        path = self.strengths_path(key)
        held = read_json(path, "strengths (stage edit)")
        try:
            return Strengths(held["d"], held["reached"], tuple(held["alphas"]),
                             tuple(held["in_range"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"strengths must be whole, remove {path}: {error!r}") from error

    def _edit_set(self, attribute: str, direction: str) -> EditSet:
        return edit_set(self.heldout, attribute, direction, self.config)

    def _source(self, attribute: str, direction: str) -> Source:
        return measure_source(self.domain, self.sources(attribute, direction), self.config)

    def _classifier(self, seed: int) -> LatentClassifier:
        path = self.classifier_path(seed)
        if not path.exists():
            raise FileNotFoundError(f"classifier must be trained before (stage classify): {path}.")
        space, names = self.domain.space, self.domain.attributes
        model = LatentClassifier(names, space, self.config.classifier_hidden)
        try:
            model.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise ValueError(f"classifier must be of this run, remove {path}: {error}") from error
        return model.to(self.device).eval().requires_grad_(False)
