"""Codes and labels as a user might bring them: CODES.npy of (n, layers, dim) and LABELS.csv.

    python examples/make_codes.py my_codes
    python benchmark/run.py --codes my_codes/codes.npy --labels my_codes/labels.csv --preset smoke

Stands in for codes of a StyleGAN, which have 18 layers of 512: here 1,200 Gaussian codes of 4
layers of 16, in which "left" and "up" are linear, and correlated.
"""

import argparse
from pathlib import Path

import numpy as np


def make_codes(folder: Path, n: int = 1200, seed: int = 0) -> None:
    """Write codes.npy and labels.csv.

    Args:
        folder: Where they go.
        n: Number of codes.
        seed: Their seed.
    """
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((n, 4, 16)).astype(np.float32)
    axes = rng.standard_normal((3, 64))
    axes[1] += axes[0]  # "up" often comes with "left"
    labels = (codes.reshape(n, 64) @ axes.T > 0).astype(int)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "codes.npy", codes)
    np.savetxt(folder / "labels.csv", labels, "%d", ",", header="left,up,round", comments="")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    make_codes(parser.parse_args().folder)
