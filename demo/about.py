"""The head of the page, and the tab on the method, the licences, and what this is not for."""

import gradio as gr

from demo import photos
from demo.cards import html
from demo.programs import SNIPPET
from demo.style import METHODS_IN_WORDS
from lwedit.domains.ffhq import guide, missing
from lwedit.domains.ffhq.files import CODES, LABELS

__all__ = ["HERO", "build", "ffhq_words"]

_LEGEND = "".join(
    f'<li><span class="badge {method}">{name}</span> {text}</li>'
    for method, (name, text) in sorted(METHODS_IN_WORDS.items())
)
HERO = f"""<header class="hero"><div><h1>Edit an image by moving its code</h1>
<p>A generator draws an image from a list of numbers, its code; every method moves the code. Watch
whether the <em>image</em> changes, or only what a classifier thinks of the code.</p></div>
<ul class="legend">{_LEGEND}</ul></header>"""

_METHOD = """### The method in three sentences

**LW** (Latent Wasserstein) learns a move, one affine map or a neural one, that carries the whole
cloud of codes *without* an attribute onto the cloud *with* it, at the least total cost: optimal
transport. **LT** (Latent
Transformer) learns a move that makes a *latent classifier* say yes, and stops as soon as it does.
So LT can end just across the classifier's boundary where no real code lies and the picture has not
changed, an *adversarial* edit; LW aims at real codes instead, and the benchmark measures how far
that helps.
"""
_CLOUD = [(0, 0), (16, -12), (-14, -16), (22, 10), (-20, 10), (4, 20), (-4, -28), (30, -8),
          (-30, -6), (12, 30), (-16, 28)]


def _dots(x: int, y: int, colour: str, opacity: float = 0.85) -> str:
    return "".join(
        f'<circle cx="{x + a}" cy="{y + b}" r="5" fill="{colour}" fill-opacity="{opacity}"/>'
        for a, b in _CLOUD
    )


def _panel(method: str, arrows: str, words: str, aloud: str) -> str:
    name = METHODS_IN_WORDS[method][0]
    return (
        f'<svg viewBox="0 0 360 256" role="img" aria-label="{aloud}"><defs>{_tip(method)}</defs>'
        f'<text x="180" y="26" text-anchor="middle" font-weight="700">{name}</text>'
        f'{_dots(80, 120, "#8a94a3")}'
        f'{_dots(285, 120, "#009E73", 0.55)}'
        '<path d="M170,45V195" stroke="currentColor" stroke-dasharray="6 5" opacity=".5"/>'
        f'{arrows}<text class="soft" x="80" y="190" text-anchor="middle">without</text>'
        '<text class="soft" x="285" y="190" text-anchor="middle">with</text>'
        '<text class="soft" x="170" y="214" text-anchor="middle">the classifier’s boundary</text>'
        f'<text class="soft" x="180" y="242" text-anchor="middle">{words}</text></svg>'
    )


def _arrow(x: int, y: int, to_x: int, to_y: int, colour: str) -> str:
    return (f'<path d="M{x},{y}L{to_x},{to_y}" stroke="{colour}" stroke-width="3" '
            f'marker-end="url(#tip-{colour[6:8]})"/>')


def _tip(method: str) -> str:
    return (f'<marker id="tip-{method}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" '
            f'markerHeight="6" orient="auto"><path d="M0,0L10,5L0,10z" fill="var(--{method})"/>'
            "</marker>")


def _drawing() -> str:
    """LT and LW side by side, one below the other where that would be too small to read."""
    start = [(96, 108), (84, 140), (102, 130), (110, 112)]
    lt = "".join(_arrow(x, y, 186, y, "var(--lt)") for x, y in start)
    lw = "".join(_arrow(x, y, x + 195, y, "var(--lw)") for x, y in start)
    return (
        '<div class="prose-card drawing">'
        + _panel("lt", lt, "stops across the line, where no real code lies",
                 "LT moves codes just across the classifier’s boundary, where no real code lies.")
        + _panel("lw", lw, "moves the cloud onto the cloud",
                 "LW moves the cloud of codes without the attribute onto the cloud with it.")
        + "</div>"
    )


_PARTS = (
    ("part", "from", "licence"),
    ("---", "---", "---"),
    ("code, editors, judges, digits generator and encoder", "this project", "MIT"),
    ("digits in the images", "MNIST by LeCun, Cortes and Burges, arranged by this project",
     "CC BY-SA 3.0, see `assets/mnist/README.md`"),
    ("face generator", "the published weights of `gan-face-generate`, converted",
     "MIT, see `assets/faces/LICENSE.generator`"),
    ("labels of faces", "this project, of generated faces", "MIT"),
    ("Latent Transformer", "written from the paper (Yao et al., ICCV 2021), without its official "
     "code or weights", "MIT"),
)
_LICENCES = "### Data and models\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in _PARTS) + """

LW is by Doubinsky, Audebert, Crucianu and Le Borgne, *Wasserstein Loss for Semantic Editing in the
Latent Space of GANs*.

### What it is not for

- **Not for real people.** Nobody in the tab of faces exists, no photo can be sent to it, and an
  edit says nothing about a person. Attributes such as “masculine” or “pale skin” are what
  annotators saw in 64-pixel pictures, not facts about anyone. Where there is a tab for photos, it
  is for photos of people who agreed to it.
- **Not for decisions** about people, identification, or making pictures of someone pass as real.
- **Not evidence about faces in general**: generator and labels carry the biases of their data, and
  the judges err; their accuracy stands in every table of the benchmark.
"""
_HOW = """Then, in this folder:

```
python -m lwedit.domains.ffhq convert psp_ffhq_encode.pt     # generator and encoder
python -m demo.fit_editors ffhq                              # editors, on the codes
```

The files go to the folder named by `$LWEDIT_FFHQ`, `.cache/lwedit/ffhq` unless set; checkpoints are
read without running what is in them, and nothing is downloaded for you. Authors publish no hashes:
those above are what other public repositories record for the same file.
"""


def ffhq_words() -> str:
    """What is here of the domain of photos, and the way to get the rest, as Markdown."""
    lacking = missing()
    if lacking:
        names = " and ".join(f"`{name}`" for name in lacking)
        return (
            "### FFHQ: photos of 1024 pixels\n\nStyleGAN2's weights have a licence that does not "
            f"let this project ship them, and {names} {'are' if len(lacking) > 1 else 'is'} not "
            "here, so there is no tab for photos. Each of these has what is missing:\n\n"
            f"{guide(lacking)}\n\nTo edit, codes with labels are needed too:\n\n"
            f"{guide((CODES, LABELS))}\n\n{_HOW}"
        )
    if not photos.editable():
        return (
            "### FFHQ: photos of 1024 pixels\n\nThe tab *Photos (FFHQ)* encodes photos. To edit "
            f"them, codes with labels are needed:\n\n{guide((CODES, LABELS))}\n\n{_HOW}"
        )
    return (
        "### FFHQ: photos of 1024 pixels\n\nThe tab *Photos (FFHQ)* uses weights that were put "
        "here by whoever runs this page; they are for non-commercial use."
    )


def build() -> None:
    """Lay out the tab."""
    html(_drawing())
    gr.Markdown(_METHOD, elem_classes="prose-card")
    gr.Markdown(_LICENCES, elem_classes="prose-card")
    gr.Markdown(ffhq_words(), elem_classes="prose-card")
    gr.Markdown("### From a program\nEvery edit on this page is an endpoint with types and a "
                "description (the link *Use via API* at the bottom); `examples/client.py` is a "
                "whole example.", elem_classes="note")
    gr.Code(SNIPPET, language="python", show_label=False, interactive=False)
