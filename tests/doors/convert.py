"""Checkpoints for `python -m lwedit.domains.ffhq convert`."""

import io
from pathlib import Path

import numpy as np
import torch

from tests.doors.case import Case
from tests.generators import published, published_nvidia

MEAN = torch.arange(6.0)
PSP = {"encoder_type": "GradualStyleEncoder"}


def saved(held, **how):
    """A file as torch.save writes it."""
    buffer = io.BytesIO()
    torch.save(held, buffer, **how)
    return buffer.getvalue()


def state(**changes):
    """rosinality's names."""
    return published.made_state() | changes


def named(prefix, held):
    return {f"{prefix}{name}": value for name, value in held.items()}


def inverter(options, **changes):
    """An encoder with its generator, as pSp and e4e are published."""
    whole = named("decoder.", state()) | {"encoder.input_layer.0.weight": torch.ones(2, 2)}
    return {"state_dict": whole | changes, "opts": options}


def trained():
    """A training's checkpoint: networks, optimisers and what else it wrote down."""
    weights = [torch.nn.Parameter(torch.ones(3))]
    optimiser = torch.optim.Adam(weights)
    weights[0].sum().backward()
    optimiser.step()
    half = {name: value.half() for name, value in state().items()}
    return {"g": {}, "d": {"convs.0.0.weight": torch.ones(2)}, "g_ema": half,
            "d_optim": optimiser.state_dict(), "ada_aug_p": np.float64(0.1)}


def nvidia(**options):
    return published_nvidia.made_pickle(published_nvidia.made_state(), **options)


# The truth of each: the mean code and the kind of encoder that must be read beside the generator.
TAKEN = (
    Case("rosinality: `g_ema` and `latent_avg`",
         lambda: saved({"g_ema": state(), "latent_avg": MEAN}), (MEAN, None),
         "generator and mean"),
    Case("the same without a mean", lambda: saved({"g_ema": state()}), (None, None),
         "generator; its mean is estimated from samples"),
    Case("`latent_avg` inside the state", lambda: saved({"g_ema": state(latent_avg=MEAN)}),
         (MEAN, None), "generator and mean"),
    Case("`latent_avg` as a numpy array",
         lambda: saved({"g_ema": state(), "latent_avg": MEAN.numpy()}), (MEAN, None),
         "generator and mean"),
    Case("`latent_avg` as a list", lambda: saved({"g_ema": state(), "latent_avg": MEAN.tolist()}),
         (MEAN, None), "generator and mean"),
    Case("names that begin with `module.`", lambda: saved({"g_ema": named("module.", state())}),
         (None, None), "generator"),
    Case("a state alone, in torch's format before zip",
         lambda: saved(state(), _use_new_zipfile_serialization=False), (None, None), "generator"),
    Case("optimiser and discriminator beside, half precision", lambda: saved(trained()),
         (None, None), "generator"),
    Case("pSp: decoder, encoder, mean", lambda: saved(inverter(PSP) | {"latent_avg": MEAN}),
         (MEAN, "GradualStyleEncoder"), "generator, encoder and mean"),
    Case("e4e, which its own options give away",
         lambda: saved(inverter({"w_discriminator_lambda": 0.1})), (None, "Encoder4Editing"),
         "generator and encoder"),
    Case("options of paths and numpy objects",
         lambda: saved(inverter(PSP | {"exp_dir": Path("runs"), "lr": np.float64(1e-4)})),
         (None, "GradualStyleEncoder"), "the same; options are read as data"),
)
REFUSED = (
    Case("HyperStyle", lambda: saved({"state_dict": {"hypernet.conv1.weight": torch.ones(2)}}),
         refused="it is HyperStyle's, whose hypernetwork is not supported"),
    Case("options that do not tell pSp from e4e", lambda: saved(inverter({"lr": 0.1})),
         refused="opts must name encoder_type, which tells pSp's"),
    Case("a class-conditional generator of rosinality's layout",
         lambda: saved({"g_ema": state() | {"embed.weight": torch.ones(10, 6)}}),
         refused="'embed.weight' is of a class-conditional one"),
    Case("NVIDIA's class-conditional generator", lambda: nvidia(change={"": {"c_dim": 10}}),
         refused="c_dim must be 0: the generator is class-conditional"),
    Case("NVIDIA's residual generator",
         lambda: nvidia(change={"synthesis.b8": {"architecture": "resnet"}}),
         refused="architecture must be 'skip' to be supported, got 'resnet'"),
    Case("another project's checkpoint", lambda: saved({"params_ema": {}, "step": 1}),
         refused="it holds params_ema, step"),
    Case("a list of tensors", lambda: saved([torch.ones(1)]),
         refused="must hold a dictionary, got list"),
    Case("a web page", lambda: b"<!DOCTYPE html><html><head><title>Google Drive",
         refused="it is a web page: the download was"),
    Case("a Git LFS pointer", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00",
         refused="it is a Git LFS pointer"),
    Case("an empty file", lambda: b"", refused="it is empty"),
    Case("a file that is cut off", lambda: saved({"g_ema": state()})[:4000],
         refused="it is truncated or damaged: download it again"),
)
