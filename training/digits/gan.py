"""Command: train StyleGAN2 on MultiMNIST, `python -m training.digits.gan --out DIR`.

Images are drawn without end from the `domain` pool of digits. Every few minutes the folder
receives a checkpoint (safetensors, written aside and renamed) and a sheet of samples from
fixed noise; the same command goes on from the checkpoint, and Ctrl-C loses nothing but the
minutes since the last one.
"""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lwedit.data import MultiMnistConfig, digits_for, make_multimnist
from lwedit.generators.sheet import sample_sheet
from lwedit.generators.stylegan2 import GeneratorConfig
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import to_unit_range
from training.gan.checkpoints import load_checkpoint, save_checkpoint
from training.gan.trainer import GanTrainer, TrainingConfig

__all__ = ["main"]

_CHUNK = 4096


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and train."""
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    for name in (signal.SIGINT, signal.SIGTERM):  # both end in a checkpoint, also in the background
        signal.signal(name, lambda *_: sys.exit(130))
    preset = MultiMnistConfig.paper() if args.size == 128 else MultiMnistConfig()
    channels = (128, 128, 64, 32, 16, 16)[: int(np.log2(args.size)) - 1]
    model = GeneratorConfig(size=args.size, dim=args.dim, channels=channels)
    trainer = GanTrainer(model, TrainingConfig(batch=args.batch, r1_gamma=args.r1,
                         ema_decay=args.ema, lr=args.lr, bf16=args.bf16), _rng(args.seed))
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if (out / "state.json").exists():
        load_checkpoint(trainer, out)
        trainer.rng = _rng(args.seed + trainer.steps)
    _run(trainer, args, preset, out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.digits.gan", description=__doc__)
    parser.add_argument("--out", required=True, help="folder of checkpoints and samples")
    parser.add_argument("--images", type=int, default=1_000_000, help="real images to show in all")
    parser.add_argument("--size", type=int, default=64, choices=(64, 128))
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2.5e-3)
    parser.add_argument("--r1", type=float, default=0.3)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--minutes", type=float, default=5.0, help="between two checkpoints")
    parser.add_argument("--bf16", action="store_true")
    return parser


def _rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _run(
    trainer: GanTrainer, args: argparse.Namespace, preset: MultiMnistConfig, out: Path
) -> None:
    digits = digits_for("domain", preset)
    draw = np.random.default_rng([args.seed, trainer.steps])
    z = torch.randn(64, args.dim, generator=_rng(1))
    bar = tqdm(total=args.images, initial=trainer.images_seen, unit="img", mininterval=10)
    saved = time.monotonic()
    try:
        while trainer.images_seen < args.images:
            chunk = to_unit_range(make_multimnist(digits, _CHUNK, preset, draw).images)
            for x in chunk[: args.images - trainer.images_seen].split(args.batch):
                losses = trainer.step(x)
                bar.update(len(x))
                if time.monotonic() - saved > 60 * args.minutes:
                    _report(trainer, z, out, losses._asdict())
                    saved = time.monotonic()
    finally:
        save_checkpoint(trainer, out)
        bar.close()


def _report(trainer: GanTrainer, z: torch.Tensor, out: Path, losses: dict[str, float]) -> None:
    save_checkpoint(trainer, out)
    sample_sheet(trainer.ema, z).save(out / f"samples_{trainer.images_seen:07d}.png")
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps({"images": trainer.images_seen, **losses}) + "\n")


if __name__ == "__main__":
    main()
