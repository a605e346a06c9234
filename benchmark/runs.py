"""A run: its cells by name, its folder, and what its tasks read, kept in memory.

`Run` is what all domains share. What differs is which codes a task starts from and which count as
changed and as kept: `benchmark.digits` and `benchmark.attributes`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import quote

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from benchmark.devices import check_device, move_domain
from benchmark.methods import methods_of, registry, seeds_of
from benchmark.presets import RunConfig
from lwedit.classifier import LatentClassifier
from lwedit.domains import Abridged
from lwedit.domains.base import Part
from lwedit.editors import Editor, FitData
from lwedit.latents import LatentSet

__all__ = ["Key", "Run", "Trial", "Verdicts", "Work", "file_part"]

_LONGEST = 80  # characters of an attribute in the name of a file


class Key(NamedTuple):
    """Which editor on which task."""

    method: str
    attribute: str
    direction: str
    seed: int

    @property
    def stem(self) -> str:
        """Name of its files."""
        return f"{self.method}_{file_part(self.attribute)}_{self.direction}_{self.seed}"

    @property
    def sign(self) -> int:
        """Of alpha."""
        return 1 if self.direction == "add" else -1


def file_part(name: str) -> str:
    """An attribute's name as part of a file's: what a path may not hold is escaped."""
    safe = quote(name, safe=" ()[]{}+=@!'&^~")
    if len(safe) <= _LONGEST:
        return safe
    return f"{safe[:_LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"


class Work(NamedTuple):
    """A piece of work: a stage, for which cell, and which part of the stage."""

    stage: str
    key: Key
    part: str


class Verdicts(NamedTuple):
    """What judges say of edited images, a number each.

    Attributes:
        changed: 1 where the edit is seen.
        kept: Share of the rest that is still there: digits of the image, or the other attributes.
    """

    changed: Float[Tensor, " n"]
    kept: Float[Tensor, " n"]


class Trial(NamedTuple):
    """One edit as the ablation and the measurements of transport try it: a run's codes and judges.

    Attributes:
        data: What editors learn from.
        source: Held-out codes to be edited.
        target: Held-out real codes of the target class.
        calibration: Other codes like the source, on which strengths are found.
        judge: Codes, edited codes -> verdicts; draws both.
        sees: Edited codes -> 1 where the edit is seen.
    """

    data: FitData
    source: Float[Tensor, "n layers dim"]
    target: Float[Tensor, "m layers dim"]
    calibration: Float[Tensor, "c layers dim"]
    judge: Callable[[Tensor, Tensor], Verdicts]
    sees: Callable[[Tensor], Tensor]


class Run(ABC):
    """A configuration and a folder.

    Args:
        config: Settings.
        out: Run folder.
        domain: That of the configuration unless given.
    """

    kind: ClassVar[str]  # of its cells
    config: Any  # of the kind's own class of settings

    def __init__(self, config: RunConfig, out: Path, domain: Any = None):
        self.config, self.out = config, Path(out)
        self.device = check_device(config.device)
        self.methods = registry(config.domain, config.own_method)
        self._given = domain
        self.classifier = lru_cache(maxsize=8)(self._classifier)

    # --- what differs ---

    @abstractmethod
    def open_domain(self) -> Any:
        """Networks and data, on the CPU."""

    @property
    @abstractmethod
    def edits(self) -> list[tuple[str, str]]:
        """Attributes and directions, in the order of the tables."""

    @abstractmethod
    def near(self, latents: LatentSet, key: Key) -> LatentSet:
        """The codes among given ones from which the editor of a cell learns."""

    @abstractmethod
    def outputs(self, stage: str, key: Key) -> dict[str, list[Path]]:
        """What the parts of a stage leave for a cell, if the stage is not one of all runs."""

    @abstractmethod
    def agreement(self, model: LatentClassifier, seed: int) -> tuple[Path, dict[str, Any]]:
        """How good the latent classifier of a seed is, and the file for it."""

    @abstractmethod
    def do(self, part: str, key: Key) -> dict[str, float] | None:
        """Do a part of a stage and leave its files; what else it cost, if anything."""

    @abstractmethod
    def key(self, method: str, edit: str, seed: int | None = None) -> Key:
        """The cell of a method on an edit that is named as in tables; of its first seed if None."""

    @abstractmethod
    def trial(self, key: Key) -> Trial:
        """The edit of a cell as it is tried outside of the tables."""

    # --- what all share ---

    @cached_property
    def opened(self) -> Any:
        """Networks and data, on the CPU."""
        return self.open_domain() if self._given is None else self._given

    @cached_property
    def domain(self) -> Any:
        """Networks, on the device of the run."""
        return move_domain(self.opened, self.device)

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:
        """Codes and labels, as many as the run asks for, on its device."""
        n = self.config.train_codes if part == "train" else self.config.heldout_codes
        if isinstance(self.opened, Abridged):
            return self.opened.abridged(part, n, progress=progress).to(self.device)
        held = self.opened.latents(part, progress=progress)
        return held.subset(torch.arange(min(n, len(held)))).to(self.device)

    @cached_property
    def heldout(self) -> LatentSet:
        """Held-out codes with their labels."""
        return self.latents("heldout")

    @cached_property
    def parts(self) -> tuple[LatentSet, LatentSet]:
        """As LT: the first 90 % of the training codes train, the last 10 % validate."""
        train = self.latents("train")
        order = torch.arange(len(train))
        cut = int(0.9 * len(train))
        return train.subset(order[:cut]), train.subset(order[cut:])

    @cached_property
    def keys(self) -> list[Key]:
        """Every cell, in the order of the tables."""
        return [
            Key(method, attribute, direction, seed)
            for attribute, direction in self.edits
            for method in methods_of(self.config, adds=direction == "add")
            for seed in seeds_of(method, self.config)
        ]

    def fit_data(self, key: Key, classifier: LatentClassifier | None = None) -> FitData:
        """What a method learns from.

        Args:
            key: Which cell.
            classifier: The latent classifier of its seed unless given.
        """
        classifier = self.classifier(key.seed) if classifier is None else classifier
        train, validation = self.parts
        few = train.subset(torch.arange(min(self.config.editor_codes, len(train))))
        return FitData(self.near(few, key), self.near(validation, key), classifier, key.attribute,
                       key.seed, getattr(self.domain, "generator", None),
                       self.config.settings.get("data", {}).get("layers"))

    def editor_folder(self, key: Key) -> Path:
        """Where an editor is kept; what no seed can change is fitted once."""
        seed = key.seed if self.methods[key.method].editor.uses_seed else "any"
        return self.out / "editors" / f"{key.method}_{file_part(key.attribute)}_{seed}"

    def editor(self, key: Key) -> Editor:
        """A fitted editor."""
        kind, folder = self.methods[key.method].editor, self.editor_folder(key)
        return kind.load(folder, self.opened.space).to(self.device)

    def cell_path(self, key: Key, strategy: str = "") -> Path:
        """File of a cell, where strengths are chosen in several ways one for each."""
        ending = f"_{strategy.replace(' ', '-')}" if strategy else ""
        return self.out / "cells" / f"{key.stem}{ending}.npz"

    def strengths_path(self, key: Key, ending: str = ".json") -> Path:
        """File of the strengths of a cell."""
        return self.out / "strengths" / f"{key.stem}{ending}"

    def classifier_path(self, seed: int) -> Path:
        """File of the latent classifier of a seed."""
        return self.out / "classifiers" / f"{seed}.safetensors"

    def _classifier(self, seed: int) -> LatentClassifier:
        path, hidden = self.classifier_path(seed), self.config.learning.hidden
        if not path.exists():
            raise FileNotFoundError(f"classifier must be trained before (stage classify): {path}.")
        model = LatentClassifier(self.opened.attributes, self.opened.space, hidden)
        try:
            model.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise ValueError(f"classifier must be of this run, remove {path}: {error}") from error
        return model.to(self.device).eval().requires_grad_(False)
