"""Command: choose faces to be labelled for headwear, `python -m training.faces.choose --out DIR`.

Of the faces that labels_headwear.csv draws from and does not label yet, in equal parts: `unsure`,
on which the scoring judge and its teacher together are nearest to their threshold; `disagree`, on
which their logits are farthest apart; `doubtful`, at random among those to whose image the judge
gives a probability between 3 % and 40 %, where overlooked headwear is. Writes `chosen.csv` (index,
chosen), in random order, and the sheets that an annotator reads, who is not told why.
"""

import argparse
import csv
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.domains.faces import ASSETS
from lwedit.generators.dcgan import load_dcgan
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from training.faces.labels import face_codes, load_headwear, load_parts
from training.faces.sheets import draw_sheets
from training.faces.teacher import KernelTeacher

_HEADWEAR = FACE_ATTRIBUTES.index("headwear")
_PAGE = 48  # faces a sheet
_BAND = (0.03, 0.4)  # probabilities of the doubtful


def choose(
    judge: Float[Tensor, " n"], teacher: Float[Tensor, " n"], each: int, seed: int
) -> list[tuple[int, str]]:
    """Rows and why they were chosen, in random order.

    Args:
        judge: Logits of headwear by the judge.
        teacher: The same by its teacher.
        each: Faces of each kind.
        seed: Of what is random.
    """
    rng = torch.Generator().manual_seed(seed)
    p = judge.sigmoid()
    band = ((p > _BAND[0]) & (p < _BAND[1])).nonzero()[:, 0]
    order = {
        "unsure": ((judge + teacher) / 2).abs().argsort(),
        "disagree": (judge - teacher).abs().argsort(descending=True),
        "doubtful": band[torch.randperm(len(band), generator=rng)],
    }
    found: dict[int, str] = {}
    for name, rows in order.items():
        fresh = [row for row in rows.tolist() if row not in found]
        found |= dict.fromkeys(fresh[:each], name)
    rows = list(found.items())
    return [rows[i] for i in torch.randperm(len(rows), generator=rng).tolist()]


def main() -> None:
    """Parse the command line, choose, draw."""
    parser = argparse.ArgumentParser(
        prog="python -m training.faces.choose", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=640, help="faces of each kind")
    parser.add_argument("--seed", type=int, default=20261126)
    args = parser.parse_args()
    table, known = ASSETS / "labels_headwear.csv", set()
    for path in (table, ASSETS / "labels_headwear_check.csv"):
        with path.open(newline="") as file:
            known |= {int(row["index"]) for row in csv.DictReader(file)}
    z = face_codes(2)
    index = torch.tensor([row for row in range(len(z)) if row not in known])
    generator = load_dcgan(ASSETS / "generator.safetensors")
    part, chosen = load_parts(ASSETS, FACE_ATTRIBUTES)["scoring"], load_headwear(table)["chosen"]
    teacher = KernelTeacher(
        generator, torch.cat([part.z, chosen.z]),
        torch.cat([part.y[:, _HEADWEAR, None], chosen.y]),
    )
    scoring = FaceJudge.load(ASSETS / "judges" / "scoring.safetensors")
    seen, told = [], []
    for some in z[index].split(100):
        x, logits = teacher.draw(some)
        seen.append(scoring.logits(x)[:, _HEADWEAR])
        told.append(logits[:, 0])
    rows = choose(torch.cat(seen), torch.cat(told), args.each, args.seed)
    rows = [(int(index[row]), why) for row, why in rows]
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "chosen.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("index", "chosen"), *rows])
    names = [row for row, _ in rows]
    draw_sheets(z[names], args.out, range(-(-len(names) // _PAGE)), names)


if __name__ == "__main__":
    main()
