"""Command: make the published FaceNet weights readable by this project, without their pickle.

The file is `20180402-114759-vggface2.pt` (107 MB), release v2.2.9 of github.com/timesler/facenet-
pytorch: InceptionResnetV1 trained on VGGFace2, a port of David Sandberg's. It is not shipped here.

    python -m training.faces.convert_facenet 20180402-114759-vggface2.pt

writes 20180402-114759-vggface2.safetensors to $TORCH_HOME/checkpoints (by default
~/.cache/torch/checkpoints), where `lwedit.judges.identity` looks for it, or to --out. The file is
only opened if its SHA-256 is the published one, and then with `weights_only=True`.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from lwedit.judges.identity import FACENET_SHA256, facenet_path


def main() -> None:
    """Check the hash, drop the classifier of 8,631 people, write."""
    parser = argparse.ArgumentParser(
        prog="python -m training.faces.convert_facenet", description=__doc__.split("\n")[0]
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, default=facenet_path())
    args = parser.parse_args()
    digest = hashlib.sha256(args.weights.read_bytes()).hexdigest()
    if digest != FACENET_SHA256:
        raise SystemExit(f"{args.weights} must have SHA-256 {FACENET_SHA256}, got {digest}.")
    state = torch.load(args.weights, map_location="cpu", weights_only=True)
    kept = {k: v.contiguous() for k, v in state.items() if not k.startswith("logits.")}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = args.out.with_suffix(".tmp")
    save_file(kept, temporary, metadata={"source_sha256": digest})
    temporary.replace(args.out)
    sys.stdout.write(f"wrote {args.out}\n")


if __name__ == "__main__":
    main()
