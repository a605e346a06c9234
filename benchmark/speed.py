"""Time StyleGAN2's two formulations of the modulated convolution on this CPU.

`python benchmark/speed.py` draws images with the published 1024-px generator (random
weights: the time does not depend on them) and writes `speed.json` and `speed.md` with

    images/s of the scaled and of the grouped formulation, in float32 and in bfloat16 autocast,
    how much faster the scaled one is,
    the largest difference between the two float32 images,
    the PSNR of the bfloat16 image against the float32 one.

The grouped formulation makes one kernel an image, so the two are timed at more than one batch
size. Images of random weights have no range of their own: they are scaled so that the float32
image of the scaled formulation just fills [-1, 1] before they are compared.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from lwedit.generators.modulation import (
    ModulatedConvolution,
    modulated_convolution,
    modulated_convolution_grouped,
)
from lwedit.generators.stylegan2 import GeneratorConfig, Synthesis

FORMULATIONS: dict[str, ModulatedConvolution] = {
    "scaled": modulated_convolution,
    "grouped": modulated_convolution_grouped,
}
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Timing:
    """One row of the table.

    Attributes:
        batch: Images drawn at once.
        precision: "float32" or "bfloat16" (autocast).
        scaled: Images a second in the scaled formulation, from the median of the repeats.
        grouped: The same in the grouped formulation.
        ratio: scaled / grouped.
    """

    batch: int
    precision: str
    scaled: float
    grouped: float
    ratio: float


class Agreement(NamedTuple):
    """How far images differ once the reference fills [-1, 1].

    Attributes:
        max_difference: Largest |scaled - grouped| in float32; the range is 2 wide.
        psnr_bf16: PSNR in dB of bfloat16 against float32, both in the scaled formulation.
    """

    max_difference: float
    psnr_bf16: float


def make_synthesis(config: GeneratorConfig, seed: int = 0) -> Synthesis:
    """A synthesis network with random weights, noise switched on."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        synthesis = Synthesis(config).to(memory_format=torch.channels_last)
        for name, parameter in synthesis.named_parameters():
            if name.endswith("noise_strength"):
                torch.nn.init.constant_(parameter, 0.1)
    return synthesis.eval().requires_grad_(False)


@torch.inference_mode()
def draw(synthesis: Synthesis, w: Tensor, formulation: str, *, bf16: bool = False) -> Tensor:
    """Images of codes w (n, layers, dim) in one formulation and precision."""
    synthesis.use_convolution(FORMULATIONS[formulation])
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return synthesis(w)


def time_batch(synthesis: Synthesis, w: Tensor, repeats: int) -> list[Timing]:
    """Time both formulations in both precisions on one batch, interleaved."""
    rows = []
    for precision in ("float32", "bfloat16"):
        seconds: dict[str, list[float]] = {name: [] for name in FORMULATIONS}
        for repeat in range(repeats + 1):
            for name, measured in seconds.items():
                start = time.perf_counter()
                draw(synthesis, w, name, bf16=precision == "bfloat16")
                if repeat:  # the first round warms up
                    measured.append(time.perf_counter() - start)
        speed = {name: len(w) / statistics.median(measured) for name, measured in seconds.items()}
        rows.append(Timing(len(w), precision, **speed, ratio=speed["scaled"] / speed["grouped"]))
    return rows


def compare_images(synthesis: Synthesis, w: Tensor) -> Agreement:
    """Largest difference of the formulations, and what bfloat16 costs."""
    reference = draw(synthesis, w, "scaled")
    unit = reference.abs().max()
    grouped = draw(synthesis, w, "grouped")
    rough = draw(synthesis, w, "scaled", bf16=True)
    error = ((rough - reference) / unit).square().mean().item()
    difference = ((grouped - reference) / unit).abs().max().item()
    return Agreement(difference, 10 * math.log10(2.0**2 / error) if error else math.inf)


def describe_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, object]:
    """Versions, threads, CPU model and whether it computes in bfloat16."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    flags = set(fields.get("flags", "").split())
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "bf16_instructions": [name for name in BF16_INSTRUCTIONS if name in flags],
    }


def measure(config: GeneratorConfig, batches: list[int], repeats: int) -> dict[str, object]:
    """Everything that goes into the report."""
    synthesis = make_synthesis(config)
    rng = torch.Generator().manual_seed(1)
    w = torch.randn(max(batches), config.layers, config.dim, generator=rng)
    timings = [row for batch in batches for row in time_batch(synthesis, w[:batch], repeats)]
    return {
        "generator": asdict(config),
        "repeats": repeats,
        **describe_machine(),
        **compare_images(synthesis, w[:1])._asdict(),
        "timings": [asdict(row) for row in timings],
    }


def to_markdown(report: dict) -> str:
    """The report as a table and a paragraph."""
    rows = [
        f"| {row['batch']} | {row['precision']} | {row['scaled']:.3f} | {row['grouped']:.3f} "
        f"| {row['ratio']:.2f} |"
        for row in report["timings"]
    ]
    bf16 = ", ".join(report["bf16_instructions"]) or "none"
    return "\n".join([
        f"# Speed of StyleGAN2 at {report['generator']['size']} px\n",
        "| batch | precision | scaled, images/s | grouped, images/s | scaled / grouped |",
        "| ---: | --- | ---: | ---: | ---: |",
        *rows,
        "",
        f"Largest difference between the two float32 images: {report['max_difference']:.1e} "
        "(images scaled to fill [-1, 1]).",
        f"PSNR of bfloat16 against float32: {report['psnr_bf16']:.1f} dB.\n",
        f"torch {report['torch']}, {report['threads']} threads, {report['cpu']}, "
        f"bfloat16 instructions: {bf16}. Median of {report['repeats']} repeats after a warm-up.",
    ]) + "\n"


def write_report(report: dict, out: Path) -> None:
    """Write speed.json and speed.md, each aside and then renamed."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {"json": json.dumps(report, indent=1) + "\n", "md": to_markdown(report)}
    for suffix, text in texts.items():
        (out / "speed.tmp").write_text(text)
        (out / "speed.tmp").replace(out / f"speed.{suffix}")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024, help="side of the image in pixels")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4], help="images drawn at once")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    report = measure(GeneratorConfig.published(args.size), args.batch, args.repeats)
    write_report(report, args.out)
    print(to_markdown(report))


if __name__ == "__main__":
    main()
