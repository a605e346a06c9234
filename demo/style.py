"""How the page looks: theme and style sheet.

One colour a method everywhere, Okabe and Ito's blue for LW affine and vermilion for LT, Tol's wine
for LW neural; controls are grey, so that colour always means a method. Fonts are those of the
reader's system: nothing is fetched.
"""

import gradio as gr

from benchmark.methods import look_of

__all__ = ["COLOURS", "CSS", "METHODS_IN_WORDS", "theme"]

COLOURS = {name: look_of(name).colour for name in ("lw", "lt", "lw_neural")}
METHODS_IN_WORDS = {
    "lt": ("LT", "pushes across a classifier’s boundary"),
    "lw": ("LW affine", "moves the whole distribution (optimal transport)"),
    "lw_neural": ("LW neural", "the same transport, by a neural map"),
}
_SANS = ["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "DejaVu Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    """Grey controls, white cards, system fonts."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.slate,
        secondary_hue=gr.themes.colors.slate,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="#f4f6f9",
        body_background_fill_dark="#0d1117",
        body_text_color="#1b2430",
        body_text_color_dark="#e6eaf0",
        body_text_color_subdued="#566273",
        body_text_color_subdued_dark="#a3afbf",
        block_background_fill="#ffffff",
        block_background_fill_dark="#161c25",
        block_border_color="#dfe4ea",
        block_border_color_dark="#29323e",
        block_shadow="none",
        block_label_text_color="#566273",
        block_label_text_color_dark="#a3afbf",
        block_title_text_color="#1b2430",
        block_title_text_color_dark="#e6eaf0",
        block_title_text_weight="600",
        block_info_text_color="#566273",
        block_info_text_color_dark="#a3afbf",
        input_background_fill="#f7f9fb",
        input_background_fill_dark="#0d1117",
        button_primary_background_fill="#1b2430",
        button_primary_background_fill_hover="#33404f",
        button_primary_background_fill_dark="#e6eaf0",
        button_primary_background_fill_hover_dark="#ffffff",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#0d1117",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#eef1f5",
        button_secondary_background_fill_dark="#1d2530",
        button_secondary_background_fill_hover_dark="#29323e",
        button_secondary_border_color="#cfd6df",
        button_secondary_border_color_dark="#37424f",
        button_border_width="1px",
        button_large_text_size="*text_md",
        button_large_padding="9px 14px",
        layout_gap="14px",
        slider_color="#566273",
        slider_color_dark="#a3afbf",
        checkbox_label_background_fill_selected="#1b2430",
        checkbox_label_background_fill_selected_dark="#e6eaf0",
        checkbox_label_text_color_selected="#ffffff",
        checkbox_label_text_color_selected_dark="#0d1117",
    )


CSS = """
:root { --lw: #0072B2; --lt: #D55E00; --lw-text: #00639b; --lt-text: #b34a00;
  --neural: #882255; --neural-text: #882255; --good-fill: #e6f4ee; --good-line: #8cc9b0;
  --card: #ffffff; --line: #dfe4ea; --text: #1b2430; --soft: #566273; --fill: #eef1f5;
  --good: #0b6b4c; --bad: #9b2c2c; --warn-fill: #fff4e5; --warn-line: #f0c48a; }
.dark { --lw-text: #6dbdf0; --lt-text: #ff9d57; --neural: #b5487f; --neural-text: #ef9fc6;
  --good-fill: #12291f; --good-line: #2c6b50;
  --card: #161c25; --line: #29323e; --text: #e6eaf0; --soft: #a3afbf; --fill: #222b37;
  --good: #5fd0a5; --bad: #ff9a9a; --warn-fill: #2b2115; --warn-line: #6b4a1d; }
.gradio-container { max-width: 1240px !important; margin: 0 auto !important; }
.gradio-container .main { padding-top: 12px; }
footer { opacity: .8; } footer .show-api { display: inline-flex !important; }

.hero { display: grid; grid-template-columns: 1fr auto; gap: 8px 28px; align-items: end;
  padding: 6px 2px 2px; color: var(--text); }
.hero h1 { font-size: 1.65rem; line-height: 1.15; margin: 0; letter-spacing: -.02em;
  font-weight: 700; color: var(--text); }
.hero p { margin: .35rem 0 0; color: var(--soft); max-width: 62ch; line-height: 1.5; }
.legend { display: grid; gap: 6px; margin: 0; padding: 0; list-style: none; font-size: .92rem; }
.legend li { display: flex; gap: 10px; align-items: center; color: var(--text); margin: 0; }
.badge { display: inline-block; min-width: 2.4em; padding: 2px 8px; border-radius: 7px;
  color: #fff; font-weight: 700; text-align: center; letter-spacing: .02em; }
.badge.lw { background: var(--lw); } .badge.lt { background: #bb5200; }
.badge.lw_neural { background: #882255; }

.compare { display: grid; gap: 14px; grid-template-columns: repeat(3, minmax(0, 1fr));
  color: var(--text); }
.compare.four { grid-template-columns: repeat(4, minmax(0, 1fr)); }
.card { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  overflow: hidden; display: grid; grid-template-columns: minmax(0, 1fr); grid-row: span 4;
  grid-template-rows: subgrid; row-gap: 0; }
.card.lw { border-top: 5px solid var(--lw); } .card.lt { border-top: 5px solid var(--lt); }
.card.lw_neural { border-top: 5px solid var(--neural); }
.card.plain { border-top: 5px solid var(--line); }
.card .head { padding: 9px 13px 9px; line-height: 1.32; }
.card .head b { font-size: 1.1rem; display: block; }
.card.lw .head b { color: var(--lw-text); } .card.lt .head b { color: var(--lt-text); }
.card.lw_neural .head b { color: var(--neural-text); }
.card .head span { font-size: .86rem; color: var(--soft); display: block; }
.frame { position: relative; aspect-ratio: 1; background: var(--fill); --at: 0%; }
.frame img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; margin: 0;
  border-radius: 0; }
.frame .before { clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.frame::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px;
  background: #fff; box-shadow: 0 0 3px rgba(0,0,0,.6); opacity: var(--seen, 0); }
.notice, .compare, .strip, .chart { box-sizing: border-box; }
.wipe { display: flex; align-items: center; gap: 8px; padding: 8px 13px 0; font-size: .78rem;
  color: var(--soft); }
.wipe input { flex: 1; min-width: 0; height: 22px; accent-color: var(--soft); cursor: ew-resize; }
.facts { padding: 8px 13px 13px; display: flex; flex-direction: column; gap: 7px; min-width: 0;
  font-size: .9rem; line-height: 1.4; }
.facts .foot { margin-top: auto; padding-top: 2px; }
.facts p { margin: 0; }
.verdict { font-weight: 600; padding: 7px 10px; border-radius: 9px; background: var(--fill);
  color: var(--text); font-size: .9rem; }
.verdict em, .verdict .result { font-style: normal; display: block; }
.verdict .result { margin-top: 3px; }
.verdict .result:first-child { margin: 0 0 3px; font-size: 1rem; }
.verdict.changed { background: var(--good-fill); outline: 1px solid var(--good-line); }
.verdict.fooled { background: var(--warn-fill); outline: 1px solid var(--warn-line); }
.yes { color: var(--good); } .no { color: var(--bad); } .soft { color: var(--soft); }
.meter { display: grid; grid-template-columns: 1fr auto; gap: 2px 8px; }
.meter .bar { grid-column: 1 / -1; height: 6px; border-radius: 3px; background: var(--fill);
  overflow: hidden; position: relative; }
.meter .bar i { display: block; height: 100%; border-radius: 3px; background: var(--soft); }
.meter .bar u { position: absolute; top: 0; bottom: 0; width: 2px; background: var(--text); }
.card.lw .meter .bar i { background: var(--lw); } .card.lt .meter .bar i { background: var(--lt); }
.foot { display: flex; justify-content: space-between; align-items: center; gap: 8px;
  font-size: .8rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.foot button { white-space: nowrap; border: 1px solid var(--line); background: transparent;
  color: var(--text); border-radius: 8px; padding: 4px 10px; font-size: .8rem; cursor: pointer; }
.foot button:hover { background: var(--fill); }
.foot button:focus-visible, .wipe input:focus-visible { outline: 2px solid var(--soft);
  outline-offset: 2px; }

.strip { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 12px 14px; color: var(--text); }
.strip h3 { margin: 0 0 8px; font-size: .95rem; font-weight: 600; color: var(--text); }
.strip table { border-collapse: separate; border-spacing: 5px; width: 100%; table-layout: fixed;
  margin: 0; border: 0; }
.strip th, .strip td { padding: 0; border: 0; text-align: center; font-size: .78rem;
  font-weight: 500; color: var(--soft); background: transparent; vertical-align: top; }
.strip th.name { width: 5.4em; vertical-align: middle; }
.strip .badge { min-width: 0; padding: 2px 6px; line-height: 1.2; }
.strip td img { width: 100%; aspect-ratio: 1; border: 1px solid var(--line); box-sizing: border-box;
  border-radius: 8px; display: block; margin: 0; }
.strip td.hit img { box-shadow: 0 0 0 2px var(--card), 0 0 0 4px var(--good); }
.strip td small { display: block; padding-top: 4px; font-variant-numeric: tabular-nums; }

.chips { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; color: var(--soft);
  font-size: .88rem; min-height: 1.9em; }
.chips span { background: var(--fill); color: var(--text); border-radius: 99px; padding: 3px 11px;
  font-variant-numeric: tabular-nums; }
.notice { background: var(--warn-fill); border: 1px solid var(--warn-line); border-radius: 14px;
  padding: 14px 16px; color: var(--text); line-height: 1.5; }
.notice b { display: block; margin-bottom: 3px; }
.notice code { background: var(--fill); padding: 1px 6px; border-radius: 6px; color: var(--text); }
.note { color: var(--soft); font-size: .88rem; line-height: 1.5; }
.note.no { color: var(--bad); }

.chart { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 14px 16px; color: var(--text); }
.chart svg { width: 100%; height: auto; display: block; }
.chart svg text { fill: var(--soft); font-size: 13px; font-family: inherit; }
.chart svg .title { fill: var(--text); font-weight: 600; }
.chart svg .grid { stroke: var(--line); stroke-width: 1; }
.chart .keys { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: .88rem; margin-top: 8px; }
.chart .keys span { display: inline-flex; align-items: center; gap: 7px; color: var(--text); }
.chart .keys svg { width: 30px; height: 10px; flex: none; }
.table { overflow-x: auto; } .table table { font-size: .86rem; font-variant-numeric: tabular-nums; }
.table table, .prose-card table, .table tr, .prose-card tr { border: 0 !important; }
.table :is(td, th), .prose-card :is(td, th) { word-break: normal; overflow-wrap: normal; }
.prose-card :not(pre) > code { white-space: normal !important; overflow-wrap: anywhere; }
.prose-card { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 4px 18px 14px; color: var(--text); }
.drawing { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 8px; }
.drawing svg { width: 100%; max-width: 480px; height: auto; display: block; margin: 0 auto; }
.drawing svg text { fill: var(--text); font-size: 15px; font-family: inherit; }
.drawing svg .soft { fill: var(--soft); font-size: 13px; }

.prose-card .prose-card { border: 0; padding: 0; }
.prose-card table, .table table { border-collapse: collapse; width: 100%; }
.prose-card th, .prose-card td, .table th, .table td { border: 0 !important;
  border-bottom: 1px solid var(--line) !important; padding: 7px 10px 7px 0; text-align: left; }
.prose-card h3 { margin-top: 14px; }

.choices .wrap { gap: 6px; }
.choices label { padding: 5px 11px !important; border: 1px solid var(--line) !important; }
.choices label:focus-within { outline: 2px solid var(--soft); outline-offset: 1px; }
.choices label input { position: absolute; opacity: 0; width: 1px; height: 1px; }
.choices label span { margin: 0 !important; }
.seedrow { align-items: end; gap: 10px; }
.pad canvas { width: 100%; aspect-ratio: 1; background: #fff; border: 1px solid var(--line);
  border-radius: 10px; touch-action: none; cursor: crosshair; display: block; }
.stack { display: grid; gap: 14px; }
.thumbs { display: grid; grid-template-columns: repeat(12, 1fr); gap: 8px; }
.thumbs button { padding: 0; border: 2px solid transparent; border-radius: 10px; overflow: hidden;
  background: none; cursor: pointer; line-height: 0; }
.thumbs button:hover, .thumbs button:focus-visible { border-color: var(--soft); outline: 0; }
.thumbs img { width: 100%; aspect-ratio: 1; display: block; margin: 0; border-radius: 7px; }

@media (max-width: 900px) {
  .hero { grid-template-columns: 1fr; }
}
button[role="tab"][aria-selected="true"] { color: var(--text) !important; }
.html-container { padding: 0 !important; }

@media (max-width: 760px) {
  .legend { display: none; }
  .tabs, .tabitem, .tabitem > .column, .tabitem > .column > * { max-width: calc(100vw - 68px);
    min-width: 0 !important; }
  .gradio-container pre, .gradio-container .table { max-width: calc(100vw - 68px);
    overflow-x: auto; }
  .table table { min-width: 860px; }
  .foot { flex-wrap: wrap; }
  .chart { overflow-x: auto; max-width: calc(100vw - 68px); }
  .chart svg[role="img"] { min-width: 620px; }
  button[role="tab"] { padding: 0 10px !important; font-size: .9rem; }
  .tab-container { max-width: calc(100vw - 68px); overflow: hidden; }
  .sides { flex-direction: column !important; flex-wrap: nowrap !important; }
  .sides > * { display: contents !important; }
  .sides .seedrow { order: -4; } .sides > * > .form { order: -3; } .sides .first { order: -2; }
  .sides.pictures-first .first { order: -5; } .sides.pictures-first .seedrow { order: -2; }
  .choices .wrap { width: 0; min-width: 100%; }
  .gradio-container { padding: 4px !important; }
  .gradio-container .main, .gradio-container .main > .wrap { padding-left: 4px !important;
    padding-right: 4px !important; }
  .hero h1 { font-size: 1.3rem; } .hero p { font-size: .9rem; }
  .compare, .compare.four { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
  .compare .wide { grid-column: 1 / -1; grid-row: auto; grid-template-columns: 34% minmax(0, 1fr);
    grid-template-rows: auto 1fr; }
  .compare .wide .frame { grid-row: 1 / 3; grid-column: 1; }
  .compare .wide .wipe, .compare .wide .foot { display: none; }
  .card .head { padding: 7px 9px; } .card .head b { font-size: 1rem; }
  .card.lw_neural .head b { color: var(--neural-text); }
.card .head span { font-size: .78rem; }
  .facts { padding: 7px 9px 10px; font-size: .82rem; }
  .verdict { font-size: .82rem; padding: 6px 8px; }
  .wipe { padding: 6px 9px 0; } .wipe span { display: none; }
  .strip { padding: 10px; } .strip table { border-spacing: 3px; }
  .strip th.name { width: 4.2em; } .strip .sparse { display: none; }
  .thumbs { grid-template-columns: repeat(6, 1fr); gap: 5px; }
  .choices .wrap { flex-wrap: nowrap; overflow-x: auto; padding-bottom: 6px; }
  .choices label { flex: none; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
"""
