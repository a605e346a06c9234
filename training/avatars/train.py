"""Command: train StyleGAN2 on avatars, `python -m training.avatars.train --out DIR`.

Portraits are drawn without end from the balanced distribution. The same command goes on from the
folder's checkpoint, on `cpu` or `cuda`, whichever of the two wrote it; it needs torch, numpy,
safetensors and jaxtyping alone. A time limit, Ctrl-C and a signal all end in a checkpoint.
"""

import argparse
import json
import multiprocessing
import signal
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lwedit.data.avatars import make_avatars
from lwedit.generators import GeneratorConfig
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import from_unit_range, to_unit_range
from training.gan.checkpoints import load_checkpoint, save_checkpoint
from training.gan.trainer import GanLosses, GanTrainer, TrainingConfig

_LOG_EVERY = 1000  # images
_PIECE = 1000  # portraits that a process draws at a time


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and train."""
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True  # every batch has the same shape
    keep_freed_memory()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: sys.exit(130))
    model = GeneratorConfig(size=args.size, image_channels=3, dim=args.dim,
                            channels=tuple(args.channels))
    config = TrainingConfig(batch=args.batch, lr=args.lr, r1_gamma=args.r1, mixing=args.mixing,
                            ema_decay=args.ema, bf16=not args.float32,
                            discriminator_channels=tuple(args.discriminator_channels))
    trainer = GanTrainer(model, config, _rng(args.seed), device=args.device)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if (out / "state.json").exists():
        load_checkpoint(trainer, out)
        trainer.rng = _rng(args.seed + trainer.steps)
    _run(trainer, args, out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.avatars.train", description=__doc__)
    parser.add_argument("--out", required=True, help="folder of checkpoints and samples")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit", type=float, default=1e9, help="minutes after which to stop")
    parser.add_argument("--images", type=int, default=10**9, help="real images to show in all")
    parser.add_argument("--size", type=int, default=64, choices=(64, 128))
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--channels", type=int, nargs="+", default=(128, 128, 64, 48, 32))
    parser.add_argument("--discriminator-channels", type=int, nargs="*", default=())
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2.5e-3)
    parser.add_argument("--r1", type=float, default=1.0)
    parser.add_argument("--mixing", type=float, default=0.5)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--float32", action="store_true", help="instead of bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--minutes", type=float, default=5.0, help="between two checkpoints")
    parser.add_argument("--pool", type=int, default=0, help="draw so many portraits first, one "
                        "process a core, and sample from them (for a GPU); 0 draws for every step")
    return parser


def _rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _run(trainer: GanTrainer, args: argparse.Namespace, out: Path) -> None:
    begun = saved = logged = time.monotonic()
    logged_at = trainer.images_seen
    z = torch.randn(64, args.dim, generator=_rng(1)).to(trainer.device)
    try:
        for x in _portraits(args, trainer.steps):
            losses, now = trainer.step(x), time.monotonic()
            if trainer.images_seen - logged_at >= _LOG_EVERY:
                _log(out, trainer, losses, (trainer.images_seen - logged_at) / (now - logged))
                logged, logged_at = now, trainer.images_seen
            if now - saved > 60 * args.minutes:
                _report(trainer, z, out)
                saved = now
            if trainer.images_seen >= args.images or now - begun > 60 * args.limit:
                break
    finally:
        _report(trainer, z, out)


def _portraits(args: argparse.Namespace, step: int) -> Iterator[Float[Tensor, "batch 3 h w"]]:
    """Batches of portraits without end, another sequence after every resumption."""
    draw = np.random.default_rng([args.seed, step])
    if not args.pool:
        while True:
            yield to_unit_range(make_avatars(args.batch, draw, size=args.size).images)
    seeds = [[args.seed, step, i] for i in range(-(-args.pool // _PIECE))]
    context = multiprocessing.get_context("spawn")  # a process with CUDA must not be forked
    with ProcessPoolExecutor(mp_context=context) as processes:
        pieces = processes.map(_piece, seeds, [args.size] * len(seeds))
        pool = torch.cat([torch.from_numpy(piece) for piece in pieces]).to(args.device)
    while True:
        chosen = torch.from_numpy(draw.integers(len(pool), size=args.batch)).to(args.device)
        yield to_unit_range(pool[chosen])


def _piece(seed: list[int], size: int) -> UInt8[np.ndarray, "n 3 size size"]:
    return make_avatars(_PIECE, np.random.default_rng(seed), size=size).images


def _log(out: Path, trainer: GanTrainer, losses: GanLosses, speed: float) -> None:
    line = {"images": trainer.images_seen, "images_per_second": round(speed, 1)}
    line |= {name: round(value, 4) for name, value in losses._asdict().items()}
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")


def _report(trainer: GanTrainer, z: Float[Tensor, "n dim"], out: Path) -> None:
    """A checkpoint, and samples of the averaged generator."""
    save_checkpoint(trainer, out)
    with torch.no_grad():
        x = from_unit_range(trainer.ema(trainer.ema.codes(z)))
    _write_png(x, out / f"samples_{trainer.images_seen:08d}.png")


def _write_png(x: UInt8[np.ndarray, "n 3 side side"], path: Path, columns: int = 8) -> None:
    """A sheet of images; written by hand so that training needs no imaging library."""
    side = x.shape[-1]
    grid = x.reshape(-1, columns, 3, side, side).transpose(0, 3, 1, 4, 2)
    rows = grid.reshape(-1, columns * side * 3)
    filtered = np.pad(rows, ((0, 0), (1, 0)))  # each row begins with its filter, 0: none
    header = struct.pack(">IIBBBBB", columns * side, len(rows), 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b""))
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in chunks:
            file.write(struct.pack(">I", len(data)) + name + data)
            file.write(struct.pack(">I", zlib.crc32(name + data)))


if __name__ == "__main__":
    main()
