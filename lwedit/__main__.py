"""The console command: `lwedit bench | fit | edit | app | convert`, each one a module's own `main`.

    bench     the benchmark, as `python benchmark/run.py`
    fit       an editor from codes and labels in files
    edit      codes in a file by a saved editor
    app       the page
    convert   a StyleGAN2, pSp or e4e checkpoint to safetensors

The package imports nothing that stands above it: a command's module is loaded by its name, when the
command is given, so `lwedit fit` needs neither gradio nor matplotlib.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from lwedit import __version__
from lwedit.shipped import in_clone

__all__ = ["COMMANDS", "main"]


class _Command(NamedTuple):
    """Where a command lives.

    Attributes:
        module: What has its `main`, which takes the arguments and may return an exit code.
        extra: What `pip install lwedit[extra]` adds for it; empty where nothing is needed.
        help: In a line.
        before: Arguments that come before the user's.
    """

    module: str
    extra: str
    help: str
    before: tuple[str, ...] = ()


COMMANDS = {
    "bench": _Command("benchmark.run", "bench", "compare methods on images or on codes"),
    "fit": _Command("baselines.command", "", "learn an edit from codes and labels", ("fit",)),
    "edit": _Command("baselines.command", "", "edit codes by a saved editor", ("edit",)),
    "app": _Command("demo.page", "demo", "start the page on localhost"),
    "convert": _Command("lwedit.domains.ffhq.__main__", "",
                        "turn a published checkpoint into safetensors", ("convert",)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="lwedit", description="Semantic editing in the latent space of GANs.",
        epilog="lwedit COMMAND --help says what a command takes.")
    parser.add_argument("--version", action="version", version=f"lwedit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.help, add_help=False)
    name = parser.parse_args(given[:1]).command
    command, rest = COMMANDS[name], [*COMMANDS[name].before, *given[1:]]
    if name == "bench" and not in_clone() and "--out" not in rest:
        rest += ["--out", "runs/lwedit"]  # in a clone runs/ lies beside the code, here beside you
    try:
        module = import_module(command.module)
    except ModuleNotFoundError as error:
        if not command.extra:
            raise
        parser.exit(1, f"lwedit {name} needs {error.name}: pip install 'lwedit[{command.extra}]'\n")
    return module.main(rest) or 0


if __name__ == "__main__":
    sys.exit(main())
