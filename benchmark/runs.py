"""A run of the digits benchmark: its cells by name, its folder, and what tasks read in memory."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from benchmark.devices import check_device, move_domain
from benchmark.measure import CHOSEN, FITTED, READINGS, TestCodes
from benchmark.methods import AS_FITTED, FLOORS, ONE_SEED, editor_class
from benchmark.presets import RunConfig
from lwedit.classifier import LatentClassifier
from lwedit.domains import DigitsDomain, EditTask
from lwedit.domains.digits import Part
from lwedit.editors import Editor
from lwedit.judges.train import truth
from lwedit.latents import LatentSet
from lwedit.vocabulary import flatten_codes

__all__ = ["FLOORS", "CellKey", "DigitsRun", "editor_folder", "methods_of", "of_count", "seeds_of",
           "strategies_of"]

_TASKS = {task.name: task for task in (*DigitsDomain.tasks, *DigitsDomain.removals)}


class CellKey(NamedTuple):
    """Which editor on which task."""

    method: str
    task: str
    seed: int

    @property
    def stem(self) -> str:
        """Name of its files."""
        return f"{self.method}_{_TASKS[self.task].stem}_{self.seed}"

    def path(self, out: Path, strategy: str) -> Path:
        """File of the cell in the run folder."""
        return out / "cells" / f"{self.stem}_{strategy.replace(' ', '-')}.npz"


def methods_of(config: RunConfig, task: str = "") -> tuple[str, ...]:
    """Methods in the order of the tables: floors, what was asked for, the ceiling.

    Args:
        config: Settings of the run.
        task: Name of an edit; real codes of the target class say nothing of removing.
    """
    *floors, ceiling = FLOORS
    named = config.methods
    if config.floors:
        named = (*floors, *(name for name in named if name not in FLOORS), ceiling)
    adds = not task or _TASKS[task].adds
    return tuple(name for name in named if adds or name != ceiling)


def seeds_of(method: str, config: RunConfig) -> tuple[int, ...]:
    """Seeds of a method.

    Floors that nobody asked for are measured with the first seed only, and so is what takes hours.
    """
    several = method in config.methods and method not in ONE_SEED
    return config.seeds if several else config.seeds[:1]


def strategies_of(method: str, task: str) -> tuple[str, ...]:
    """How the strength of a method is chosen on a task; the paper's readings are of adding."""
    fitted = (FITTED,) if method in AS_FITTED else ()
    return (CHOSEN, *fitted, *(READINGS if _TASKS[task].adds else ()))


def editor_folder(method: str, attribute: str, seed: int, out: Path) -> Path:
    """Where a run keeps an editor; what no seed can change is fitted once for all seeds."""
    name = seed if editor_class(method).uses_seed else "any"
    return out / "editors" / f"{method}_{attribute}_{name}"


def of_count(latents: LatentSet, count: int) -> torch.Tensor:
    """Mask of the codes whose image really has `count` digits."""
    columns = [latents.labels(f"at_least_{n}") for n in (2, 3, 4)]
    return 1 + sum(columns) == count


class DigitsRun:
    """A configuration and a folder, with what tasks read kept in memory.

    Args:
        config: Settings.
        out: Run folder.
        domain: The shipped one unless given.
    """

    def __init__(self, config: RunConfig, out: Path, domain: DigitsDomain | None = None):
        self.config, self.out = config, Path(out)
        self.device = check_device(config.device)
        self._given = domain
        self.classifier = lru_cache(maxsize=8)(self._classifier)
        self.tests = lru_cache(maxsize=8)(self._test_codes)
        self.validation = lru_cache(maxsize=8)(self._validation_codes)

    @cached_property
    def opened(self) -> DigitsDomain:
        """Networks and data, on the CPU."""
        return DigitsDomain.load() if self._given is None else self._given

    @cached_property
    def domain(self) -> DigitsDomain:
        """Networks, on the device of the run."""
        return move_domain(self.opened, self.device)

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:
        """Codes and labels, on the device of the run."""
        return self.opened.latents(part, progress=progress).to(self.device)

    @cached_property
    def heldout(self) -> LatentSet:
        """Codes of held-out images."""
        return self.latents("heldout")

    @cached_property
    def parts(self) -> tuple[LatentSet, LatentSet]:
        """As LT: the first 90 % of the training codes train, the last 10 % validate."""
        train = self.latents("train")
        order = torch.arange(min(self.config.train_codes, len(train)))
        cut = int(0.9 * len(order))
        return train.subset(order[:cut]), train.subset(order[cut:])

    @cached_property
    def tasks(self) -> dict[str, EditTask]:
        """Edits by name."""
        return {name: task for name, task in _TASKS.items() if name in self.config.tasks}

    @cached_property
    def keys(self) -> list[CellKey]:
        """Every cell, in the order of the tables."""
        return [
            CellKey(method, task, seed)
            for seed in self.config.seeds
            for task in self.tasks
            for method in methods_of(self.config, task)
            if seed in seeds_of(method, self.config)
        ]

    def editor_folder(self, key: CellKey) -> Path:
        """Where the editor of a cell is kept."""
        return editor_folder(key.method, self.tasks[key.task].attribute, key.seed, self.out)

    def editor(self, key: CellKey) -> Editor:
        """A fitted editor."""
        folder = self.editor_folder(key)
        return editor_class(key.method).load(folder, self.opened.space).to(self.device)

    def classifier_path(self, seed: int) -> Path:
        """File of the latent classifier of a seed."""
        return self.out / "classifiers" / f"{seed}.safetensors"

    def alphas_path(self, key: CellKey) -> Path:
        """File of the strengths of a cell under the paper's readings."""
        return self.out / "strengths" / f"{key.stem}.npz"

    def chosen_path(self, key: CellKey) -> Path:
        """File of the one strength of a method on a task, whatever the seed."""
        return self.out / "strengths" / f"{key.method}_{self.tasks[key.task].stem}.json"

    def _classifier(self, seed: int) -> LatentClassifier:
        path, settings = self.classifier_path(seed), self.config.classifier_hidden
        if not path.exists():
            raise FileNotFoundError(f"classifier must be trained before (stage classify): {path}.")
        model = LatentClassifier(self.opened.attributes, self.opened.space, settings)
        try:
            model.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise ValueError(f"classifier must be of this run, remove {path}: {error}") from error
        return model.to(self.device).eval().requires_grad_(False)

    def _test_codes(self, name: str) -> TestCodes:
        task, heldout = self.tasks[name], self.heldout
        index = of_count(heldout, task.count).nonzero()[:, 0][: self.config.test_images]
        shown = truth(self.opened.images("heldout"), "classes").to(self.device)
        return self._counted_right(task, heldout.w[index], index, shown[index])

    def _validation_codes(self, name: str) -> TestCodes:
        task, held = self.tasks[name], self.parts[1]
        index = of_count(held, task.count).nonzero()[:, 0][: self.config.validation_images]
        return self._counted_right(task, held.w[index], index, None)

    def _counted_right(
        self, task: EditTask, w: torch.Tensor, index: torch.Tensor, photo: torch.Tensor | None
    ) -> TestCodes:
        """Those codes whose reconstruction the count judge counts right."""
        scores = self.domain.score(self.domain.generate(w, self.config.batch))
        good = scores.count == task.count
        real = self.heldout.w[of_count(self.heldout, task.wanted)]
        flat = flatten_codes(real)
        spread = torch.cdist(flat, flat).fill_diagonal_(torch.inf).min(dim=1).values.mean()
        before = type(scores)(*(field[good] for field in scores))
        return TestCodes(
            w=w[good],
            index=index[good].cpu().numpy(),
            before=before,
            left_out=int((~good).sum()),
            targets=real,
            target_spread=spread.item(),
            photo=before.classes if photo is None else photo[good],
        )
