"""The card of a saved editor: what it does, for which generator, measured by what, its licence.

Markdown with a model hub's header, `README.md` beside the weights. What the editor itself knows is
taken from it; what only its maker knows, the run that measured it and the licence, is given, and is
said to be missing where it is not.
"""

from dataclasses import dataclass

from lwedit.latents import Space

__all__ = ["Card", "render"]

_TAGS = ("gan", "semantic-editing", "latent-space", "optimal-transport")


@dataclass(frozen=True)
class Card:
    """What an editor does not know of itself.

    Attributes:
        measured: The run that measured it, in a line: where its tables are and of which commit.
        licence: SPDX identifier in lower case, such as "mit"; empty leaves it open.
        about: Anything else, such as the data that it was fitted on.
    """

    measured: str = ""
    licence: str = ""
    about: str = ""


def render(
    card: Card, method: str, attribute: str, space: Space, layers: tuple[int, ...] | None,
    sha256: str,
) -> str:
    """The card as Markdown.

    Args:
        card: What is given.
        method: Name of the editor's method.
        attribute: What it edits.
        space: Where its codes live.
        layers: Layers that it moves, all if None.
        sha256: Of weights.safetensors.
    """
    moved = "all" if layers is None else ", ".join(map(str, layers))
    licence = [f"license: {card.licence}"] if card.licence else []
    head = ["---", "library_name: lwedit", *licence, "tags:", *(f"- {tag}" for tag in _TAGS), "---"]
    rows = {
        "what": f"w′ = w + α H(w): adds {attribute} for α > 0, removes it for α < 0; α = 1 is H as "
                "fitted",
        "method": method,
        "generator": f"the one whose weights have the SHA-256 {space.generator}",
        "codes": f"{space.name}, {space.layers} × {space.dim}; layers moved: {moved}",
        "measured by": card.measured or "no run is named",
        "weights": f"weights.safetensors, SHA-256 {sha256}",
        "licence": card.licence or "not given",
    }
    table = ["| | |", "| --- | --- |", *(f"| {name} | {said} |" for name, said in rows.items())]
    use = ["```python", "from baselines.saved import load_editor", "",
           'editor = load_editor("FOLDER", space)  # refused if `space` is another generator\'s',
           "w_edit = editor.edit(w, alpha=1.0)", "```"]
    about = [card.about, ""] if card.about else []
    return "\n".join([*head, "", f"# {attribute}, by {method}", "", *about, *table, "", *use, ""])
