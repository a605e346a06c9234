"""Checkpoints that an adversarial training goes on from, on whatever device it ran.

A folder holds the two networks, the averaged generator, Adam's running squares and `state.json`;
every file is written aside and renamed, and stays below 10 MB.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lwedit.generators.stylegan2 import GeneratorConfig
from training.gan.trainer import GanTrainer

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(trainer: GanTrainer, folder: Path) -> None:
    """Write everything that training needs to go on, each file below 10 MB."""
    parts = {
        "generator": trainer.generator.state_dict(),
        "generator_ema": trainer.ema.state_dict(),
        "discriminator": trainer.discriminator.state_dict(),
        "optimiser_g": _second_moments(trainer.optimiser_g),
        "optimiser_d": _second_moments(trainer.optimiser_d),
    }
    for name, tensors in parts.items():
        contiguous = {key: value.contiguous() for key, value in tensors.items()}
        save_file(contiguous, folder / f"{name}.tmp")
        (folder / f"{name}.tmp").replace(folder / f"{name}.safetensors")
    state = {
        "steps": trainer.steps,
        "images": trainer.images_seen,
        "model": asdict(trainer.generator.config),
        "training": asdict(trainer.config),
    }
    (folder / "state.tmp").write_text(json.dumps(state, indent=1))
    (folder / "state.tmp").replace(folder / "state.json")


def load_checkpoint(trainer: GanTrainer, folder: Path) -> None:
    """Put a saved training back, in place.

    Raises:
        ValueError: If the checkpoint is of another architecture.
    """
    state = json.loads((folder / "state.json").read_text())
    model, saved = asdict(trainer.generator.config), state["model"]
    saved = saved | {"channels": tuple(saved["channels"])}
    if asdict(GeneratorConfig()) | saved != model:  # an older checkpoint names fewer sizes
        raise ValueError(f"folder must hold a model of {model}, got {saved} in {folder}.")
    trainer.generator.load_state_dict(load_file(folder / "generator.safetensors"))
    trainer.ema.load_state_dict(load_file(folder / "generator_ema.safetensors"))
    trainer.discriminator.load_state_dict(load_file(folder / "discriminator.safetensors"))
    for name, optimiser in (("g", trainer.optimiser_g), ("d", trainer.optimiser_d)):
        _restore_moments(optimiser, load_file(folder / f"optimiser_{name}.safetensors"))
    trainer.steps, trainer.images_seen = state["steps"], state["images"]


def _second_moments(optimiser: torch.optim.Adam) -> dict[str, torch.Tensor]:
    """Adam's running squares; with beta_1 = 0 the running mean is the last gradient, not state."""
    parameters = optimiser.param_groups[0]["params"]
    moments = {}
    for i, parameter in enumerate(parameters):
        if parameter in optimiser.state:
            moments[f"{i}"] = optimiser.state[parameter]["exp_avg_sq"].to(torch.bfloat16)
            moments[f"{i}.step"] = optimiser.state[parameter]["step"].float()
    return moments


def _restore_moments(optimiser: torch.optim.Adam, moments: dict[str, torch.Tensor]) -> None:
    for i, parameter in enumerate(optimiser.param_groups[0]["params"]):
        if f"{i}" in moments:
            optimiser.state[parameter] = {
                "step": moments[f"{i}.step"],
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.empty_like(parameter).copy_(moments[f"{i}"]),
            }
