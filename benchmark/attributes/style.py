"""How methods look, the same in every figure: readable by the colour-blind and in grey.

Colours are Okabe and Ito's; each method also has a line style and a marker of its own, and the
four learned methods differ in lightness.
"""

from typing import NamedTuple

from benchmark.methods import LABELS

__all__ = ["Look", "drawn", "label_of", "look_of"]


class Look(NamedTuple):
    """Colour, line and marker of a method."""

    colour: str
    line: str
    marker: str


_LOOKS = {
    "none": Look("#999999", ":", "x"),
    "random": Look("#999999", "--", "+"),
    "centroids": Look("#56B4E9", (0, (1, 1)), "v"),
    "gaussian_ot": Look("#009E73", (0, (3, 1, 1, 1)), "^"),
    "interfacegan": Look("#117733", "-", "<"),
    "interfacegan_cond": Look("#117733", "--", ">"),
    "ganspace": Look("#AA4499", (0, (5, 1)), "p"),
    "sefa": Look("#DDAA33", (0, (5, 1)), "h"),
    "lightsb": Look("#44AA99", "-.", "d"),
    "wstar": Look("#332288", (0, (3, 1, 1, 1)), "X"),
    "lelsd": Look("#999933", "-.", "H"),
    "lt_star": Look("#E69F00", "--", "s"),
    "lt": Look("#D55E00", "-", "s"),
    "lw_paper": Look("#56B4E9", "-.", "D"),
    "lw_neural": Look("#882255", "-", "P"),
    "lw_star": Look("#000000", "--", "o"),
    "lw": Look("#0072B2", "-", "o"),
    "nearest": Look("#CC79A7", ":", "*"),
}
_OWN = (Look("#8B6508", "-.", "D"), Look("#5D3A9B", "-.", "P"), Look("#B2182B", "-.", "X"))


def look_of(method: str) -> Look:
    """How a method looks; those of the user's own share three looks."""
    return _LOOKS.get(method) or _OWN[sum(map(ord, method)) % len(_OWN)]


def drawn(name: str) -> str:
    """An attribute's name as figures show it, in which a dollar is a dollar."""
    return name.replace("_", " ").replace("$", r"\$")


def label_of(method: str) -> str:
    """Its name in tables and figures."""
    return LABELS.get(method, method)
