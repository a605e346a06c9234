"""How good are the generator's samples? `python benchmark/generator.py`.

Draws samples from z and writes, to `results/generator`: a sheet of 64, the share on which the
classes judge reads one to four digits with p > .9 for each of the ten class counts (`readable`; any
number of digits: `sure`), and FID and KID against held-out real images in the judge's features,
beside the same between two halves of real images. Truncation 1 (none) is what counts; .7 stands
beside it.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from jaxtyping import Float
from torch import Tensor

from benchmark.tables.sheet import markdown
from lwedit.domains import DigitsDomain
from lwedit.generators.sheet import sample_sheet
from lwedit.latents import hash_state
from lwedit.metrics import frechet_distance, kernel_distance
from lwedit.vocabulary import to_unit_range

__all__ = ["main", "measure", "readable"]

_ROOT = Path(__file__).resolve().parents[1]


def readable(domain: DigitsDomain, x: Float[Tensor, "n c h w"]) -> tuple[float, float]:
    """Share of images on which the classes judge is sure of one to four digits, and of any."""
    scores = domain.score(x)
    sure, digits = scores.confidence > 0.9, scores.classes.sum(dim=1)
    return (sure & (digits >= 1) & (digits <= 4)).float().mean().item(), sure.float().mean().item()


@torch.no_grad()
def measure(domain: DigitsDomain, n: int, seed: int) -> dict[str, dict[str, float]]:
    """The numbers, a row a truncation, and the real images beside them."""
    judge = domain.classes_judge
    real = to_unit_range(domain.images("heldout").images)
    features = torch.cat([judge.features(x) for x in real.split(250)])
    halves = features[::2], features[1::2]
    read, sure = readable(domain, real)
    rows = {"real images, two halves": {
        "readable": read,
        "sure": sure,
        "fid": frechet_distance(*halves),
        "kid": kernel_distance(*halves),
    }}
    z = torch.randn(n, domain.generator.config.dim, generator=torch.Generator().manual_seed(seed))
    centre, w = domain.generator.w_mean, domain.generator.codes(z)
    for truncation in (1.0, 0.7):
        x = domain.generate(centre + truncation * (w - centre))
        drawn = torch.cat([judge.features(part) for part in x.split(250)])
        read, sure = readable(domain, x)
        rows[f"samples, truncation {truncation}"] = {
            "readable": read,
            "sure": sure,
            "fid": frechet_distance(drawn, halves[0]),
            "kid": kernel_distance(drawn, halves[0]),
        }
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=_ROOT / "results" / "generator")
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    domain = DigitsDomain.load()
    rng = torch.Generator().manual_seed(args.seed)
    z = torch.randn(64, domain.generator.config.dim, generator=rng)
    sample_sheet(domain.generator, z).save(args.out / "samples.png")
    rows = measure(domain, args.samples, args.seed)
    weights = domain.weights | {"mapping": hash_state(domain.generator.mapping.state_dict())}
    about = {"samples": args.samples, "seed": args.seed, "weights": weights, "rows": rows}
    (args.out / "generator.json").write_text(json.dumps(about, indent=1) + "\n")
    text = markdown(("images", "readable", "sure", "FID", "KID"), [
        (name, f"{row['readable']:.3f}", f"{row['sure']:.3f}", f"{row['fid']:.2f}",
         f"{row['kid']:.4f}") for name, row in rows.items()
    ])
    (args.out / "generator.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
