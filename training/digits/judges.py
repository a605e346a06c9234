"""Command: train the judges on real images, `python -m training.digits.judges --out DIR`.

Images are drawn without end from the `judges` pool of MNIST's training digits, each digit
turned, sheared and scaled a little, zero to six of them an image. Half of the images have one
to three distractors (`training.digits.distractors`), which count as nothing. Nothing generated, no
code and no digit of the `domain` or `heldout` pools is ever shown. The command ends by fitting
each judge's temperature on images of the `domain` pool with distractors in the same share,
measures both judges on held-out images, clean and with one distractor each, and writes
judges.json beside the weights.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from lwedit.data import (
    MnistDigits,
    MultiMnist,
    MultiMnistConfig,
    digits_for,
    load_mnist,
    make_multimnist,
    prepare_digits,
)
from lwedit.judges.digits import CLASSES, COUNT, DigitJudge, truth
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import to_unit_range
from training.digits.distractors import KINDS, add_distractors

__all__ = ["Answers", "answers", "fit_judge", "main", "measure"]

_CHUNK = 12_800
_SHARE, _MOST = 0.5, 3  # of the images have distractors, up to so many
_SURE = 0.9


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and train both judges."""
    parser = argparse.ArgumentParser(prog="python -m training.digits.judges", description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--images", type=int, default=400_000, help="shown to each judge")
    parser.add_argument("--size", type=int, default=64, choices=(64, 128))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", choices=("count", "classes"))
    parser.add_argument("--share", type=float, default=_SHARE,
                        help="of the images that get distractors")
    parser.add_argument("--again", action="store_true",
                        help="go on from the judge in --out: other images, half the step size; "
                        "judges.json keeps what that judge did as `before`")
    parser.add_argument("--calibrate", action="store_true",
                        help="train nothing, fit the temperatures of the judges in --out again")
    parser.add_argument("--reader", action="store_true",
                        help="train the encoder's reader on the domain pool instead of judges")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    geometry = MultiMnistConfig.paper() if args.size == 128 else MultiMnistConfig()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if args.reader:
        reader = fit_judge("classes", DigitJudge(CLASSES), geometry, args.images, pool="domain")
        reader.save(out / "reader.safetensors")
        return
    report = out / "judges.json"
    for name, head in (("count", COUNT), ("classes", CLASSES)):
        if args.only not in (None, name):
            continue
        path = out / f"{name}.safetensors"
        results = json.loads(report.read_text()) if report.exists() else {}
        about = results.get(name, {})
        if args.again or args.calibrate:
            judge = DigitJudge.load(path, head)
            if args.again:
                about["before"] = measure(judge, name, geometry)
            judge.divide_logits(1 / about.pop("temperature", 1.0))
            judge.requires_grad_(not args.calibrate)
        else:
            about, judge = {}, DigitJudge(head)
        if not args.calibrate:
            shown = about["images_shown"] = about.get("images_shown", 0) + args.images
            start = {"seed": shown, "peak_lr": 2e-3} if args.again else {}
            judge = fit_judge(name, judge, geometry, args.images, share=args.share, **start)
        about["temperature"] = _calibrate(judge, name, geometry, args.share)
        judge.save(path)
        results[name] = measure(judge, name, geometry) | {
            key: about[key] for key in ("images_shown", "temperature", "before") if key in about
        }
        report.write_text(json.dumps(results, indent=1) + "\n")


def _calibrate(
    judge: DigitJudge, name: str, geometry: MultiMnistConfig, share: float
) -> float:
    """One number, from images of a pool that is neither the judge's own nor the held-out one."""
    digits, draw = digits_for("domain", geometry), np.random.default_rng(98)
    images = make_multimnist(digits, 4000, geometry, draw)
    seen = add_distractors(images, digits, geometry, draw, share=share, most=_MOST).images
    return judge.calibrate(to_unit_range(seen.images), truth(seen, name))


def measure(judge: DigitJudge, name: str, geometry: MultiMnistConfig) -> dict:
    """What judges.json says of a judge: always the same held-out images.

    Returns:
        For clean images and, under "one_distractor", for others with one distractor each: how
        many, the share in which every quantity is right, in which all are sure (p > .9), in
        which they are both, and which share of the sure ones is right; for distractors also
        the share that is right by kind, touching a digit and apart.
    """
    digits, draw = digits_for("heldout", geometry), np.random.default_rng(99)
    clean = make_multimnist(digits, 5000, geometry, draw)
    laid = add_distractors(
        make_multimnist(digits, 2000, geometry, draw), digits, geometry, np.random.default_rng(97)
    )
    distracted, touching = answers(judge, name, laid.images), laid.touching[:, 0]
    parts = {"touching a digit": touching, "apart": ~touching}
    parts |= {kind: laid.kinds[:, 0] == k for k, kind in enumerate(KINDS)}
    parts = {part: float(distracted.right[where].mean()) for part, where in parts.items()}
    return answers(judge, name, clean).shares() | {
        "one_distractor": distracted.shares() | {"fully_right_by_kind": parts}
    }


class Answers(NamedTuple):
    """How a judge does on images.

    Attributes:
        right: Whether it says the truth of every quantity.
        sure: Whether it gives each of its answers a probability above .9.
    """

    right: Bool[np.ndarray, " n"]
    sure: Bool[np.ndarray, " n"]

    def shares(self) -> dict[str, int | float | None]:
        """What judges.json says of them."""
        right, sure = self
        return {
            "heldout_images": len(right),
            "fully_right": float(right.mean()),
            "sure": float(sure.mean()),
            "sure_and_right": float((sure & right).mean()),
            "right_where_sure": float(right[sure].mean()) if sure.any() else None,
        }


def answers(judge: DigitJudge, name: str, images: MultiMnist) -> Answers:
    """Let the judge of that name, "count" or "classes", read images whose truth is known."""
    best = judge.probabilities(to_unit_range(images.images)).max(dim=2)
    right = (best.indices == truth(images, name)).all(dim=1)
    return Answers(right.numpy(), (best.values > _SURE).all(dim=1).numpy())


def fit_judge(
    name: str,
    judge: DigitJudge,
    geometry: MultiMnistConfig,
    images: int,
    *,
    pool: Literal["judges", "domain"] = "judges",
    share: float = 0.0,
    seed: int = 7,
    peak_lr: float = 4e-3,
    batch: int = 64,
) -> DigitJudge:
    """Train one judge with a one-cycle schedule and label smoothing of 0.02.

    Args:
        name: "count" or "classes", which truth it learns.
        judge: Network, changed in place.
        geometry: Geometry of the images; the number of digits is widened to 0-6 (0-5 for
            classes, whose levels end at four).
        images: How many images to show.
        pool: Whose digits are shown; "domain" makes a reader for the encoder's loss, which
            must never judge.
        share: Of the images that get one to three distractors.
        seed: Seed of the images.
        peak_lr: Highest step size of the schedule.
        batch: Images a step.
    """
    most = COUNT.levels - 1 if name == "count" else geometry.max_digits + 1
    wide = MultiMnistConfig(geometry.size, geometry.patch, geometry.gap, 0, most)
    mnist = load_mnist("train")
    part = slice(30_000, None) if pool == "judges" else slice(0, 30_000)
    mnist = MnistDigits(mnist.images[part], mnist.labels[part])
    draw, lay = np.random.default_rng([seed, most]), np.random.default_rng([seed, most, 1])
    rng = torch.Generator().manual_seed(seed - 7 + most)
    judge.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=1e-3)
    steps = math.ceil(images / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak_lr, total_steps=steps + 1)
    bar = tqdm(total=images, desc=f"{name} judge", unit="img", mininterval=5)
    for start in range(0, images, _CHUNK):
        digits = prepare_digits(_jitter(mnist, rng), wide)
        part = make_multimnist(digits, min(_CHUNK, images - start), wide, draw)
        part = add_distractors(part, digits, wide, lay, share=share, most=_MOST).images
        x, y = to_unit_range(part.images), truth(part, name).clamp(max=judge.head.levels - 1)
        for xb, yb in zip(x.split(batch), y.split(batch), strict=True):
            loss = functional.cross_entropy(
                judge(xb).flatten(0, 1), yb.flatten(), label_smoothing=0.02
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            bar.update(len(xb))
    bar.close()
    return judge.eval().requires_grad_(False)


def _jitter(mnist: MnistDigits, rng: torch.Generator) -> MnistDigits:
    """Turn by up to 12 degrees, shear and scale by up to a tenth."""
    n = len(mnist.labels)
    u = 2 * torch.rand(4, n, generator=rng) - 1
    angle, shear = u[0] * math.radians(12), 0.1 * u[1]
    sx, sy = 1 + 0.1 * u[2], 1 + 0.1 * u[3]
    row0 = torch.stack([sx * angle.cos(), -sy * angle.sin() + shear, torch.zeros(n)], dim=1)
    row1 = torch.stack([sx * angle.sin(), sy * angle.cos(), torch.zeros(n)], dim=1)
    theta: Float[Tensor, "n 2 3"] = torch.stack([row0, row1], dim=1)
    ink = torch.from_numpy(mnist.images.copy())[:, None].float()
    grid = functional.affine_grid(theta, list(ink.shape), align_corners=False)
    moved = functional.grid_sample(ink, grid, align_corners=False)
    return MnistDigits(moved[:, 0].round().to(torch.uint8).numpy(), mnist.labels)


if __name__ == "__main__":
    main()
