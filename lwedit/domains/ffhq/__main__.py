"""Command: `python -m lwedit.domains.ffhq` says what is there; `... convert FILE` adds to it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lwedit.domains.ffhq.convert import convert
from lwedit.domains.ffhq.files import (
    CODES,
    EDITORS,
    ENCODER,
    GENERATOR,
    JUDGE,
    LABELS,
    default_folder,
    guide,
)

__all__ = ["main"]

_FILES = {
    GENERATOR: "images of codes", ENCODER: "codes of photos", CODES: "codes to learn edits from",
    LABELS: "their labels", JUDGE: "scores of images", EDITORS: "editors for the page",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Say what the folder holds, or convert a checkpoint into it."""
    parser = argparse.ArgumentParser(prog="python -m lwedit.domains.ffhq")
    parser.add_argument("--folder", type=Path, default=default_folder(),
                        help="$LWEDIT_FFHQ, or .cache/lwedit/ffhq")
    commands = parser.add_subparsers(dest="command")
    command = commands.add_parser("convert", help="published weights -> safetensors in the folder")
    command.add_argument("checkpoint", type=Path, help="rosinality, pSp or e4e .pt, NVIDIA's .pkl")
    args = parser.parse_args(arguments)
    if args.command == "convert":
        try:
            done = convert(args.checkpoint, args.folder)
        except ValueError as error:
            parser.exit(1, f"{error}\n")
        _say(*(f"wrote {path}" for path in done.written), f"SHA-256 {done.sha256}. {done.about}")
        return
    _say(f"{args.folder}:")
    absent = []
    for name, meaning in _FILES.items():
        there = (args.folder / name).exists()
        absent += [] if there else [name]
        _say(f"  {'here   ' if there else 'missing'}  {name}  ({meaning})")
    if guided := guide(absent):
        _say("\nWhere to get what is missing; hashes are those that others record:", guided)


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
