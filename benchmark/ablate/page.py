"""The ablation as Markdown."""

from typing import Any

from benchmark.tables.sheet import interval, markdown

__all__ = ["to_markdown", "winner"]


def winner(interval: list[float]) -> str:
    """Who wins by a paired difference: "LW", "floor", or "-" where the interval holds 0."""
    _, low, high = interval
    return "LW" if low > 0 else "floor" if high < 0 else "-"


def to_markdown(report: dict[str, Any]) -> str:
    """One table of variants, one of gains over the floors."""
    preset, machine = report["preset"], report["machine"]
    rows = [
        (row["edit"], row["what"], row["variant"], _number(row["held_out"]),
         f"{row['flipped']:.2f}", f"{row['alpha']:.2f}", interval(*row["changed"]),
         interval(*row["kept"]), f"{row['length']:.1f}", f"{row['spread']:.2f}",
         f"{row['distance']:.2f}", f"{row['seconds']:.1f}")
        for row in report["rows"]
    ]
    gains = [
        (row["edit"], row["variant"], row["floor"], interval(*row["changed"], sign=True),
         winner(row["changed"]), interval(*row["kept"], sign=True), winner(row["kept"]))
        for row in report["gains"]
    ]
    seeds = ", ".join(map(str, preset["seeds"]))
    return "\n".join([
        f"# Ablation of Latent Wasserstein on {report['domain']}\n",
        markdown(("edit", "about", "variant", "held-out loss", "latent change", "alpha",
                  "actual change", "kept", "length", "spread", "distance", "seconds"), rows),
        "",
        f"Every variant at the smallest strength at which {preset['share']:.0%} of held-out codes "
        "have the attribute by the latent classifier (the column says where that is not "
        "reached). Actual change: judges that no editor saw see the edit. Kept: "
        f"{report['kept']}. Length: mean |w' - w|. Spread and distance: see "
        "`lwedit.metrics.collapse`, 1 is a real code of the target class.",
        "",
        f"Base: {_settings(report['base'])}, per layer, alternate; each variant changes one thing. "
        "Held-out losses compare where lambda and the debiasing are the base's.",
        "",
        f"Seeds {seeds}, each another draw of {preset['codes']} training codes a side; "
        f"{' and '.join(_sizes(report))} held-out images. Brackets: 95 % bootstrap intervals over "
        f"images ({preset['resamples']} resamples, seeds averaged).",
        "",
        "## Against the floors\n",
        markdown(("edit", "variant", "floor", "gain in actual change", "wins", "gain in kept",
                  "wins"), gains),
        "",
        "Paired by image, at equal latent change. \"floor\" where the floor is better beyond the "
        "interval, \"-\" where the interval holds 0.",
        "",
        *_layers(report["layers"]),
        f"torch {machine['torch']}, {machine['threads']} threads, {machine['cpu']}, load "
        f"{machine['load']:.1f} on {machine['cores']} cores.",
    ]) + "\n"


def _layers(rows: list[dict[str, Any]]) -> list[str]:
    """Which layers draw and which convince, nothing for a space of one layer."""
    if not rows:
        return []
    return [
        "## Which layers draw, and which convince\n",
        markdown(("edit", "layers taken from the nearest real target code", "latent change",
                  "actual change"),
                 [(row["edit"], _span(row["layers"]), f"{row['flipped']:.2f}",
                   f"{row['changed']:.2f}") for row in rows]),
        "",
        "The other layers stay. Latent change without actual change is what the latent classifier "
        "reads and the generator does not draw.",
        "",
    ]


def _span(layers: list[int]) -> str:
    return str(layers[0]) if len(layers) == 1 else f"{layers[0]}–{layers[-1]}"


def _sizes(report: dict[str, Any]) -> list[str]:
    sizes = {row["edit"]: row["images"] for row in report["rows"]}
    return [f"{edit}: {n}" for edit, n in sizes.items()]


def _settings(base: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in base.items())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
