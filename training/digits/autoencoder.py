"""Command: train the encoder on MultiMNIST, `python -m training.digits.autoencoder --out DIR`.

With `--generator FILE` the encoder learns through that frozen generator; with
`--train-generator` the synthesis network learns too (from scratch unless a file is given).
The folder receives resumable checkpoints (safetensors) and a sheet of held-in images above
their reconstructions; the same command goes on from there.
"""

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from lwedit.data import MultiMnistConfig, digits_for, make_multimnist
from lwedit.generators import GeneratorConfig, Synthesis
from lwedit.generators.checkpoints import load_generator
from lwedit.inversion.encoder import Encoder
from lwedit.judges import CLASSES, DigitJudge
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import from_unit_range, to_unit_range
from training.digits.autoencoder_trainer import AutoencoderConfig, AutoencoderTrainer, Features

__all__ = ["main", "reader_features", "reconstruction_sheet"]

_CHUNK = 4096


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.generator is None and not args.train_generator:
        parser.error("one of --generator and --train-generator must be given")
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: sys.exit(130))
    torch.manual_seed(args.seed)
    synthesis, encoder = _networks(args)
    geometry = MultiMnistConfig.paper() if synthesis.config.size == 128 else MultiMnistConfig()
    config = AutoencoderConfig(
        batch=args.batch,
        residual_weight=args.residual_weight,
        feature_weight=0.0 if args.reader is None else args.feature_weight,
        train_generator=args.train_generator,
        tie_cells=args.tie_cells,
        bf16=args.bf16,
    )
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    trainer = AutoencoderTrainer(synthesis, encoder, config, reader_features(args.reader))
    if (out / "state.json").exists():
        _load(trainer, out)
    _run(trainer, args, geometry, out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.digits.autoencoder", description=__doc__
    )
    parser.add_argument("--out", required=True)
    parser.add_argument("--generator", metavar="FILE", help="generator.safetensors to start from")
    parser.add_argument("--train-generator", action="store_true")
    parser.add_argument("--tie-cells", action="store_true", help="see Synthesis.tie_cells")
    parser.add_argument("--reader", metavar="FILE", help="weights whose features are compared")
    parser.add_argument("--feature-weight", type=float, default=0.06)
    parser.add_argument("--images", type=int, default=400_000)
    parser.add_argument("--size", type=int, default=64, choices=(64, 128))
    parser.add_argument("--dim", type=int, default=320)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--residual-weight", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--bf16", action="store_true", help="for CPUs with the instructions")
    parser.add_argument("--minutes", type=float, default=5.0, help="between two checkpoints")
    parser.add_argument("--decay-from", type=float, default=0.7, help="share after which lr falls")
    return parser


def reader_features(path: str | None) -> Features | None:
    """The frozen convolutions of a reader as phi, or None without a path."""
    return None if path is None else DigitJudge.load(Path(path), CLASSES).maps


def _networks(args: argparse.Namespace) -> tuple[Synthesis, Encoder]:
    if args.generator is None:
        channels = (args.dim, 128, 64, 32, 16, 16)[: int(np.log2(args.size)) - 1]
        synthesis = Synthesis(GeneratorConfig(size=args.size, dim=args.dim, channels=channels))
        synthesis.localise()
        w_mean = torch.zeros(args.dim)
    else:
        generator = load_generator(Path(args.generator))
        synthesis, w_mean = generator.synthesis, generator.w_mean
    model = synthesis.config
    encoder = Encoder(model.size, model.image_channels, model.layers, model.dim)
    encoder.w_mean.copy_(w_mean)
    return synthesis, encoder


def _run(
    trainer: AutoencoderTrainer, args: argparse.Namespace, geometry: MultiMnistConfig, out: Path
) -> None:
    digits = digits_for("domain", geometry)
    draw = np.random.default_rng([args.seed, trainer.steps])
    bar = tqdm(total=args.images, initial=trainer.images_seen, unit="img", mininterval=10)
    saved, recent = time.monotonic(), []
    try:
        while trainer.images_seen < args.images:
            chunk = to_unit_range(make_multimnist(digits, _CHUNK, geometry, draw).images)
            for x in chunk[: args.images - trainer.images_seen].split(args.batch):
                done = trainer.images_seen / args.images
                scale = min(1.0, (1 - done) / max(1 - args.decay_from, 1e-9) + 0.01)
                recent.append(trainer.step(x, lr_scale=scale))
                bar.update(len(x))
                if time.monotonic() - saved > 60 * args.minutes:
                    _report(trainer, chunk[:32], out, np.mean(recent, axis=0).tolist())
                    saved, recent = time.monotonic(), []
    finally:
        _save(trainer, out)
        bar.close()


def _report(
    trainer: AutoencoderTrainer, x: torch.Tensor, out: Path, losses: list[float]
) -> None:
    _save(trainer, out)
    sheet = reconstruction_sheet(x, trainer.ema_synthesis(trainer.ema_encoder.encode(x)))
    sheet.save(out / f"images_{trainer.images_seen:07d}.png")
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps({"images": trainer.images_seen, "losses": losses}) + "\n")


def reconstruction_sheet(x: torch.Tensor, y: torch.Tensor, columns: int = 8) -> Image.Image:
    """Rows of images, each above the row of their reconstructions, dark ink on white."""
    pairs = np.stack([from_unit_range(x), from_unit_range(y)])[:, :, 0]  # (2, n, side, side)
    n, side = pairs.shape[1] // columns, pairs.shape[-1]
    grid = pairs[:, : n * columns].reshape(2, n, columns, side, side)
    return Image.fromarray(
        255 - grid.transpose(1, 0, 3, 2, 4).reshape(2 * n * side, columns * side)
    )


def _save(trainer: AutoencoderTrainer, folder: Path) -> None:
    parts = {
        "encoder": trainer.encoder.state_dict(),
        "encoder_ema": trainer.ema_encoder.state_dict(),
        "synthesis": trainer.synthesis.state_dict(),
        "synthesis_ema": trainer.ema_synthesis.state_dict(),
    }
    for name, tensors in parts.items():
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / f"{name}.tmp")
        (folder / f"{name}.tmp").replace(folder / f"{name}.safetensors")
    state = {"steps": trainer.steps, "images": trainer.images_seen,
             "model": asdict(trainer.synthesis.config), "training": asdict(trainer.config)}
    (folder / "state.tmp").write_text(json.dumps(state, indent=1))
    (folder / "state.tmp").replace(folder / "state.json")


def _load(trainer: AutoencoderTrainer, folder: Path) -> None:
    parts = {"encoder": trainer.encoder, "encoder_ema": trainer.ema_encoder,
             "synthesis": trainer.synthesis, "synthesis_ema": trainer.ema_synthesis}
    for name, module in parts.items():
        module.load_state_dict(load_file(folder / f"{name}.safetensors"))
    state = json.loads((folder / "state.json").read_text())
    trainer.steps, trainer.images_seen = state["steps"], state["images"]


if __name__ == "__main__":
    main()
