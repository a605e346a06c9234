"""Command: turn a run into the shipped weights, `python -m training.digits.ship --run DIR`.

Writes generator.safetensors and encoder.safetensors (averaged weights, float16, the generator's
sizes in its header) and weights.json with the SHA-256 of every file and what it was trained on.
With `--mapping`, the folder of `training.digits.mapping`, the generator gets that mapping
instead of the run's own, as mapping.safetensors.
"""

import argparse
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lwedit.domains.digits import ASSETS
from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.checkpoints import MAPPING_FILE, generator_metadata
from lwedit.generators.flow_mapping import FlowConfig

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(prog="python -m training.digits.ship", description=__doc__)
    parser.add_argument(
        "--run", required=True, help="folder of gan, joint or autoencoder"
    )
    parser.add_argument("--out", default=str(ASSETS))
    parser.add_argument(
        "--checkpoint", help="also copy the whole run there in float16, small enough for git"
    )
    parser.add_argument("--mapping", type=Path, help="folder of training.digits.mapping")
    args = parser.parse_args(arguments)
    run, out = Path(args.run), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    state = json.loads((run / "state.json").read_text())
    config = GeneratorConfig(**{**state["model"], "channels": tuple(state["model"]["channels"])})
    generator = Generator(config)
    if (run / "generator_ema.safetensors").exists():
        generator.load_state_dict(load_file(run / "generator_ema.safetensors"))
    else:  # an autoencoder: it has no distribution to sample from yet
        generator.synthesis.load_state_dict(load_file(run / "synthesis_ema.safetensors"))
    tensors, trained = generator.state_dict(), state["training"]
    if args.mapping:
        about = json.loads((args.mapping / "mapping.json").read_text())
        tensors = generator.synthesis.state_dict()
        config = replace(config, flow=FlowConfig(**about["flow"]))
        trained = trained | {"mapping": about}
        _write(load_file(args.mapping / MAPPING_FILE), out / MAPPING_FILE, {})
    else:
        (out / MAPPING_FILE).unlink(missing_ok=True)  # that of what was shipped before
    _write(tensors, out / "generator.safetensors", generator_metadata(config))
    if (run / "encoder_ema.safetensors").exists():
        _write(load_file(run / "encoder_ema.safetensors"), out / "encoder.safetensors", {})
    files = sorted(path for path in out.rglob("*.safetensors"))
    digests = {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    about = {"images_seen": state["images"], "training": trained, "sha256": digests}
    (out / "weights.tmp").write_text(json.dumps(about, indent=1) + "\n")
    (out / "weights.tmp").replace(out / "weights.json")
    if args.checkpoint:
        _copy_run(run, Path(args.checkpoint))


def _copy_run(run: Path, folder: Path) -> None:
    """Everything training needs to go on, in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(run.glob("*.safetensors")):
        if path.name.startswith("optimiser"):  # bfloat16: float16 would round squares to zero
            shutil.copyfile(path, folder / path.name)
        else:
            with safe_open(path, "pt") as file:  # the reader's head is in its header
                metadata = file.metadata() or {}
            _write(load_file(path), folder / path.name, metadata)
    shutil.copyfile(run / "state.json", folder / "state.json")


def _write(state: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }
    save_file(half, path.with_suffix(".tmp"), metadata=metadata)
    path.with_suffix(".tmp").replace(path)


if __name__ == "__main__":
    main()
