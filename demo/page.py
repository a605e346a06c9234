"""The page: digits and faces edited by LW beside LT, the benchmark, and what the model is not for.

It starts from the shipped weights, listens on localhost and asks nothing of the network; on a
Hugging Face Space it listens where the Space looks. `app.py` and `lwedit app` start it.
"""

import argparse
import os
import threading
from collections.abc import Sequence

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
import torch

from demo import about, benchmark_tab, digits_tab, faces_tab, photos, photos_tab, programs
from demo.cards import html
from demo.pictures import MAX_BYTES
from demo.scripts import HEAD
from demo.style import CSS, theme

__all__ = ["main", "page"]

# An edit of a small image is many tiny operations: threads that share one wait for each other, and
# wait long where a processor is taken. Photos, whose operations are large, take more (demo.photos).
_THREADS = 1


def page() -> gr.Blocks:
    """The widgets."""
    with programs.Page(title="Latent Wasserstein editing", delete_cache=(3600, 3600)) as blocks:
        html(about.HERO)
        with gr.Tabs():
            with gr.Tab("Digits"):
                digits_tab.build(blocks)
            with gr.Tab("Faces"):
                faces_tab.build(blocks)
            if photos.available():
                with gr.Tab("Photos (FFHQ)"):
                    photos_tab.build()
            with gr.Tab("Benchmark"):
                benchmark_tab.build(blocks)
            with gr.Tab("About"):
                about.build()
        programs.publish()
    return blocks


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the page."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where; 127.0.0.1:7860 unless given.")
    parser.parse_args(arguments)
    torch.set_num_threads(_THREADS)
    threading.Thread(target=programs.warm_up, daemon=True).start()
    on_space = "SPACE_ID" in os.environ
    page().queue(default_concurrency_limit=1, max_size=200).launch(
        server_name="0.0.0.0" if on_space else os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        theme=theme(), css=CSS, head=HEAD, ssr_mode=False, max_file_size=MAX_BYTES,
        footer_links=["api"], app_kwargs=programs.APP,
    )
