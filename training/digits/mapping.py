"""Command: fit a flow mapping to the codes of a finished training.

    python -m training.digits.mapping --run runs/joint --out runs/flow
    python -m training.digits.ship --run runs/joint --mapping runs/flow

Encodes new images of the `domain` pool with the run's averaged encoder, averages each code over the
layers (the residuals between layers are small) and teaches `lwedit.generators.flow_mapping` to
draw such codes, and a smaller guide after it. Generator and encoder stay as they are. Checkpoints
are resumable; mapping.safetensors and mapping.json are written at the end.
"""

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from lwedit.data import MultiMnistConfig, digits_for, make_multimnist
from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.checkpoints import MAPPING_FILE
from lwedit.generators.flow_mapping import FlowConfig, FlowMapping
from lwedit.generators.sheet import sample_sheet
from lwedit.inversion.encoder import Encoder
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import to_unit_range
from training.digits.flow_fit import FlowFitConfig, FlowTrainer, guided

__all__ = ["main"]

_CHUNK = 5000  # images encoded at a time


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and train."""
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: sys.exit(130))
    args.out.mkdir(parents=True, exist_ok=True)
    sizes = json.loads((args.run / "state.json").read_text())["model"]
    model = GeneratorConfig(**{**sizes, "channels": tuple(sizes["channels"])})
    generator = Generator(model).eval().requires_grad_(False)
    generator.load_state_dict(load_file(args.run / "generator_ema.safetensors"))
    codes = _codes(args.run, model, args.codes, args.out / "codes.safetensors")
    flow = FlowConfig(args.width, args.depth, args.path_steps)
    config = FlowFitConfig(args.steps, args.batch, args.lr, bf16=args.bf16, compiled=args.compile)
    main_flow = _trainer(flow, codes, config, args.out, args.seed)
    small = FlowConfig(args.guide_width, args.guide_depth, args.path_steps)
    short = replace(config, steps=args.guide_steps, lr=args.guide_lr)
    guide = _trainer(small, codes, short, args.out / "guide", args.seed)
    try:
        _train(main_flow, generator, args.out, args.minutes)
        _train(guide, generator, args.out / "guide", args.minutes)
    finally:
        if guide.done:
            _write(main_flow, guide, args)


def _trainer(
    flow: FlowConfig, codes: Float[Tensor, "n dim"], config: FlowFitConfig, out: Path, seed: int
) -> FlowTrainer:
    torch.manual_seed(seed)  # first weights
    trainer = FlowTrainer(FlowMapping(codes.shape[1], flow), codes, config, seed)
    if (out / "flow.json").exists():
        trainer.load(out)
    return trainer


def _write(main_flow: FlowTrainer, guide: FlowTrainer, args: argparse.Namespace) -> None:
    """The mapping as `training.digits.ship` wants it."""
    whole = guided(main_flow.average, guide.average, args.guidance, args.path_steps)
    save_file(whole.state_dict(), args.out / "mapping.tmp")
    (args.out / "mapping.tmp").replace(args.out / MAPPING_FILE)
    about = {
        "flow": asdict(whole.config),
        "codes": len(main_flow.codes),
        "updates": main_flow.done,
        "guide_updates": guide.done,
        "training": asdict(main_flow.config),
    }
    (args.out / "mapping.tmp").write_text(json.dumps(about, indent=1) + "\n")
    (args.out / "mapping.tmp").replace(args.out / "mapping.json")


def _parser() -> argparse.ArgumentParser:
    default = FlowFitConfig()
    parser = argparse.ArgumentParser(prog="python -m training.digits.mapping")
    parser.add_argument("--run", type=Path, required=True, help="folder of training.digits.joint")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--codes", type=int, default=120_000, help="images to encode")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--path-steps", type=int, default=40)
    parser.add_argument("--guidance", type=float, default=2.5)
    parser.add_argument("--guide-width", type=int, default=128)
    parser.add_argument("--guide-depth", type=int, default=3)
    parser.add_argument("--guide-steps", type=int, default=1000, help="its updates")
    parser.add_argument("--guide-lr", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, default=default.steps, help="updates in all")
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--lr", type=float, default=default.lr)
    parser.add_argument("--bf16", action="store_true", help="for CPUs with the instructions")
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--minutes", type=float, default=5.0, help="between two checkpoints")
    return parser


@torch.no_grad()
def _codes(run: Path, model: GeneratorConfig, n: int, kept: Path) -> Float[Tensor, "n dim"]:
    """Codes of n new images, averaged over layers, from the file that keeps them if it is there."""
    if kept.exists():
        return load_file(kept)["w"]
    encoder = Encoder(model.size, model.image_channels, model.layers, model.dim)
    encoder.load_state_dict(load_file(run / "encoder_ema.safetensors"))
    encoder.eval()
    geometry = MultiMnistConfig.paper() if model.size == 128 else MultiMnistConfig()
    digits, draw, parts = digits_for("domain", geometry), np.random.default_rng(3), []
    for start in tqdm(range(0, n, _CHUNK), "encoding", unit="chunk"):
        made = make_multimnist(digits, min(_CHUNK, n - start), geometry, draw)
        parts += [encoder.encode(x).mean(dim=1) for x in to_unit_range(made.images).split(250)]
    w = torch.cat(parts)
    save_file({"w": w}, kept.with_suffix(".tmp"))
    kept.with_suffix(".tmp").replace(kept)
    return w


def _train(trainer: FlowTrainer, generator: Generator, out: Path, minutes: float) -> None:
    generator.mapping = trainer.average
    rng = torch.Generator().manual_seed(1)
    z = torch.randn(64, generator.config.dim, generator=rng)
    bar = tqdm(total=trainer.config.steps, initial=trainer.done, unit="update", mininterval=10)
    saved, losses = time.monotonic(), []
    try:
        while trainer.done < trainer.config.steps:
            losses.append(trainer.step())
            bar.update()
            if time.monotonic() - saved > 60 * minutes:
                trainer.save(out)
                sample_sheet(generator, z).save(out / f"samples_{trainer.done:06d}.png")
                record = {"updates": trainer.done, "loss": float(np.mean(losses))}
                with (out / "log.jsonl").open("a") as log:
                    log.write(json.dumps(record) + "\n")
                saved, losses = time.monotonic(), []
    finally:
        trainer.save(out)
        bar.close()


if __name__ == "__main__":
    main()
