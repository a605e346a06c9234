"""The tables where a strength was chosen, from the rows of the cells and from nothing else.

`benchmark.shares` writes the rows; table2.md and .tex, and the page, are made from them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.digits import TASKS, DigitsRun
from benchmark.files import read_json, read_list, write_json, write_text
from benchmark.methods import label_of, shipped_seeds
from benchmark.paper import TABLE_2
from benchmark.presets import DigitsConfig
from benchmark.shares import CEILING, Difference, read_difference
from benchmark.strengths import CHOSEN, FITTED, PAPERS
from benchmark.tables.sheet import Made, Sheet, interval

__all__ = ["facts_line", "gains_sheet", "legend", "make_tables", "sheets_of", "strict_sheet"]

_FAIR = ("lt_restricted", "lt_few_layers", "lw_every_layer")  # for the results page only
_TABLE_2 = {
    "actual": "actual change", "exact": "exactly n+1", "kept": "digits kept",
    "clean": "exactly n+1 and all kept", "kept_photo": "input digits preserved",
    "latent": "latent change", "alpha": "alpha", "distance": "distance to targets",
}
_WITH_INTERVALS = ("actual", "exact", "kept", "clean")
Rows = Sequence[dict[str, Any]]


def make_tables(run: DigitsRun) -> Made:
    """The tables of a run, from table2.json and gains.json; table2.tex beside them.

    Raises:
        FileNotFoundError: If a file is missing that an earlier step should have left.
        ValueError: If one is damaged.
    """
    config, out = run.config, run.out
    rows = read_list(out / "table2.json", "the rows of a report")
    gains = [read_difference(held) for held in read_list(out / "gains.json", "gains of a report")]
    facts = read_json(out / "facts.json", "facts.json") | {"shipped": _cards(run)}
    write_json(out / "shipped.json", facts["shipped"])
    sheets = sheets_of(rows, gains, config, facts)
    write_text(out / "table2.tex", "\n".join(sheet.latex() for sheet in sheets))
    line = facts_line(run, facts)
    adding = [name for name in config.tasks if TASKS[name].adds]
    readme = strict_sheet(rows, adding, config, facts, brief=True) if adding else sheets[0]
    return Made(
        name="table2", title="Adding and removing a digit",
        about=f"Held-out images, encoded, edited in W+, drawn and judged. {line}",
        before=("# Table 2 and the strict reading\n",), after=(line,), sheets=tuple(sheets),
        readme=f"{readme.markdown(level=3).strip()}\n\n![The first held-out images of each edit, "
               "not picked; green: accepted](digits/examples.png)",
    )


def _cards(run: DigitsRun) -> dict[str, dict[str, Any]]:
    """fit.json of one editor of each method that the repository ships."""
    cards = {}
    for method in run.config.methods:
        if shipped_seeds(method, run.config) and not run.config.refit:
            found = sorted((run.out / "editors").glob(f"{method}_*/fit.json"))
            cards[method] = read_json(found[0], "fit.json") if found else {}
    return cards


def facts_line(run: DigitsRun, facts: dict[str, Any]) -> str:
    """How good the networks are that everything depends on."""
    config = run.config
    accuracy = [
        read_json(run.out / f"classifier_{seed}.json", "the latent classifier's accuracy")
        for seed in config.seeds
    ]
    latent = ", ".join(f"{name} {min(a[name] for a in accuracy):.3f}" for name in config.tasks)
    return (
        f"Judges on {facts['heldout_images']} held-out real images: count "
        f"{facts['count_judge_real']:.4f}, all classes {facts['classes_judge_real']:.4f}. "
        f"Reconstructions: count kept {facts['reconstruction_count_kept']:.4f}, all classes kept "
        f"{facts['reconstruction_classes_kept']:.4f}, SSIM {facts['reconstruction_ssim']:.3f}. "
        f"Latent classifier, with against without the digit, held-out codes, worst seed: {latent}."
    )


def sheets_of(
    rows: Rows, gains: Sequence[Difference], config: DigitsConfig, facts: dict[str, Any]
) -> list[Sheet]:
    """Every table of the results page, in order.

    Args:
        rows: From table2.json.
        gains: Paired differences.
        config: Settings of the run.
        facts: facts.json.
    """
    adding = [task for task in config.tasks if TASKS[task].adds]
    removing = [task for task in config.tasks if task not in adding]
    sheets = []
    if adding:
        sheets.append(strict_sheet(rows, adding, config, facts))
    if removing:
        sheets.append(strict_sheet(rows, removing, config, facts))
    sheets.append(_classes_sheet(rows))
    sheets += [_table_2(rows, strategy) for strategy in PAPERS if adding]
    return [*sheets, *([gains_sheet(gains)] if gains else [])]


def strict_sheet(
    rows: Rows, tasks: Sequence[str], config: DigitsConfig, facts: dict[str, Any], *,
    brief: bool = False,
) -> Sheet:
    """Accepted edits of every method, strictly read.

    Args:
        rows: From table2.json.
        tasks: Edits, all of which add or all of which remove.
        config: Settings of the run.
        facts: facts.json.
        brief: For the first page: without the variants that answer what layers matter, and without
            the parts of what is said of the edits as a whole.
    """
    adds = TASKS[tasks[0]].adds
    wanted = "exactly n+1 and all kept" if adds else "exactly n and no other digit changed"
    body = []
    for row in _strict(rows, tasks):
        if brief and row["method"] in _FAIR:
            continue
        parts = () if brief else (_interval(row["exact"]), _interval(row["kept"]))
        body.append((
            row["task"], _label(row), _alpha(row), *(() if brief else (str(row["seeds"]),)),
            _interval(row["accepted"]), _number(row["worst"]["accepted"]),
            _interval(row["clean"]), _number(row["worst"]["clean"]),
            *parts, _interval(row["fooled"]),
        ))
    name, title = ("adding", "Adding a digit") if adds else ("removing", "Removing a digit")
    alone = ("exactly n+1", "all kept") if adds else ("exactly n", "others unchanged")
    columns = ("edit", "method", "α", *(() if brief else ("seeds",)), "accepted", "worst seed",
               wanted, "worst seed", *(() if brief else alone), "fooled")
    return Sheet(name, title, columns, tuple(body), legend(config, facts, tasks))


def legend(config: DigitsConfig, facts: dict[str, Any], tasks: Sequence[str]) -> str:
    """How to read a strict table, in one paragraph."""
    adds = TASKS[tasks[0]].adds
    clean = "exactly n+1 and all kept" if adds else "exactly n and no other digit changed"
    many, rest = ("n + 1", "every digit of the reconstruction is still there") if adds else (
        "n", "what is left is a part of what was there")
    images = ", ".join(f"{name}: {facts['measured'][name]} ({facts['left_out'][name]} left out)"
                       for name in tasks)
    tried = ", ".join(f"{alpha:g}" for alpha in config.strengths)
    return (
        f"Accepted: the count judge sees exactly {many} with p > .9, the classes judge is sure of "
        f"all ten classes with p > .9, they sum to {many}, and {rest}. Fooled: the latent "
        "classifier believes in the edit, the count judge does not see it. Shares of all images; "
        f"brackets are 95 % bootstrap intervals over images ({config.bootstrap} resamples, seeds "
        f"averaged). Each method has one α for all images of a task, that of {tried} with most "
        f"accepted edits of up to {config.validation_images} validation images (the last tenth of "
        f"the training codes), of equals that with most edits that are {clean}; α = 1 is the "
        f"transport as fitted. Real images: held-out images that have {many} digits, reconstructed "
        f"and read alike, with nothing to keep. Held-out images: {images}; left out are those "
        "whose reconstruction is miscounted before any edit. Seeds "
        f"{', '.join(map(str, config.seeds))}.{_shipped(facts)}"
    )


def _shipped(facts: dict[str, Any]) -> str:
    """What is to be said of editors that were not fitted in the run."""
    said = ""
    for method, card in facts.get("shipped", {}).items():
        said += (f" {label_of(method)}: the editors that the repository ships, not fitted in this "
                 "run")
        if card.get("further_images"):
            said += (f"; they learnt from the codes of {card['further_images']} further images of "
                     "the same digits as well")
        if card.get("most_batch"):
            said += f"; {card['most_batch']} codes a side in a step, where the paper has all"
        said += "."
    return said


def _strict(rows: Rows, tasks: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Rows of the two strict strategies, task by task; where α = 1 was chosen, once."""
    for task in tasks:
        mine = [row for row in rows if row["task"] == task]
        for method in dict.fromkeys(row["method"] for row in mine):
            found = {row["strategy"]: row for row in mine if row["method"] == method}
            yield found[CHOSEN]
            if FITTED in found and abs(found[CHOSEN]["alpha"]["mean"] or 0) != 1:
                yield found[FITTED]


def _classes_sheet(rows: Rows) -> Sheet:
    """Which classes the accepted edits added or removed."""
    body = []
    for row in rows:
        if row["strategy"] == CHOSEN and row["digits"]:
            shown = (f"{share:.2f}" for share in row["digits"])
            body.append((row["task"], _label(row), *shown, f"{min(row['digits']):.2f}"))
    columns = ("edit", "method", *map(str, range(10)), "least")
    note = "Share of each class among the digits of accepted edits, seeds pooled."
    return Sheet("classes", "Which digits are added or removed", columns, tuple(body), note)


def _table_2(rows: Rows, strategy: str) -> Sheet:
    body = []
    for row in rows:
        if row["strategy"] == strategy:
            paper = TABLE_2.get(row["method"].replace("lw_paper", "lw"), {}).get(row["task"])
            own = row["method"] in ("lt", "lw_paper")
            body.append((
                row["task"], _label(row),
                *(_interval(row[name]) if name in _WITH_INTERVALS else _number(row[name]["mean"])
                  for name in _TABLE_2),
                f"{paper:.2f}" if own and paper is not None else "",
            ))
    note = (
        "The paper's Table 2, \"actual change at a latent target change of 100 %\", in both ways "
        "that it can be read: one strength for all, the smallest at which every latent verdict has "
        "flipped (or most have), or the smallest for each image. Only images whose verdict flipped "
        "are counted. Actual change: the count judge sees n + 1 digits or more. Digits kept: every "
        "digit of the reconstruction is there, among images that changed; of the photo: every "
        "digit of the image that was encoded. Distance: to the nearest held-out target code, 1 is "
        "that of a real target code."
    )
    return Sheet(f"table2_{strategy.replace(' ', '_')}", f"Table 2, alpha {strategy}",
                 ("edit", "method", *_TABLE_2.values(), "paper, actual change"), tuple(body), note)


def gains_sheet(gains: Sequence[Difference]) -> Sheet:
    """Paired differences."""
    body = tuple(
        (gain.strategy, gain.task, label_of(gain.method),
         label_of(gain.other), interval(*gain.gain, sign=True),
         interval(*gain.clean, sign=True))
        for gain in gains
    )
    note = (
        "Differences of two methods on the same images, paired. Gain: in accepted edits where one "
        "strength was chosen for all, in images that changed in the paper's two ways to choose it."
    )
    columns = ("strength", "edit", "method", "against", "gain", "gain in exactly n+1 and all kept")
    return Sheet("gains", "Image by image", columns, body, note)


def _label(row: dict[str, Any]) -> str:
    if row["method"] == CEILING:
        return "real images of so many digits"
    return label_of(row["method"])


def _alpha(row: dict[str, Any]) -> str:
    mean = row["alpha"]["mean"]
    if mean is None:
        return ""
    return f"{mean:g}, as fitted" if row["strategy"] == FITTED else f"{mean:g}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _interval(value: dict[str, Any]) -> str:
    if value["mean"] is None:
        return "n/a"
    return interval(**value)
