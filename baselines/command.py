"""`lwedit fit` and `lwedit edit`: any method on codes in files, without an image or a domain.

    lwedit fit  --codes w.npy --labels labels.csv --attribute smiling --method lw --out smiling
    lwedit edit smiling --codes w.npy --alpha 1.5 --out edited.npy

What the files may be is in docs/doors.md. The editor that is written knows the codes' shape and,
instead of a generator, their hash; `edit` moves any codes of that shape.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from baselines import METHODS
from baselines.estimator import LatentEdit
from baselines.saved import load_editor
from lwedit.data.codes import read_codes
from lwedit.data.labels import read_labels
from lwedit.domains.codes import belonging

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit or edit; returns the exit code."""
    args = _parser().parse_args(arguments)
    try:
        _fit(args) if args.command == "fit" else _edit(args)
    except (ValueError, OSError, SafetensorError) as error:
        sys.stderr.write(f"lwedit {args.command}: {' '.join(str(error).split())}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lwedit", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="learn an edit from codes and labels")
    fit.add_argument("--labels", type=Path, required=True, help="a table or an array, a row a code")
    fit.add_argument("--attribute", help="column of the labels; the first unless given")
    fit.add_argument("--method", default="lw", choices=_without_generator(),
                     help="how; lw, Latent Wasserstein, unless given")
    fit.add_argument("--seed", type=int, default=0)
    edit = commands.add_parser("edit", help="edit codes by a saved editor")
    edit.add_argument("editor", type=Path, help="folder that lwedit fit or Editor.save wrote")
    edit.add_argument("--alpha", type=float, default=1.0, help="strength; negative removes")
    for command, what in ((fit, "folder of the editor"), (edit, ".npy of the edited codes")):
        command.add_argument("--codes", type=Path, required=True,
                             help=".npy, .npz, .pt, .safetensors, or a folder of .npy")
        command.add_argument("--layers", type=int, help="layers of flattened codes")
        command.add_argument("--key", help="which array of a file of several")
        command.add_argument("--out", type=Path, required=True, help=what)
    return parser


def _without_generator() -> list[str]:
    return [name for name, method in METHODS.items() if not method.needs_generator]


def _fit(args: argparse.Namespace) -> None:
    codes = read_codes(args.codes, layers=args.layers, key=args.key)
    labels = read_labels(args.labels)
    w, y, notes = belonging(codes, labels)
    names = labels.names
    wanted = args.attribute or names[0]
    if wanted not in names:
        raise ValueError(f"attribute must be one of {', '.join(names)}, got {wanted!r}.")
    for note in notes:
        sys.stderr.write(f"lwedit fit: {note}.\n")
    edit = LatentEdit(args.method, attribute=names.index(wanted), names=names,
                      random_state=args.seed)
    edit.fit(w.numpy(), y.numpy()).editor_.save(args.out)
    sys.stdout.write(f"Written: {args.out}, {args.method} for {wanted!r} from {len(w)} codes.\n")


def _edit(args: argparse.Namespace) -> None:
    editor = load_editor(args.editor)
    w = read_codes(args.codes, layers=args.layers or editor.space.layers, key=args.key).w
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("wb") as file:  # numpy.save would add a suffix to a name without one
        np.save(file, editor.edit(w, args.alpha).numpy())
    sys.stdout.write(f"Written: {args.out}, {len(w)} codes, {editor.attribute!r} at alpha = "
                     f"{args.alpha:g}.\n")
