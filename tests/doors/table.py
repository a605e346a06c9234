"""docs/doors.md from the examples that the tests run: `python -m tests.doors.table` writes it."""

from pathlib import Path

from tests.doors import api, codes, convert, labels, pictures, sets

PATH = Path(__file__).resolve().parents[2] / "docs" / "doors.md"
HEAD = """# The doors: what comes in, and what becomes of it

Everything here is an example that the tests run: what is taken gives the right value, what is
refused gets the words in quotation marks, in one line, before anything is computed. Nothing that
comes in is ever executed. Written by `python -m tests.doors.table`.
"""
GROUPS = (
    ("Labels: `--labels FILE`", "Told by its content, whatever its suffix.", labels),
    ("Codes: `--codes FILE or FOLDER`", "Told by its first bytes, whatever its suffix.", codes),
    ("Sets of codes: `--codes`, `LatentSet`, every method's `fit`",
     "Source and target codes, and what LW makes of them. `--codes` also shuffles by seed before "
     "it splits, counts codes that stand there twice once, and leaves out by name, with their "
     "numbers, attributes that are constant, rarer than 1 %, on one side only in a part, or beyond "
     "the scoring classifier.", sets),
    ("Checkpoints: `python -m lwedit.domains.ffhq convert FILE`",
     "Also NVIDIA's `.pkl` of StyleGAN2, read without running what is in it; of hostile files none "
     "runs (`tests/generators/test_pickles.py`).", convert),
    ("Pictures: upload, `/edit_photo`, drawings",
     "At most 20 MB. All become 8-bit sRGB, upright, on white.", pictures),
    ("Requests: `/edit_face`, and the page's other endpoints alike",
     "The server's log stays empty whatever is asked.", api),
)


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def render():
    """The whole page."""
    parts = [HEAD]
    for title, note, group in GROUPS:
        cases = (*group.TAKEN, *group.REFUSED)
        if not cases:
            continue
        lines = [f"## {title}\n", *([note + "\n"] if note else []), "| given | becomes |",
                 "| --- | --- |"]
        lines += [f"| {cell(given)} | {cell(becomes)} |" for given, becomes in
                  (case.row() for case in cases)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(render())
