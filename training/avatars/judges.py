"""Command: train the judges and parsers of avatars, `python -m training.avatars.judges --out DIR`.

Four networks: a judge of all attributes and a parser of regions, each trained twice, on two
halves of the portraits that share none (`draw_half`). Those of the half `labelling` name what
editors are fitted on, those of `scoring` only measure. All see real portraits alone, mirrored,
shifted by up to two pixels and a little noisy, so that they do not rest on exact values that no
generator reaches; colours stay as they are, since attributes of colour are read from them. A
network that is there already is not trained again. `judges.json` tells how right each is on
portraits drawn anew.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lwedit.data.avatars import (
    ATTRIBUTES,
    REGIONS,
    attributes_of,
    compose,
    draw_factors,
    masks_of,
)
from lwedit.judges.faces import FaceJudge
from lwedit.judges.parsing import Parser, intersection_over_union
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import to_unit_range
from training.faces.judges import calibrate

HALVES = ("labelling", "scoring")
_BATCH = 64
_LR = 3e-3  # highest step size
_SHIFT = 2  # pixels
_NOISE = 0.06  # largest standard deviation, of values in [-1, 1]
_ASIDE = 2000  # portraits that probabilities are calibrated on
_CALIBRATION, _HELD_OUT = 101, 102  # seeds


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, train and measure."""
    parser = argparse.ArgumentParser(prog="python -m training.avatars.judges", description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--images", type=int, default=150_000, help="shown to each network")
    parser.add_argument("--limit", type=float, default=math.inf, help="minutes for each network")
    parser.add_argument("--heldout", type=int, default=4000)
    parser.add_argument("--only", choices=("judge", "parser"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    report = out / "judges.json"
    facts = json.loads(report.read_text()) if report.exists() else {}
    for half, seed in zip(HALVES, (0, 1), strict=True):
        for kind in ("judge", "parser"):
            name = f"{half}_{kind}"
            path = out / f"{name}.safetensors"
            if path.exists() or args.only not in (None, kind):
                continue
            torch.manual_seed(seed)  # first weights
            network = FaceJudge(ATTRIBUTES) if kind == "judge" else Parser(REGIONS)
            shown = fit(network, half, args.images, args.limit, name)
            if isinstance(network, FaceJudge):
                x, y = _labelled(draw_factors(_ASIDE, np.random.default_rng(_CALIBRATION)))
                network.scale_logits(*calibrate(network.logits(x), y.long()))
            network.save(path)
            measure = measure_judge if kind == "judge" else measure_parser
            facts[name] = {"images_shown": shown, **measure(path, args.heldout)}
            report.with_suffix(".tmp").write_text(json.dumps(facts, indent=1) + "\n")
            report.with_suffix(".tmp").replace(report)


def draw_half(n: int, rng: np.random.Generator, half: str) -> Int[np.ndarray, "n factors"]:
    """Balanced choices of one half: those whose indices have an even sum, or an odd one.

    Every part is as frequent in both halves, and no portrait is in both.

    Args:
        n: Number of portraits.
        rng: Source of the choices.
        half: One of `HALVES`.
    """
    kept = np.empty((0, draw_factors(0, rng).shape[1]), np.int64)
    while len(kept) < n:
        factors = draw_factors(2 * n, rng)
        kept = np.concatenate([kept, factors[factors.sum(axis=1) % 2 == HALVES.index(half)]])
    return kept[:n]


def fit(network: nn.Module, half: str, images: int, minutes: float, name: str) -> int:
    """Train in place, AdamW on one cycle of the step size; returns the images shown.

    The cycle ends at `images` or when the minutes are over, whichever comes first.
    """
    draw = np.random.default_rng([7, HALVES.index(half)])
    rng = torch.Generator().manual_seed(HALVES.index(half))
    loss = _judge_loss if isinstance(network, FaceJudge) else _parser_loss
    network.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    begun, shown, done = time.monotonic(), 0, 0.0
    with tqdm(total=images, desc=name, unit="img", mininterval=10) as bar:
        while done < 1:
            fall = (1 + math.cos(done * math.pi)) / 2
            for group in optimiser.param_groups:
                group["lr"] = _LR * min(fall, 0.05 + 10 * done)
            factors = draw_half(_BATCH, draw, half)
            optimiser.zero_grad(set_to_none=True)
            loss(network, factors, rng).backward()
            optimiser.step()
            shown += _BATCH
            done = max(shown / images, (time.monotonic() - begun) / (60 * minutes))
            bar.update(_BATCH)
    network.eval().requires_grad_(False)
    return shown


def _judge_loss(
    judge: nn.Module, factors: Int[np.ndarray, "n factors"], rng: torch.Generator
) -> Float[Tensor, ""]:
    x, y = _labelled(factors)
    x, _ = perturb(x, x.new_zeros(len(x), *x.shape[2:]), rng)
    return functional.binary_cross_entropy_with_logits(judge(x), y)


def _parser_loss(
    parser: nn.Module, factors: Int[np.ndarray, "n factors"], rng: torch.Generator
) -> Float[Tensor, ""]:
    x, masks = perturb(*_masked(factors), rng)
    return functional.cross_entropy(parser(x), masks.long())


def _labelled(
    factors: Int[np.ndarray, "n factors"],
) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n attributes"]]:
    return to_unit_range(compose(factors)), torch.from_numpy(attributes_of(factors)).float()


def _masked(
    factors: Int[np.ndarray, "n factors"],
) -> tuple[Float[Tensor, "n 3 h w"], UInt8[Tensor, "n h w"]]:
    return to_unit_range(compose(factors)), torch.from_numpy(masks_of(factors))


def perturb(
    x: Float[Tensor, "n 3 h w"], masks: Tensor, rng: torch.Generator
) -> tuple[Float[Tensor, "n 3 h w"], Tensor]:
    """Mirror half of the images, shift all by the same few pixels, add noise to each.

    Args:
        x: Images.
        masks: Their regions, moved alike.
        rng: Source of randomness.
    """
    mirror = torch.rand(len(x), 1, 1, generator=rng) < 0.5
    x = torch.where(mirror[:, None], x.flip(3), x)
    masks = torch.where(mirror, masks.flip(2), masks)
    top, left = torch.randint(2 * _SHIFT + 1, (2,), generator=rng).tolist()
    rows, columns = (
        (torch.arange(side) + start - _SHIFT).clamp(0, side - 1)
        for side, start in zip(x.shape[2:], (top, left), strict=True)
    )
    x, masks = x[:, :, rows][..., columns], masks[:, rows][..., columns]
    strength = _NOISE * torch.rand(len(x), 1, 1, 1, generator=rng)
    return x + strength * torch.randn(x.shape, generator=rng), masks


def measure_judge(path: Path, n: int) -> dict[str, int | float | dict[str, float]]:
    """Accuracy of every attribute on n portraits drawn anew, as the shipped file reads them."""
    x, y = _labelled(draw_factors(n, np.random.default_rng(_HELD_OUT)))
    right = (FaceJudge.load(path).logits(x) > 0) == (y > 0.5)
    accuracy = dict(zip(ATTRIBUTES, right.float().mean(dim=0).tolist(), strict=True))
    return {"heldout": n, "fully_right": right.all(dim=1).float().mean().item(),
            "accuracy": accuracy}


def measure_parser(path: Path, n: int) -> dict[str, int | float | dict[str, float]]:
    """Intersection over union of every region on n portraits drawn anew."""
    x, masks = _masked(draw_factors(n, np.random.default_rng(_HELD_OUT)))
    overlap = intersection_over_union(Parser.load(path).parse(x), masks, len(REGIONS))
    return {"heldout": n, "mean_iou": overlap.mean().item(),
            "iou": dict(zip(REGIONS, overlap.tolist(), strict=True))}


if __name__ == "__main__":
    main()
