"""Command: render the avatars' parts and references, `python -m training.avatars.sprites`.

Writes to assets/avatars: `sprites.npz`, six planes a part (t, b, c and cover as in
`lwedit.data.avatars`), `sprites.json` with the parts' names, the file's hash and the artist's
licence as the style file states it, and `references.png`, 200 portraits drawn whole by the SVG
renderer for the test of the composition. Needs requirements-training.txt.

A part is rendered alone on black and on white, its colour black and white: with x <- t x + b
colour + c, three such pictures give c, b and t. Its cover is the coverage of what it hides: its
layers made opaque, without the shadows that it throws on what is behind.
"""

import copy
import hashlib
import io
import json
import re
from importlib import metadata
from importlib.resources import files

import numpy as np
import resvg_py
from dicebear import Avatar, Style
from PIL import Image

from lwedit.data.avatars import FACTORS, FOLDER, LAYERS, SIDE, draw_factors

STYLE = "avataaars"
CANVAS = 160  # pixels of the style's 280 units
TOP, LEFT = 8, 16  # corner of the SIDE x SIDE pixels that are kept: the face fills more of them
REFERENCES = 200
PAPER = {"name": "rect", "type": "element", "attributes": {
    "width": "280", "height": "280", "fill": {"type": "color", "name": "paper"}}}
_SHADOW = 0.3  # black or white no more opaque than this shades what is there


def main() -> None:
    """Render, and write aside."""
    definition = json.loads((files("dicebear_styles") / f"{STYLE}.json").read_text())
    parts = ["body"] + [
        f"{slot}/{choice.name}" for slot in LAYERS if slot != "body"
        for choice in FACTORS[slot] if choice.name != "none"
    ]
    planes = np.stack([_planes(definition, part) for part in parts])
    packed = io.BytesIO()
    np.savez_compressed(packed, planes=planes)
    about = {
        "sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
        "style": STYLE,
        "packages": {
            name: metadata.version(name)
            for name in ("dicebear-core", "dicebear-styles", "resvg-py")
        },
        "canvas": CANVAS,
        "corner": [TOP, LEFT],
        **definition["meta"],
        "parts": parts,
    }
    picture = io.BytesIO()
    _references(definition).save(picture, "PNG", optimize=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("sprites.npz", packed.getvalue()),
        ("sprites.json", (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode()),
        ("references.png", picture.getvalue()),
    ):
        (FOLDER / f"{name}.tmp").write_bytes(content)
        (FOLDER / f"{name}.tmp").replace(FOLDER / name)


def _planes(definition: dict, part: str) -> np.ndarray:
    """t, b, c (RGB) and cover of one part, uint8 (6, SIDE, SIDE)."""
    alone = _alone(definition, part)
    c = _render(alone, part, ink="#000000", paper="#000000")
    b = _render(alone, part, ink="#ffffff", paper="#000000")[0] - c[0]
    t = _render(alone, part, ink="#000000", paper="#ffffff")[0] - c[0]
    cover = _render(_opaque(alone, part), part, ink="#ffffff", paper="#000000")[0]
    return np.stack([t, b, *c, cover]).clip(0, 255).astype(np.uint8)


def _alone(definition: dict, part: str) -> dict:
    """The style with nothing on its canvas but one part; the nose is the body's."""
    alone, (slot, _, variant) = copy.deepcopy(definition), part.partition("/")
    keep = [
        element for element in alone["canvas"]["elements"]
        if element["name"] == slot or (slot == "body" and element["name"] in ("path", "nose"))
    ]
    kept = "nose" if slot == "body" else slot
    alone["components"] = {kept: alone["components"][kept]}
    if variant:  # the fewer parts, the faster the style is checked
        variants = alone["components"][slot]["variants"]
        alone["components"][slot]["variants"] = {variant: variants[variant]}
    alone["colors"] = {name: {"values": ["#000000"]} for name in (*alone["colors"], "paper")}
    alone["canvas"]["elements"] = [dict(PAPER), *keep]
    return alone


def _opaque(definition: dict, part: str) -> dict:
    """The style with one part's layers white and opaque, but for its shadows."""
    opaque = copy.deepcopy(definition)
    slot, _, variant = part.partition("/")
    holder = opaque["components"][slot]["variants"][variant] if variant else opaque["canvas"]
    solid = [
        element for element in holder["elements"]
        if float(element.get("attributes", {}).get("fill-opacity", 1)) > _SHADOW
    ]
    if not variant:  # the nose and the shade of the chin lie on the skin
        solid = solid[:2]
    holder["elements"] = solid
    for element in solid[0 if variant else 1:]:
        attributes = element.get("attributes", {})
        if "fill" in attributes:
            attributes["fill"] = "white"
        for name in ("fill-opacity", "opacity", "style"):
            attributes.pop(name, None)
    return opaque


def _render(definition: dict, part: str, *, ink: str, paper: str) -> np.ndarray:
    """One part in one colour on one ground, int (3, SIDE, SIDE)."""
    slot, _, variant = part.partition("/")
    options = {f"{name}Color": [ink] for name in definition["colors"]} | {"paperColor": [paper]}
    if variant:
        options |= {f"{slot}Variant": variant, f"{slot}Probability": 100}
    return _pixels(str(Avatar(Style(definition), options | {"seed": "0"})))


def _references(definition: dict) -> Image.Image:
    """Portraits drawn whole by the renderer, 20 a row, averaged to half the side."""
    style, tiles = Style(definition), []
    for row in draw_factors(REFERENCES, np.random.default_rng(0)):
        options: dict = {"seed": "0"}
        for (name, choices), value in zip(FACTORS.items(), row, strict=True):
            choice = choices[value].name
            if name.endswith("Color"):
                options[name] = [choice]
            else:
                options[f"{name}Variant"] = choices[-1].name if choice == "none" else choice
                options[f"{name}Probability"] = 0 if choice == "none" else 100
        options["facialHairColor"] = options["hairColor"]
        x = _pixels(str(Avatar(style, options)))
        tiles.append(x.reshape(3, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4)))
    grid = np.stack(tiles).reshape(-1, 20, 3, SIDE // 2, SIDE // 2).transpose(0, 3, 1, 4, 2)
    side = (grid.shape[0] * grid.shape[1], 20 * SIDE // 2, 3)
    return Image.fromarray((grid.reshape(side) + 0.5).astype(np.uint8))


def _pixels(svg: str) -> np.ndarray:
    # The clip to the canvas's border cuts nothing, but what is drawn behind it goes to a layer
    # whose place, and with it every antialiased edge, depends on which other parts there are.
    svg = re.sub(r'<g clip-path="[^"]*">', "<g>", svg)
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=CANVAS, height=CANVAS))
    rgb = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))[TOP:, LEFT:][:SIDE, :SIDE]
    return rgb.transpose(2, 0, 1).astype(np.int64)


if __name__ == "__main__":
    main()
