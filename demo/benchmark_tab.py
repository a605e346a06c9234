"""The benchmark tab: charts and tables of the last report, and how to make them again."""

from pathlib import Path

import gradio as gr

from demo import reports
from demo.cards import html, notice

__all__ = ["build"]

_HOW = """#### Make these numbers yourself

```
make bench                                    # digits, LW and LT and the floors
python benchmark/run.py --domain faces        # faces, adding and removing each attribute
python benchmark/run.py --methods lw lt --preset smoke   # minutes, to see that it works
```

A run resumes where it stopped; the same seed gives the same `results.csv` on the same machine. The
page shows the newest report of each domain, `results/` being those of this repository and
`runs/` your own.
"""
_STRATEGIES = {
    "chosen": "One strength for all, chosen on validation images",
    "as fitted": "The transport as fitted, α = 1",
    "one for all": "Least strength at which the classifier accepts all",
    "per image": "Least strength at which the classifier accepts each",
}


def build(page: gr.Blocks) -> None:
    """Lay out the tab and connect it.

    Args:
        page: Whose load event draws the first chart.
    """
    found = reports.find_reports()
    if not found:
        html(notice("No report yet", "Run make bench, then reload this page."))
        gr.Markdown(_HOW)
        return
    first = next(iter(found))
    with gr.Row():
        one = {"filterable": False, "min_width": 200}  # one a row on a phone, whose names fit
        report = gr.Dropdown(list(found), value=first, label="Report", **one)
        metric = gr.Dropdown(label="What is measured", **one)
        attribute = gr.Dropdown(label="Attribute", **one)
        way = gr.Dropdown(label="How", **one)
    chart = html()
    with gr.Accordion("The table", open=False):
        table = gr.Markdown(elem_classes="table")
    note = gr.Markdown(elem_classes="note")
    gr.Markdown(_HOW)
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    chosen = [report, metric, attribute, way]
    gr.on([page.load, report.input], _open, report, [metric, attribute, way, table, note],
          **quiet).then(_draw, chosen, chart, **quiet)
    gr.on([metric.input, attribute.input, way.input], _draw, chosen, chart,
          trigger_mode="always_last", **quiet)


def _path(name: str) -> Path:
    found = reports.find_reports()
    if name not in found:
        raise gr.Error(f"There is no report {name!r:.60}; choose from {', '.join(found)}.")
    return found[name]


def _open(name: str) -> tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown, str, str]:
    """Choices, table and note of a report."""
    path = _path(name)
    if name.startswith("digits"):
        metrics, names = reports.digit_metrics(path), []
        ways = [(_STRATEGIES.get(key, key), key) for key in reports.strategies_of(path)]
    else:
        metrics, names = reports.ATTRIBUTE_METRICS, reports.attributes_of(path)
        ways = [("Adding it", "add"), ("Removing it", "remove")]
    choices = [(text, key) for key, text in metrics.items()]
    diamond = " Open diamonds: the paper's numbers, on other data." if not names else ""
    return (
        gr.Dropdown(choices, value=choices[0][1]),
        gr.Dropdown(names, value=names[0] if names else None, visible=bool(names)),
        gr.Dropdown(ways, value=ways[0][1]),
        reports.table_of(path),
        "Floors and ceilings are dashed; the variants of a method have its colour, dashed."
        f"{diamond} {reports.commit_of(path)}",
    )


def _draw(name: str, metric: str, attribute: str | None, way: str) -> str:
    path = _path(name)
    try:
        if name.startswith("digits"):
            chart = reports.digit_chart(path, metric, way)
        else:
            chart = reports.face_chart(path, attribute or "", way, metric)
    except (KeyError, ValueError, OSError) as error:
        return notice("This report cannot be drawn", f"{path.name}: {error}")
    return f'{chart}<p class="note">{reports.NOTES[metric]}</p>'
