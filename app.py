"""The demo: a held-out digit image, one more digit by LW and by LT, side by side.

Starts from the shipped weights and the editors of the last benchmark run
(`runs/digits/editors`); where a run is missing the page says how to make one. It listens on
localhost and asks nothing of the network.
"""

import os
from functools import cache
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
import numpy as np
import torch

from baselines import METHODS
from lwedit.domains import DigitsDomain
from lwedit.editors import Editor
from lwedit.vocabulary import from_unit_range, to_unit_range

RUN = Path(__file__).resolve().parent / "runs" / "digits"
COLUMNS = {"lt": "LT: pushes the code until a latent classifier says n + 1",
           "lw": "LW: moves the code to where codes of n + 1 digits are"}
SIDE = 256


@cache
def domain() -> DigitsDomain:
    """The shipped networks, read at first use."""
    return DigitsDomain.load()


@cache
def heldout() -> np.ndarray:
    """The held-out images, made at first use."""
    return domain().images("heldout").images


@cache
def editor(method: str, attribute: str) -> Editor:
    """An editor of the last benchmark run, seed 0."""
    return METHODS[method].load(RUN / "editors" / f"{method}_{attribute}_0", domain().space)


def picture(pixels: np.ndarray) -> np.ndarray:
    """A 64-px image as dark ink on white, enlarged so that a person can see it."""
    return np.kron(255 - pixels[0], np.ones((SIDE // 64, SIDE // 64), np.uint8))


def edit(index: float, alpha: float) -> tuple[np.ndarray, np.ndarray, str, np.ndarray, str]:
    """One more digit for a held-out image, by LT and by LW.

    Args:
        index: Which held-out image, 0 to 3999.
        alpha: Strength; below 0 takes a digit away.

    Returns:
        Input, LT's picture and its caption, LW's picture and its caption.
    """
    if not (np.isfinite(index) and np.isfinite(alpha) and abs(alpha) <= 4):
        raise gr.Error("The image is a number from 0 to 3999, the strength one from -4 to 4.")
    pixels = heldout()[[int(index) % len(heldout())]]
    w = domain().encoder.encode(to_unit_range(pixels))
    count = int(domain().score(domain().generate(w)).count)
    attribute = f"at_least_{min(max(count, 1) + 1, 4)}"
    shown = []
    for method in COLUMNS:
        try:
            x = domain().generate(editor(method, attribute).edit(w, float(alpha)))
        except ValueError as error:
            raise gr.Error(f"No editors yet, run `make bench` first ({error}).") from error
        seen = domain().score(x)
        read = int(seen.classes.sum())
        shown += [picture(from_unit_range(x)[0]),
                  f"The judge counts **{int(seen.count)}** (before: {count}) "
                  f"and reads {read} digits."]
    return picture(pixels[0]), *shown


def page() -> gr.Blocks:
    """The widgets."""
    with gr.Blocks(title="lwedit") as blocks:
        gr.Markdown("# Add a digit\nThe same image, edited in latent space by two methods. "
                    "The judge under each picture sees nothing but the picture.")
        with gr.Row():
            index = gr.Number(0, label="Held-out image", precision=0, minimum=0, maximum=3999)
            alpha = gr.Slider(-3, 3, 1.5, step=0.05, label="Strength (below 0 removes)")
            other = gr.Button("Random image")
        with gr.Row():
            source = gr.Image(label="Input", height=SIDE)
            outputs = [source]
            for text in COLUMNS.values():
                with gr.Column():
                    image, caption = gr.Image(label=text, height=SIDE), gr.Markdown()
                    outputs += [image, caption]
        other.click(lambda: int(torch.randint(4000, ())), None, index, api_visibility="private")
        gr.on([blocks.load, index.change, alpha.release, alpha.input], edit, [index, alpha],
              outputs, trigger_mode="always_last", concurrency_id="cpu", api_name="edit")
    return blocks


if __name__ == "__main__":
    page().launch(ssr_mode=False)
