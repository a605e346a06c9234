"""The measurements of transport as one report: bars with verdicts, then the tables behind them."""

from typing import Any

from benchmark.tables.sheet import markdown

__all__ = ["bars_of", "to_markdown"]

_D_OF = {"judge": "d: half change by the judge", "latent": "d: .9 change by the classifier"}
_VARIANTS = {"lw_layer0": "LW, layer 0 only"}
_GOALS = {"seconds": 60.0, "gigabytes": 4.0, "ratio": 20.0, "percent": 0.01, "map": 0.05}


def bars_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Every bar with what was measured and whether it is met.

    Args:
        report: What `benchmark/transport_bars.py` measured.
    """
    exact = report["exactness"]
    rows = [] if not exact else [
        _at_most("divergence against POT's exact W_2^2 / 2, 200 points", exact["value"],
                 _GOALS["percent"]),
        _at_most("gradient against finite differences", exact["gradient"], _GOALS["percent"]),
        _at_most("alternate against the closed-form map, two Gaussians, d = 16, n = 5,000",
                 exact["map"], _GOALS["map"]),
        {"what": "same seed, saved and loaded: equal bits", "bar": "yes",
         "measured": "yes" if exact["bits"] else "no", "met": exact["bits"]},
    ]
    for one in report["solvers"]:
        task, mine = one["task"], one["alternate"]
        rows += [
            _at_most(f"{task}, seconds of alternate", mine["seconds"], _GOALS["seconds"]),
            _at_most(f"{task}, GB of alternate", one["alternate_gigabytes"], _GOALS["gigabytes"]),
            _at_most(f"{task}, held-out divergence of alternate, adam's as in the paper as the bar",
                     mine["loss"], one["adam"][0]["loss"]),
            *(_ratio(one, fit, _adam(*run))
              for fit, run in zip(one["adam"], report["settings"]["runs"], strict=True)),
        ]
    for (domain, by), edited in _ranges(report).items():
        rows += [
            _at_least(f"{domain}, smallest spread of edited codes in [d, 2d], {_D_OF[by]}",
                      min(row["spread"] for row in edited), 0.9),
            _at_least(f"{domain}, the same over that of unedited codes where these lie tighter, "
                      f"{_D_OF[by]}", _own_spread(report, edited), 0.9),
            _at_most(f"{domain}, largest distance to real target codes in [d, 2d], {_D_OF[by]}",
                     max(row["distance"] for row in edited), 1.1),
        ]
    return rows


def _own_spread(report: dict[str, Any], edited: list[dict[str, Any]]) -> float:
    """The smallest spread, where codes that lie tighter before the edit are the measure."""
    before = {
        (_label(row), row["edit"], row["lam"]): min(1.0, row["spread"])
        for row in report["in_distribution"] if not row["by"]
    }
    return min(row["spread"] / before[_label(row), row["edit"], row["lam"]] for row in edited)


def _label(row: dict[str, Any]) -> str:
    """The domain, with the method where it is not LW with an affine map."""
    method = row.get("method", "lw")
    return row["domain"] if method == "lw" else f"{row['domain']}, {_VARIANTS[method]}"


def _ranges(report: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Edits of a domain at d to 2 d, for each meaning of d."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in report["in_distribution"]:
        if row["by"]:
            found.setdefault((_label(row), row["by"]), []).append(row)
    return dict(sorted(found.items(), key=lambda item: item[0][1] != "judge"))


def _leaving(report: dict[str, Any]) -> list[list[str]]:
    """For each domain and meaning of d, the edit that leaves the data first, and the others."""
    rows = []
    for (domain, by), edited in _ranges(report).items():
        ends = {(row["edit"], row["lam"]): row["leaves"] or float("inf") for row in edited}
        (edit, lam), first = min(ends.items(), key=lambda item: item[1])
        inside = sum(end > 2 for end in ends.values())
        shown = "beyond 4" if first == float("inf") else f"{first:.3g}"
        rows.append([domain, _D_OF[by], shown, f"{edit}, λ {lam:g}", f"{inside} of {len(ends)}"])
    return rows


def _at_most(what: str, measured: float, bar: float) -> dict[str, Any]:
    return {"what": what, "bar": f"≤ {bar:.4g}", "measured": f"{measured:.4g}",
            "met": measured <= bar}


def _at_least(what: str, measured: float, bar: float) -> dict[str, Any]:
    return {"what": what, "bar": f"≥ {bar:.4g}", "measured": f"{measured:.4g}",
            "met": measured >= bar}


def _adam(batch: int | None, stopping: bool) -> str:
    """A run of adam in words."""
    size = "all codes" if batch is None else f"{batch} codes"
    return f"adam, {size} a step, {'early' if stopping else 'no early'} stopping"


def _ratio(one: dict[str, Any], fit: dict[str, Any], name: str) -> dict[str, Any]:
    """Seconds of a run of adam to alternate's loss over alternate's."""
    t = one["alternate"]["seconds"]
    # Where adam stopped by itself above alternate's loss, it is not known how long it would take.
    if fit["reached"] is not None:
        ratio, shown = fit["reached"] / t, f"{fit['reached'] / t:.3g}"
    elif fit["stopped"]:
        ratio = fit["seconds"] / t
        shown = f"not shown: adam stopped above it after {ratio:.3g} times"
    else:
        ratio = fit["seconds"] / t
        shown = f"> {ratio:.3g}, time was up"
    what = f"{one['task']}, how much faster to the same held-out divergence than {name}"
    return {"what": what, "bar": f"≥ {_GOALS['ratio']:g}", "measured": shown,
            "met": ratio >= _GOALS["ratio"]}


def to_markdown(report: dict[str, Any]) -> str:
    """The whole page."""
    bars = [
        [row["what"], row["bar"], row["measured"], "met" if row["met"] else "missed"]
        for row in bars_of(report)
    ]
    settings = report["settings"]
    parts = [
        "# Transport: exactness, solvers, cost, collapse\n",
        markdown(["what", "bar", "measured", ""], bars),
        "\n## Solvers on the digits tasks\n",
        markdown(["task", "solver", "codes a side", "held-out loss", "seconds",
                "seconds to alternate's loss", "GB", "steps to the best", "ended"],
               [row for one in report["solvers"] for row in _solver_rows(one, settings)]),
        f"\nCodes have {report['solvers'][0]['dim']} coordinates. lambda = 0, blur "
        f"{settings['blur']} of the median distance for both. Adam has at most "
        f"{settings['budget']:g} times alternate's seconds.\n"
        if report["solvers"] else "",
        "\n## Growth with codes and dimensions\n",
        markdown(["codes a side", "dimensions", "both plans, s", "GB", "GeomLoss, s", "GB"],
               [[row["n"], row["dim"], f"{row['seconds']:.2f}", f"{row['gigabytes']:.2f}",
                 f"{row['geomloss_seconds']:.2f}", f"{row['geomloss_gigabytes']:.2f}"]
                for row in report["growth"]]),
        "\nOne cold solution of the plans x' → y and x' → x', against one gradient of the same "
        "divergence through GeomLoss at scaling .9.\n",
        "\n## Collapsed and off-manifold edits\n",
        markdown(["domain", "d", "distance leaves the band at, times d", "first edit to",
                "edits inside it up to 2d"], _leaving(report)),
        "\nThe band: spread ≥ .9 and distance ≤ 1.1. d is that of the benchmark's protocol, where "
        "half of the codes change by the scoring judge, and beside it the one at which nine in ten "
        "change by the latent classifier, a stricter demand. Why the second cannot be met in few "
        "dimensions: results/transport/README.md. Source codes that lie tighter than the target's, "
        "as those of one digit do (alpha 0), have a spread below .9 before any edit.\n",
        markdown(["domain", "edit", "λ", "d", "times d", "alpha", "latent change", "spread",
                "distance", ""],
               [[_label(row), row["edit"], f"{row['lam']:g}", row["by"] or "–",
                 f"{row['times']:g}", f"{row['alpha']:.3g}", f"{row['flipped']:.2f}",
                 f"{row['spread']:.3f}", f"{row['distance']:.3f}", _verdict(row)]
                for row in report["in_distribution"]]),
        "\nSpread: mean distance to the mean of held-out real target codes, 1 is that of such a "
        "code; distance: to the nearest of them, 1 is that of one of them to the next. alpha 0 is "
        "no edit. Not reached: no strength up to 4 changes as many codes as d stands for.\n",
        "\n## Machines\n",
        markdown(["last measured", "torch", "processor", "cores", "threads", "load before",
                  "after"],
               [[part, machine["torch"], machine["cpu"], machine["cores"], machine["threads"],
                 f"{machine['load_before']:.1f}", f"{machine['load_after']:.1f}"]
                for part, machine in report["machines"].items()]),
        "\nSeconds are of a free machine only where its load is no more than the threads.\n",
    ]
    return "\n".join(part for part in parts if part)


def _solver_rows(one: dict[str, Any], settings: dict[str, Any]) -> list[list[Any]]:
    names = ["alternate"]
    names += [_adam(*run) for run in settings["runs"]]
    fits = [one["alternate"], *one["adam"]]
    peaks = [one["alternate_gigabytes"], *one["adam_gigabytes"]]
    rows = []
    for name, fit, peak in zip(names, fits, peaks, strict=True):
        reached = "never" if fit["reached"] is None else f"{fit['reached']:.1f}"
        rows.append([one["task"], name, f"{fit['sides'][0]} × {fit['sides'][1]}",
                     f"{fit['loss']:.4g}", f"{fit['seconds']:.1f}", reached, f"{peak:.2f}",
                     fit["steps"], "by itself" if fit["stopped"] else "time was up"])
    return rows


def _verdict(row: dict[str, Any]) -> str:
    if not row["alpha"]:
        return "no edit"
    inside = row["spread"] >= 0.9 and row["distance"] <= 1.1
    return ("in-distribution" if inside else "off-manifold") + (
        "" if row["reached"] else ", d not reached")
