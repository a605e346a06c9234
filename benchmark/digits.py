"""The tasks of digits: adding and removing one, from codes whose image is counted right.

Changed is what the count judge says, kept what the classes judge says; a strength is chosen in the
ways of `benchmark.strengths`, each of which has a cell of its own. Beside the cells the run leaves
tested.npz, the rows of the test codes; ceiling.npz, real images of as many digits as wanted, judged
as edits are; and facts.json.
"""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.cells import Cell, load_cell, read_arrays, save_cell
from benchmark.chosen import TestCodes, count_hits, latent_strengths, measure_at, move_of
from benchmark.files import read_json, write_json, write_npz
from benchmark.measure import has_changed
from benchmark.methods import look_of, seeds_of
from benchmark.presets import DigitsConfig
from benchmark.runs import Key, Run, Trial, Verdicts
from benchmark.strengths import CHOSEN, FITTED, PAPERS, Hits, choose_strength
from lwedit.classifier import LatentClassifier
from lwedit.domains import DigitsDomain, EditTask
from lwedit.domains.digits import DigitScores
from lwedit.judges.digits import truth
from lwedit.latents import LatentSet
from lwedit.metrics import as_wanted, kept, ssim
from lwedit.vocabulary import flatten_codes, to_unit_range

__all__ = ["TASKS", "DigitsRun", "of_count", "strategies_of"]

TASKS = {task.name: task for task in (*DigitsDomain.tasks, *DigitsDomain.removals)}


def of_count(latents: LatentSet, *counts: int) -> Tensor:
    """Mask of the codes whose image really has one of these numbers of digits."""
    columns = [latents.labels(f"at_least_{n}") for n in (2, 3, 4)]
    return torch.isin(1 + sum(columns), torch.tensor(counts).to(latents.w.device))


def strategies_of(method: str, task: EditTask) -> tuple[str, ...]:
    """How the strength of a method is chosen on a task; the paper's ways are of adding."""
    fitted = (FITTED,) if look_of(method).as_fitted else ()
    return (CHOSEN, *fitted, *(PAPERS if task.adds else ()))


class DigitsRun(Run):
    """A run on digits."""

    kind = "digits"
    config: DigitsConfig

    def __init__(self, config: DigitsConfig, out: Path, domain: DigitsDomain | None = None):
        super().__init__(config, out, domain)
        self.tests = lru_cache(maxsize=8)(self._test_codes)
        self.validation = lru_cache(maxsize=8)(self._validation_codes)

    def open_domain(self) -> DigitsDomain:
        """The shipped one."""
        return DigitsDomain.load()

    @cached_property
    def tasks(self) -> dict[str, EditTask]:
        """Edits by name."""
        return {name: task for name, task in TASKS.items() if name in self.config.tasks}

    @property
    def edits(self) -> list[tuple[str, str]]:
        """Attributes and directions, in the order of the tables."""
        return [(task.attribute, task.direction) for task in self.tasks.values()]

    def task(self, key: Key) -> EditTask:
        """The task of a cell."""
        (found,) = [task for task in TASKS.values()
                    if (task.attribute, task.direction) == (key.attribute, key.direction)]
        return found

    def key(self, method: str, task: str, seed: int | None = None) -> Key:
        """The cell of a method on a task, of the method's first seed unless given."""
        found, first = TASKS[task], seeds_of(method, self.config)[0]
        return Key(method, found.attribute, found.direction, first if seed is None else seed)

    def trial(self, key: Key) -> Trial:
        """Codes whose image is counted right; kept is whether every digit is still there."""
        task = self.task(key)
        codes, few = self.tests(task.name), self.validation(task.name)

        def seen(w: Tensor) -> DigitScores:
            return self.domain.score(self.domain.generate(w, self.config.batch))

        def sees(w: Tensor) -> Tensor:
            return has_changed(seen(w).count, task)

        def judge(w: Tensor, w_edit: Tensor) -> Verdicts:
            before, after = seen(w), seen(w_edit)
            left = kept(before.classes, after.classes, adding=task.adds)
            return Verdicts(has_changed(after.count, task).float(), left.float())

        return Trial(self.fit_data(key), codes.w, codes.targets, few.w, judge, sees)

    def cell(self, key: Key, strategy: str) -> Cell:
        """A measured cell."""
        return load_cell(self.cell_path(key, strategy), self.kind)

    def near(self, latents: LatentSet, key: Key) -> LatentSet:
        """Codes of the two numbers of digits of a task."""
        return latents.subset(of_count(latents, *self.task(key).sides))

    def chosen_path(self, key: Key) -> Path:
        """File of the one strength of a method on a task, whatever the seed."""
        return self.strengths_path(key._replace(seed=self.config.seeds[0]), "_chosen.json")

    def outputs(self, stage: str, key: Key) -> dict[str, list[Path]]:
        """What the parts of encode, edit and score leave."""
        if stage == "encode":
            names = ("facts.json", "tested.npz", "ceiling.npz")
            return {"codes": [self.out / "codes.json"], stage: [self.out / name for name in names]}
        strategies = strategies_of(key.method, self.task(key))
        if stage == "score":
            return {stage: [self.cell_path(key, strategy) for strategy in strategies]}
        latent = {"edit": [self.strengths_path(key, ".npz")]} if PAPERS[0] in strategies else {}
        return latent | {"choose": [self.chosen_path(key)]}

    def agreement(self, model: LatentClassifier, seed: int) -> tuple[Path, dict[str, Any]]:
        """How often the latent classifier tells the two sides of each task apart."""
        accuracy = {}
        for name, task in self.tasks.items():
            both = self.heldout.subset(of_count(self.heldout, *task.sides))
            accuracy[name] = model.accuracy(both)[both.column(task.attribute)].item()
        return self.out / f"classifier_{seed}.json", accuracy

    def do(self, part: str, key: Key) -> None:
        """Do a part of encode, edit or score."""
        {"codes": self._codes, "encode": self._encode, "edit": self._edit, "choose": self._choose,
         "score": self._score}[part](key)

    def _codes(self, _: Key) -> None:
        """Codes of the training images into the cache, once for all processes."""
        write_json(self.out / "codes.json", {"train": len(self.latents("train", progress=True))})

    def _encode(self, _: Key) -> None:
        """What the networks can do before any edit, on the held-out images."""
        heldout, domain = self.latents("heldout", progress=True), self.domain
        images = domain.images("heldout")
        x = to_unit_range(images.images).to(self.device)
        y = domain.generate(heldout.w, self.config.batch)
        real, again = domain.score(x), domain.score(y)
        counts, classes = (truth(images, name).to(self.device) for name in ("count", "classes"))
        counts = counts[:, 0]
        pairs = zip(x.split(500), y.split(500), strict=True)
        tests = {name: self.tests(name) for name in self.tasks}
        write_npz(self.out / "tested.npz",
                  {task.stem: tests[name].index for name, task in self.tasks.items()})
        write_npz(self.out / "ceiling.npz", self._ceiling(counts, again))
        write_json(self.out / "facts.json", {
            "heldout_images": len(x),
            "count_judge_real": _rate(real.count == counts),
            "classes_judge_real": _rate((real.classes == classes).all(dim=1)),
            "reconstruction_count_kept": _rate(again.count == counts),
            "reconstruction_classes_kept": _rate((again.classes == classes).all(dim=1)),
            "reconstruction_ssim": torch.cat([ssim(a, b) for a, b in pairs]).mean().item(),
            "left_out": {name: codes.left_out for name, codes in tests.items()},
            "measured": {name: len(codes.w) for name, codes in tests.items()},
        })

    def _ceiling(self, counts: Tensor, seen: DigitScores) -> dict[str, np.ndarray]:
        """Reconstructions of real images of as many digits as wanted, judged as edits are.

        Args:
            counts: Number of digits of every held-out image.
            seen: What the judges see in their reconstructions.
        """
        found = {}
        for task in self.tasks.values():
            these = (counts == task.wanted).nonzero()[:, 0][: self.config.test_images]
            count, classes, confidence, count_confidence = (field[these] for field in seen)
            accepted = as_wanted(count, count_confidence, classes, confidence, task.wanted)
            found[f"{task.stem}_accepted"] = accepted.cpu().numpy()
            found[f"{task.stem}_exact"] = (count == task.wanted).cpu().numpy()
        return found

    def _edit(self, key: Key) -> None:
        """The strengths that the latent classifier says, image by image; nothing is drawn."""
        config, task = self.config, self.task(key)
        codes = self.tests(task.name)
        steps = round(config.alpha_max / config.alpha_step)
        chosen = latent_strengths(
            move_of(self.editor(key), task, codes.w), self.classifier(key.seed), task, codes,
            torch.arange(1, steps + 1) * config.alpha_step,
        )
        write_npz(self.strengths_path(key, ".npz"),
                  {name: values.numpy() for name, values in chosen.items()})

    def _choose(self, key: Key) -> None:
        """One strength for all images and seeds: each seed edits its share of validation codes."""
        config, task = self.config, self.task(key)
        codes, seeds = self.validation(task.name), seeds_of(key.method, config)
        tried = config.strengths if key.method != "none" else config.strengths[:1]
        hits = dict.fromkeys(tried, Hits(0, 0))
        for i, seed in enumerate(seeds):
            before = type(codes.before)(*(field[i :: len(seeds)] for field in codes.before))
            mine = codes._replace(w=codes.w[i :: len(seeds)], before=before)
            move = move_of(self.editor(key._replace(seed=seed)), task, mine.w)
            for alpha in tried:
                more = count_hits(move, self.domain, task, mine, alpha, config.batch)
                hits[alpha] = Hits(*(a + b for a, b in zip(hits[alpha], more, strict=True)))
        write_json(self.chosen_path(key), {
            "alpha": task.sign * choose_strength(hits),
            "codes": len(codes.w),
            "hits": {f"{alpha:g}": found._asdict() for alpha, found in hits.items()},
        })

    def _score(self, key: Key) -> None:
        task = self.task(key)
        codes, strategies = self.tests(task.name), strategies_of(key.method, task)
        every = torch.ones(len(codes.w))
        chosen = read_json(self.chosen_path(key), "the strength of a method (stage edit)")
        alphas = {CHOSEN: float(chosen["alpha"]) * every, FITTED: task.sign * every}
        if PAPERS[0] in strategies:
            path = self.strengths_path(key, ".npz")
            if not path.exists():
                raise FileNotFoundError(
                    f"strengths must be chosen before (stage edit), missing: {path}."
                )
            held = read_arrays(path, "strengths")
            alphas |= {name: torch.from_numpy(alpha) for name, alpha in held.items()}
        move, classifier = move_of(self.editor(key), task, codes.w), self.classifier(key.seed)
        found: dict[bytes, Cell] = {}  # two strategies may have chosen the same
        for strategy in strategies:
            alpha = alphas[strategy]
            same = alpha.numpy().tobytes()
            if same not in found:
                found[same] = measure_at(move, classifier, self.domain, task, codes, alpha,
                                         self.config.batch)
            save_cell(self.cell_path(key, strategy), found[same])
            self.cell(key, strategy)  # what cannot be read, or is not finite, is said here

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
        self, task: EditTask, w: Tensor, index: Tensor, photo: Tensor | None
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


def _rate(hit: Tensor) -> float:
    return hit.float().mean().item()
