"""A tiny pSp checkpoint and tiny arrays in the published layouts, for tests of the ffhq domain."""

import numpy as np
import torch

from lwedit.inversion.psp import PspConfig, PspEncoder
from tests.generators.published import made_state

ENCODER = PspConfig(layers=8, dim=64, size=32, widths=(16, 32, 48, 64), blocks=(1, 1, 1, 1))


def write_checkpoint(path, encoder_type="GradualStyleEncoder"):
    """pSp of 32-pixel images; returns the generator's published state."""
    torch.manual_seed(0)
    generator = made_state(channels=(16, 16, 8, 8), dim=64, layers=2)
    encoder = PspEncoder(ENCODER).state_dict()
    del encoder["latent_avg"]
    state = {f"decoder.{name}": value for name, value in generator.items()}
    state |= {f"encoder.{name}": value for name, value in encoder.items()}
    rows = torch.linspace(-1, 1, 64).expand(8, 64)
    options = {"encoder_type": encoder_type, "start_from_latent_avg": True, "device": "cuda:0"}
    torch.save({"state_dict": state, "latent_avg": rows.clone(), "opts": options}, path)
    return generator


def write_arrays(folder, n=300):
    """Codes with forty labels, each the sign of a direction of its own, two of them rare."""
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((n, 8, 64), dtype=np.float32)
    labels = (codes.reshape(n, -1)[:, :40] > 0).astype(np.int64)
    labels[:, 4] = 0  # Bald: nobody
    labels[:, 10] = np.arange(n) == 3  # Blurry: one
    np.save(folder / "celebahq_dlatents_psp.npy", codes)
    np.save(folder / "celebahq_anno.npy", labels)
    return codes, labels
