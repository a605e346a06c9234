"""Command: adversarial training that starts from an autoencoder.

    python -m training.digits.autoencoder --train-generator --tie-cells --out runs/warm  # 1.
    python -m training.digits.joint --tie-cells --warm runs/warm --out runs/joint  # 2. this
    python -m training.digits.ship --run runs/joint  # 3. assets/digits

The first start fits the mapping network to the encoder's codes; then generator, discriminator
and encoder train together. Checkpoints are resumable, as in the other two commands.
"""

import argparse
import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from lwedit.data import MultiMnistConfig, digits_for, make_multimnist
from lwedit.generators import GeneratorConfig
from lwedit.generators.sheet import sample_sheet
from lwedit.inversion.encoder import Encoder
from lwedit.judges import CLASSES, DigitJudge
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import to_unit_range
from training.digits.autoencoder import reader_features, reconstruction_sheet
from training.digits.joint_trainer import JointTrainer
from training.digits.mapping_fit import MappingFitConfig, fit_mapping
from training.digits.projected import ProjectedDiscriminator
from training.gan.checkpoints import load_checkpoint, save_checkpoint
from training.gan.trainer import TrainingConfig

__all__ = ["main"]

_CHUNK = 4096
_DISCRIMINATOR = (128, 128, 64, 32, 16, 16)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.projected and args.reader is None:
        parser.error("--projected needs --reader, the network that it looks through")
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: sys.exit(130))
    warm, out = Path(args.warm), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    sizes = json.loads((warm / "state.json").read_text())["model"]
    model = GeneratorConfig(**{**sizes, "channels": tuple(sizes["channels"])})
    if not (out / "state.json").exists():
        model = replace(
            model, mapping_layers=args.mapping_layers, mapping_width=args.mapping_width
        )
    encoder = Encoder(model.size, model.image_channels, model.layers, model.dim)
    settings = TrainingConfig(
        batch=args.batch,
        lr=args.lr,
        r1_gamma=args.r1,
        mixing=args.mixing,
        bf16=args.bf16,
        discriminator_channels=_DISCRIMINATOR[: len(model.channels)],
    )
    rng = torch.Generator().manual_seed(args.seed)
    trainer = JointTrainer(
        model,
        settings,
        rng,
        encoder,
        reconstruction_weight=args.reconstruction_weight,
        features=reader_features(args.reader),
        feature_weight=args.feature_weight,
        residual_weight=args.residual_weight,
        tie_cells=args.tie_cells,
        discriminator=_projected(Path(args.reader)) if args.projected else None,
    )
    geometry = MultiMnistConfig.paper() if model.size == 128 else MultiMnistConfig()
    digits = digits_for("domain", geometry)
    if (out / "state.json").exists():
        load_checkpoint(trainer, out)
        trainer.encoder.load_state_dict(load_file(out / "encoder.safetensors"))
        trainer.ema_encoder.load_state_dict(load_file(out / "encoder_ema.safetensors"))
        trainer.rng = torch.Generator().manual_seed(args.seed + trainer.steps)
    else:
        fitting = MappingFitConfig(flow_steps=args.mapping_steps, bf16=args.bf16)
        _start_from(trainer, warm, geometry, fitting)
    _run(trainer, args, geometry, digits, out)


def _projected(reader: Path) -> ProjectedDiscriminator:
    trunk = DigitJudge.load(reader, CLASSES).trunk
    return ProjectedDiscriminator([trunk[:3], trunk[3], trunk[4]], (32, 64, 128))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.digits.joint")
    parser.add_argument(
        "--warm", required=True, help="folder of the autoencoder; the run itself to go on with it"
    )
    parser.add_argument("--out", required=True)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--r1", type=float, default=0.3)
    parser.add_argument("--reconstruction-weight", type=float, default=10.0)
    parser.add_argument("--reader", help="reader.safetensors, whose features are compared")
    parser.add_argument("--feature-weight", type=float, default=0.05)
    parser.add_argument("--residual-weight", type=float, default=1e-2)
    parser.add_argument("--tie-cells", action="store_true", help="see Synthesis.tie_cells")
    parser.add_argument("--mixing", type=float, default=0.5, help="share with style mixing")
    parser.add_argument("--mapping-steps", type=int, default=2000, help="see fit_mapping")
    parser.add_argument("--mapping-layers", type=int, default=4)
    parser.add_argument("--mapping-width", type=int, default=0)
    parser.add_argument(
        "--projected", action="store_true", help="tell images apart in the reader's features"
    )
    parser.add_argument("--bf16", action="store_true", help="for CPUs with the instructions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--minutes", type=float, default=5.0)
    return parser


def _start_from(
    trainer: JointTrainer, warm: Path, geometry: MultiMnistConfig, fitting: MappingFitConfig
) -> None:
    """Autoencoder's averaged weights, and a mapping fitted to the codes of real images.

    The mean residual of each layer moves from the encoder into the generator's affines, so that
    one code for all layers, which is what f(z) is, means there what it means to the encoder.
    """
    synthesis, encoder = trainer.generator.synthesis, trainer.ema_encoder
    synthesis.load_state_dict(load_file(warm / "synthesis_ema.safetensors"))
    encoder.load_state_dict(load_file(warm / "encoder_ema.safetensors"))
    digits = digits_for("domain", geometry)
    images = make_multimnist(digits, 40_000, geometry, np.random.default_rng(3)).images
    with torch.no_grad():
        parts = [encoder.parts(x) for x in to_unit_range(images).split(250)]
    shift = torch.cat([residual for _, residual in parts]).mean(dim=0)
    synthesis.absorb(shift)
    encoder.w_mean -= shift
    codes = torch.cat([(base + residual - shift).mean(dim=1) for base, residual in parts])
    rng = torch.Generator().manual_seed(0)
    fit_mapping(trainer.generator.mapping, codes, fitting, rng, progress=True)
    trainer.encoder.load_state_dict(encoder.state_dict())
    trainer.ema.load_state_dict(trainer.generator.state_dict())


def _run(
    trainer: JointTrainer,
    args: argparse.Namespace,
    geometry: MultiMnistConfig,
    digits: object,
    out: Path,
) -> None:
    draw = np.random.default_rng([args.seed, trainer.steps])
    z = torch.randn(64, trainer.generator.config.dim, generator=torch.Generator().manual_seed(1))
    sample_sheet(trainer.ema, z).save(out / f"samples_{trainer.images_seen:07d}.png")
    bar = tqdm(total=args.images, initial=trainer.images_seen, unit="img", mininterval=10)
    saved, errors = time.monotonic(), []
    try:
        while trainer.images_seen < args.images:
            chunk = to_unit_range(make_multimnist(digits, _CHUNK, geometry, draw).images)
            for x in chunk[: args.images - trainer.images_seen].split(args.batch):
                losses = trainer.step(x)
                errors.append(trainer.pixel_error)
                bar.update(len(x))
                if time.monotonic() - saved > 60 * args.minutes:
                    record = losses._asdict() | {"pixels": float(np.mean(errors))}
                    _report(trainer, chunk[:32], z, out, record)
                    saved, errors = time.monotonic(), []
    finally:
        _save(trainer, out)
        bar.close()


def _report(
    trainer: JointTrainer, x: torch.Tensor, z: torch.Tensor, out: Path, record: dict[str, float]
) -> None:
    _save(trainer, out)
    sample_sheet(trainer.ema, z).save(out / f"samples_{trainer.images_seen:07d}.png")
    y = trainer.ema(trainer.ema_encoder.encode(x)).detach()
    reconstruction_sheet(x, y).save(out / f"images_{trainer.images_seen:07d}.png")
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps({"images": trainer.images_seen, **record}) + "\n")


def _save(trainer: JointTrainer, out: Path) -> None:
    for name, module in (("encoder", trainer.encoder), ("encoder_ema", trainer.ema_encoder)):
        state = {key: value.contiguous() for key, value in module.state_dict().items()}
        save_file(state, out / f"{name}.tmp")
        (out / f"{name}.tmp").replace(out / f"{name}.safetensors")
    save_checkpoint(trainer, out)


if __name__ == "__main__":
    main()
