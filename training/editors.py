"""Command: fit the shipped editors of LW neural, `python -m training.editors`.

One fit a seed and direction serves the three tasks of the digits domain: it adds a digit to images
of one to three, or removes one of two to four, and is left under the name of each attribute where
`benchmark/run.py` and the page look for it. It learns from the training codes (all but the
validation tenth) and from those of further images of the same digits, drawn afresh: with the
training codes alone the potential learns them by heart, and old digits begin to change. A fit
writes checkpoints to `--runs` and goes on from them, and what is there, of the same generator and
settings, is not fitted again. It keeps one core busy.
"""

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from benchmark.presets import NEURAL
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.data import digits_for, make_multimnist
from lwedit.domains import DigitsDomain
from lwedit.domains.digits import ASSETS, labels
from lwedit.editors import Card, FitData, LatentWassersteinNeural, NeuralConfig
from lwedit.latents import LatentSet
from lwedit.memory import keep_freed_memory

__all__ = ["main"]

_ATTRIBUTES = NEURAL["digits"].counts
_SEED = 21  # of the further images


def main(arguments: list[str] | None = None) -> int:
    """Fit what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--directions", nargs="+", choices=("add", "remove"),
                        default=("add", "remove"))
    parser.add_argument("--further", type=int, default=60_000, help="further images")
    parser.add_argument("--out", type=Path, default=ASSETS / "editors")
    parser.add_argument("--runs", type=Path, default=Path("runs/editors"), help="checkpoints")
    args = parser.parse_args(arguments)
    keep_freed_memory()
    torch.set_num_threads(1)  # sums in another order round differently
    domain = DigitsDomain.load()
    config = replace(NEURAL["digits"], directions=tuple(args.directions))
    train = domain.latents("train", progress=True)
    train = train.subset(torch.arange(int(0.9 * len(train))))
    train = _joined(train, _further(domain, args.further, args.runs))
    unused = LatentClassifier(train.attributes, train.space, ClassifierConfig().hidden[-1:])
    for seed in args.seeds:
        names = {attribute: f"lw_neural_{attribute}_{seed}" for attribute in _ATTRIBUTES}
        if all(_is_there(args.out / name, domain, config) for name in names.values()):
            print(f"seed {seed}: there")
            continue
        start, runs = time.monotonic(), args.runs / f"lw_neural_{seed}"
        data = FitData(train, train, unused, _ATTRIBUTES[0], seed)
        editor = LatentWassersteinNeural.fit(data, config, progress=True, checkpoints=runs)
        seconds = time.monotonic() - start
        for attribute, name in names.items():
            editor.attribute = attribute
            editor.save(args.out / name, Card(
                "benchmark/run.py: results/digits, whose config.json names the commit", "mit",
                f"Fitted on codes of MultiMNIST images, {args.further:,} further ones among them."))
            _write_card(args.out / name, args, config, seed, seconds)
        shutil.rmtree(runs)
    return 0


def _further(domain: DigitsDomain, n: int, runs: Path) -> LatentSet:
    """Codes of n images that are not the domain's, kept for the next start."""
    path = runs / f"further_{n}_{domain.space.generator[:12]}.npz"
    if path.exists():
        return LatentSet.load(path)
    pool = digits_for("domain", domain.geometry)
    images = make_multimnist(pool, n, domain.geometry, np.random.default_rng(_SEED))
    latents = LatentSet(domain.encode(images, progress=True), labels(images), domain.attributes,
                        domain.space)
    path.parent.mkdir(parents=True, exist_ok=True)
    latents.save(path)
    return latents


def _joined(a: LatentSet, b: LatentSet) -> LatentSet:
    return LatentSet(torch.cat([a.w, b.w]), torch.cat([a.y, b.y]), a.attributes, a.space)


def _is_there(folder: Path, domain: DigitsDomain, config: NeuralConfig) -> bool:
    """Whether an editor of this generator and these settings lies in a folder."""
    try:
        LatentWassersteinNeural.load(folder, domain.space)
        card = json.loads((folder / "fit.json").read_text())
    except (ValueError, OSError):
        return False
    return card["settings"] == json.loads(json.dumps(asdict(config)))


def _write_card(
    folder: Path, args: argparse.Namespace, config: NeuralConfig, seed: int, seconds: float
) -> None:
    card = {"seed": seed, "further_images": args.further, "settings": asdict(config),
            "seconds_of_last_sitting": round(seconds)}
    (folder / "fit.tmp").write_text(json.dumps(card, indent=1) + "\n")
    (folder / "fit.tmp").replace(folder / "fit.json")


if __name__ == "__main__":
    sys.exit(main())
