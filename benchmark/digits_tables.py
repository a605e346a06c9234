"""The tables of a digits run, from its rows and from nothing else."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.attributes.sheet import Sheet
from benchmark.differences import Difference
from benchmark.measure import CHOSEN, FITTED, READINGS
from benchmark.methods import LABELS
from benchmark.paper import TABLE_2
from benchmark.presets import RunConfig
from benchmark.summary import CEILING

__all__ = ["gains_sheet", "legend", "sheets_of", "strict_sheet"]

_FAIR = ("lt_restricted", "lt_few_layers", "lw_every_layer")  # for the results page only
_TABLE_2 = {
    "actual": "actual change", "exact": "exactly n+1", "kept": "digits kept",
    "clean": "exactly n+1 and all kept", "kept_photo": "digits of the photo kept",
    "latent": "latent change", "alpha": "alpha", "distance": "distance to targets",
}
_WITH_INTERVALS = ("actual", "exact", "kept", "clean")
Rows = Sequence[dict[str, Any]]


def sheets_of(
    rows: Rows, gains: Sequence[Difference], config: RunConfig, facts: dict[str, Any]
) -> list[Sheet]:
    """Every table of the results page, in order.

    Args:
        rows: From table2.json.
        gains: Paired differences.
        config: Settings of the run.
        facts: facts.json.
    """
    adding = [task for task in config.tasks if task[0] < task[-1]]
    removing = [task for task in config.tasks if task not in adding]
    sheets = []
    if adding:
        sheets.append(strict_sheet(rows, adding, config, facts))
    if removing:
        sheets.append(strict_sheet(rows, removing, config, facts))
    sheets.append(_classes_sheet(rows))
    sheets += [_table_2(rows, reading) for reading in READINGS if adding]
    return [*sheets, *([gains_sheet(gains)] if gains else [])]


def strict_sheet(
    rows: Rows, tasks: Sequence[str], config: RunConfig, facts: dict[str, Any], *,
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
    adds = tasks[0][0] < tasks[0][-1]
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


def legend(config: RunConfig, facts: dict[str, Any], tasks: Sequence[str]) -> str:
    """How to read a strict table, in one paragraph."""
    adds = tasks[0][0] < tasks[0][-1]
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
        said += f" {LABELS[method]}: the editors that the repository ships, not fitted in this run"
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


def _table_2(rows: Rows, reading: str) -> Sheet:
    body = []
    for row in rows:
        if row["strategy"] == reading:
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
    return Sheet(f"table2_{reading.replace(' ', '_')}", f"Table 2, alpha {reading}",
                 ("edit", "method", *_TABLE_2.values(), "paper, actual change"), tuple(body), note)


def gains_sheet(gains: Sequence[Difference]) -> Sheet:
    """Paired differences."""
    body = tuple(
        (gain.strategy, gain.task, LABELS.get(gain.method, gain.method),
         LABELS.get(gain.other, gain.other), _signed(gain.gain), _signed(gain.clean))
        for gain in gains
    )
    note = (
        "Differences of two methods on the same images, paired. Gain: in accepted edits where one "
        "strength was chosen for all, in images that changed under the paper's readings."
    )
    columns = ("strength", "edit", "method", "against", "gain", "gain in exactly n+1 and all kept")
    return Sheet("gains", "Image by image", columns, body, note)


def _label(row: dict[str, Any]) -> str:
    if row["method"] == CEILING:
        return "real images of so many digits"
    return LABELS.get(row["method"], row["method"])


def _alpha(row: dict[str, Any]) -> str:
    mean = row["alpha"]["mean"]
    if mean is None:
        return ""
    return f"{mean:g}, as fitted" if row["strategy"] == FITTED else f"{mean:g}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _interval(value: dict[str, float | None]) -> str:
    if value["mean"] is None:
        return "n/a"
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def _signed(value: Any) -> str:
    return f"{value.mean:+.3f} [{value.low:+.3f}, {value.high:+.3f}]"
