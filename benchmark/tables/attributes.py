"""The tables of a run, from results.csv.

`table1` has the paper's layout: means over alpha in [d, 2 d], with the paper's numbers beside.
All others compare at equal target change by the scoring judge. A level that a method does not
reach is written "not reached", and means say over how many edits they are.
"""

from benchmark.attributes import AttributeRun
from benchmark.bootstrap import Interval
from benchmark.compare import QUANTITIES
from benchmark.files import to_csv, write_text
from benchmark.methods import label_of
from benchmark.paper import TABLE_1, TABLE_1_HERE
from benchmark.presets import LEVELS
from benchmark.results import read_results, summaries
from benchmark.rows import AREA, HERO, LIKE, level_name
from benchmark.tables.details import (
    behaviour,
    costs,
    gap,
    judges,
    metrics,
    realism,
    rescoring,
    strengths,
)
from benchmark.tables.facts import Facts, about_run, facts_of, mean_of
from benchmark.tables.sheet import NO_OTHERS, NOT_REACHED, Made, Sheet, interval, number

__all__ = ["all_tables", "make_tables"]

_HIGHEST = level_name(LEVELS[-1])


def make_tables(run: AttributeRun) -> Made:
    """Write summary.csv and the tables' numbers, from results.csv.

    Raises:
        FileNotFoundError: Naming a file that an earlier stage should have left.
        ValueError: Naming a cell that is missing from results.csv or not finite.
    """
    results = read_results(run.out / "results.csv", run.keys)
    rows = summaries(results)
    write_text(run.out / "summary.csv", to_csv(rows))
    sheets = tuple(all_tables(facts_of(run, results, rows)))
    about, figures = about_run(run), f"{run.domain.name}/figures"
    return Made("report", f"Attribute editing on {run.domain.name}", about, sheets, (
        f"{sheets[0].body()} {about}\n\n"
        f"![Preservation and identity against target change]({figures}/fig4.png)\n\n"
        f"![LT(*), LW(*) and LW at twice d]({figures}/fig5.png)"
    ))


def all_tables(facts: Facts) -> list[Sheet]:
    """Every table, the main one first."""
    tables = [_equal_change(facts)]
    if any(facts.of(method) for method in TABLE_1) and "masculine" in facts.names:
        tables.append(_table1(facts))
    tables += [_levels(facts)]
    tables += [_per_edit(facts, quantity) for quantity in QUANTITIES]
    return tables + [
        make(facts)
        for make in (gap, realism, behaviour, rescoring, strengths, judges, metrics, costs)
    ]


def _shown(found: Interval | None, *, sign: bool = False) -> str:
    if found is None:
        return NOT_REACHED
    return interval(*found, sign=sign)


def _quantity(facts: Facts, method: str, level: str, name: str, *, gain: bool = False) -> str:
    if facts.alone and name == QUANTITIES[0]:
        return NO_OTHERS
    return _shown(facts.at(method, level, f"{name}_gain" if gain else name), sign=gain)


def _tried(facts: Facts, method: str) -> int:
    return len({(row["attribute"], row["direction"]) for row in facts.of(method)})


def _equal_change(facts: Facts) -> Sheet:
    rows = []
    photo = ["identity (photo)"] if "identity_photo" in facts.samples else []
    for method in facts.methods:
        own = method == facts.rival or not facts.rival
        rows.append((
            label_of(method),
            f"{facts.edits_of(method, _HIGHEST, 'edits')} of {_tried(facts, method)}",
            _quantity(facts, method, _HIGHEST, "preservation"),
            NO_OTHERS if facts.alone else number(mean_of(facts.of(method), f"worst_{_HIGHEST}")),
            _shown(facts.at(method, _HIGHEST, "identity")),
            *(number(mean_of(facts.of(method), f"identity_photo_{_HIGHEST}")) for _ in photo),
            *(number(mean_of(facts.of(method), f"{name} identity_{_HIGHEST}"))
              for name in facts.slow),
            *("" if own else _quantity(facts, method, _HIGHEST, name, gain=True)
              for name in QUANTITIES),
            "" if own else str(facts.edits_of(method, _HIGHEST, "edits_both")),
        ))
    hero = label_of(facts.rival or HERO)
    impostors = ", ".join(f"{name} {value:.2f}" for name, value in facts.impostors.items())
    return Sheet(
        "equal_change", "Every method at 90 % target change",
        ("method", "edits reached", "attributes preserved", "worst attribute",
         f"identity ({facts.fast})", *photo, *(f"identity ({name})" for name in facts.slow),
         f"{hero} − method: preserved", f"{hero} − method: identity", "edits both reach"),
        tuple(rows),
        "Means over the edits (attribute and direction) in which a method reaches 90 % target "
        "change by the scoring judge; differences over the edits that both reach. Brackets are "
        "95 % intervals of a bootstrap over images, paired for the differences, seeds averaged. "
        f"{_likes(facts)}The ceiling takes real codes and can add only. Identity of two different "
        f"images: {impostors}. {facts.judges}",
    )


def _likes(facts: Facts) -> str:
    """LW(*) against LT(*), in words; nothing where one of them did not run."""
    said = ""
    for method, leader in LIKE.items():
        if method not in facts.methods or leader not in facts.methods:
            continue
        kept, same = (facts.at(method, _HIGHEST, f"{name}_like") for name in QUANTITIES)
        if kept is None:
            continue
        said += (f"{label_of(leader)} − {label_of(method)}: preserved {_shown(kept, sign=True)}, "
                 f"identity {_shown(same, sign=True)}, over the "
                 f"{facts.edits_of(method, _HIGHEST, 'edits_like')} edits that both reach. ")
    return said


def _levels(facts: Facts) -> Sheet:
    rows = []
    for level in (*map(level_name, LEVELS), AREA):
        for method in facts.methods:
            rows.append((
                f"{level} %" if level != AREA else "area 0–90 %", label_of(method),
                f"{facts.edits_of(method, level, 'edits')} of {_tried(facts, method)}",
                *(_quantity(facts, method, level, name) for name in QUANTITIES),
                *("" if method == facts.rival else
                  _quantity(facts, method, level, name, gain=True) for name in QUANTITIES),
            ))
    hero = label_of(facts.rival or HERO)
    return Sheet(
        "levels", "At 50, 70 and 90 % target change, and the area under the curve",
        ("target change", "method", "edits reached", "preserved", "identity",
         f"{hero} − method: preserved", f"{hero} − method: identity"),
        tuple(rows),
        "As above. The area is the mean over target changes from 0 to 90 %, and needs 90 % to be "
        f"reached. {facts.judges}",
    )


def _table1(facts: Facts) -> Sheet:
    learned = [method for method in TABLE_1 if facts.of(method)]
    rest = [method for method in facts.methods if method not in TABLE_1]
    others = [name for name in facts.attributes if name not in TABLE_1_HERE.values()]
    rows = []
    for method in [*learned, *rest]:
        cells = [label_of(method)]
        for part, quantity in enumerate(QUANTITIES):
            for theirs, ours in TABLE_1_HERE.items():
                mine = "–"
                if ours in facts.attributes:
                    mine = number(mean_of(facts.of(method, attribute=ours), f"range_{quantity}"))
                paper = TABLE_1.get(method, {}).get(theirs)
                cells.append(f"{mine} ({paper[part]:.2f})" if paper else mine)
            mean = mean_of(facts.of(method), f"range_{quantity}")
            cells.append(number(mean))
        cells.append(number(mean_of(facts.of(method), "range_change")))
        rows.append(tuple(cells))
    heads = [f"{theirs} → {ours or 'not labelled'}" for theirs, ours in TABLE_1_HERE.items()]
    columns = ["method"]
    for quantity in ("preserved", "identity"):
        columns += [f"{quantity}: {head}" for head in heads] + [f"{quantity}: all"]
    return Sheet(
        "table1", "Table 1 of the paper: means over ten α in [d, 2d]",
        (*columns, "target change"), tuple(rows),
        "In parentheses the paper's numbers (FFHQ, StyleGAN2, ArcFace), which other images, judges "
        f"and identity ({facts.fast}) stand behind: compare the order of the methods, not the "
        f"values. d is where half of the calibration codes change; all {len(facts.attributes)} "
        f"attributes{', also ' + ', '.join(others) if others else ''}, adding and removing, are in "
        "the columns \"all\". Means over a range of α favour methods that change less within it "
        f"(last column): the table above is the comparison at equal change. {facts.judges}",
    )


def _per_edit(facts: Facts, quantity: str) -> Sheet:
    rows = []
    for edit in facts.edits:
        cells = [f"{edit.attribute}, {edit.direction}"]
        for method in facts.methods:
            tried = facts.of(method, attribute=edit.attribute, direction=edit.direction)
            found = facts.at(method, _HIGHEST, quantity, edit)
            cells.append("" if not tried else NOT_REACHED if found is None else number(found.mean))
        both = facts.rival and facts.of("lt")
        gain = facts.at("lt", _HIGHEST, f"{quantity}_gain", edit)
        cells.append(_shown(gain, sign=True) if both else "")
        if facts.alone and quantity == QUANTITIES[0]:
            cells[1:] = [NO_OTHERS if cell else "" for cell in cells[1:]]
        rows.append(tuple(cells))
    named = {"preservation": "Attributes preserved", "identity": f"Identity ({facts.fast})"}
    return Sheet(
        f"edits_{quantity}", f"{named[quantity]} at 90 % target change, edit by edit",
        ("edit", *(label_of(method) for method in facts.methods), "LW − LT, paired"),
        tuple(rows), f"Seeds averaged. {facts.judges}",
    )
