"""Command: train both judges of faces, `python -m training.faces.judges --run runs/faces`.

The labelled faces are dealt to the naming judge, the scoring judge and a held-out part; nothing
that one judge learns from depends on a label of the other's part. For each judge: a teacher on the
generator's features is fitted; a pool of generated images is drawn and named by it; a wide student
is trained on the pool and the labelled faces (`training.faces.student`); the judge, half as wide
and therefore fast, is trained on the pool as the wide one names it (Hinton et al., "Distilling the
knowledge in a neural network", 2015) and on the same labelled faces; and it is calibrated on a
tenth of its own labelled faces, which it was not shown. The command ends by measuring both judges
on the held-out faces and writes judges.json beside the weights.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from lwedit.generators.dcgan import Dcgan, load_dcgan
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import from_unit_range
from training.faces.labels import FaceLabels, load_parts
from training.faces.report import report
from training.faces.student import Pool, Student, StudentConfig, fit_student
from training.faces.teacher import KernelTeacher

__all__ = ["ASIDE", "COPIES", "JUDGES", "TRUST", "WIDE", "calibrate", "main", "neighbours"]

JUDGES = {"naming": 1, "scoring": 2}  # and the seed of everything random in its training
ASIDE = 0.1  # share of a judge's labelled faces kept for calibration
COPIES = 4
_SIGMA = 0.3
WIDE, _WIDTH = 40, 24  # feature maps of the first student and of the judge at 32x32
TRUST = 0.8  # in an annotator's label; the rest is the teacher's leave-one-out probability


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, train what is missing, measure."""
    parser = argparse.ArgumentParser(prog="python -m training.faces.judges")
    parser.add_argument("--assets", type=Path, default=Path("assets/faces"))
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--only", choices=tuple(JUDGES))
    parser.add_argument("--measure", action="store_true", help="train nothing, write judges.json")
    parser.add_argument("--pool", type=int, default=16_000, help="generated images a judge")
    parser.add_argument("--steps", type=int, default=StudentConfig.steps)
    parser.add_argument("--wide-steps", type=int, default=1600, help="of the wide student")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    generator = load_dcgan(args.assets / "generator.safetensors")
    parts = load_parts(args.assets, FACE_ATTRIBUTES)
    out = args.assets / "judges"
    out.mkdir(parents=True, exist_ok=True)
    wanted = () if args.measure else (args.only,) if args.only else tuple(JUDGES)
    for name in wanted:
        config = StudentConfig(seed=JUDGES[name], steps=args.steps)
        judge = train_judge(
            generator,
            parts[name],
            config,
            args.run / name,
            pool_size=args.pool,
            wide_steps=args.wide_steps,
        )
        judge.save(out / f"{name}.safetensors")
    if all((out / f"{name}.safetensors").exists() for name in JUDGES):
        facts = report(args.assets, generator, parts)
        (out / "judges.tmp").write_text(json.dumps(facts, indent=1) + "\n")
        (out / "judges.tmp").replace(out / "judges.json")


def train_judge(
    generator: Dcgan,
    labels: FaceLabels,
    config: StudentConfig,
    folder: Path,
    *,
    pool_size: int,
    wide_steps: int,
    attributes: tuple[str, ...] = FACE_ATTRIBUTES,
) -> FaceJudge:
    """A calibrated judge from one part of the labelled faces.

    Args:
        generator: Draws the images.
        labels: The part.
        config: How the judge is trained.
        folder: Where images and checkpoints are kept.
        pool_size: Generated images.
        wide_steps: Steps of the wide student, which names them for the judge.
        attributes: Names of the columns of the labels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = max(1, int(ASIDE * len(labels.z)))
    pool, labelled = _images(generator, labels, aside, pool_size, config.seed, folder)
    wide = replace(config, steps=wide_steps, seed=config.seed + 10)
    named = folder / "wide" / "named.safetensors"
    sizes = {"attributes": attributes, "width": WIDE}
    if not named.exists():
        student = _fit(sizes, pool, labelled, wide, folder / "wide")
        save_file({"logits": student.name(pool).contiguous()}, named)
    pool = pool._replace(p=load_file(named)["logits"].sigmoid())
    judge = _fit(sizes | {"width": _WIDTH}, pool, labelled, config, folder).average
    with torch.no_grad():
        kept = judge.logits(generator(labels.z[:aside, None]))
    judge.scale_logits(*calibrate(kept, labels.y[:aside]))
    return judge


def _fit(
    sizes: dict[str, Any], pool: Pool, labelled: Pool, config: StudentConfig, folder: Path
) -> Student:
    torch.manual_seed(config.seed)  # the first weights of the networks
    student = Student(FaceJudge(**sizes), pool.z.shape[1], config)
    for _ in fit_student(student, pool, labelled, folder):
        pass
    return student


def _images(
    generator: Dcgan, labels: FaceLabels, aside: int, size: int, seed: int, folder: Path
) -> tuple[Pool, Pool]:
    """The pool and the labelled images, from the run folder where they are there."""
    path = folder / "images.safetensors"
    if not path.exists():
        teacher = KernelTeacher(generator, labels.z, labels.y)
        rng = torch.Generator().manual_seed(1000 + seed)
        z = torch.randn(size, generator.dim, generator=rng)
        drawn = [teacher.draw(part) for part in tqdm(z.split(100), f"{folder.name} pool")]
        x = torch.cat([torch.from_numpy(from_unit_range(x)) for x, _ in drawn])
        pool = Pool(x, z, torch.cat([logits for _, logits in drawn]).sigmoid())
        soft = teacher.left_out_logits().sigmoid()
        near = neighbours(labels.z[aside:], COPIES, rng)
        p = (TRUST * labels.y + (1 - TRUST) * soft)[aside:].repeat(COPIES + 1, 1)
        with torch.no_grad():
            images = torch.cat([generator(part[:, None]) for part in near.split(100)])
        labelled = Pool(torch.from_numpy(from_unit_range(images)), near, p)
        tensors = {f"pool.{k}": v for k, v in pool._asdict().items()}
        tensors |= {f"labelled.{k}": v for k, v in labelled._asdict().items()}
        save_file({k: v.contiguous() for k, v in tensors.items()}, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
    saved = load_file(path)
    return tuple(
        Pool(*(saved[f"{name}.{field}"] for field in Pool._fields)) for name in ("pool", "labelled")
    )


def neighbours(
    z: Float[Tensor, "n dim"], copies: int, rng: torch.Generator
) -> Float[Tensor, "m dim"]:
    """The codes themselves, then `copies` rounds of codes near them of the same length."""
    rounds = [z]
    for _ in range(copies):
        near = z + _SIGMA * torch.randn(z.shape, generator=rng)
        rounds.append(near * z.norm(dim=1, keepdim=True) / near.norm(dim=1, keepdim=True))
    return torch.cat(rounds)


def calibrate(
    logits: Float[Tensor, "n attributes"], y: Int64[Tensor, "n attributes"], spread: float = 0.5
) -> tuple[Float[Tensor, " attributes"], Float[Tensor, " attributes"]]:
    """One slope for all attributes and a shift for each, by penalised likelihood.

    Platt's slope for each attribute would rest on a dozen positives; a common one rests on all.

    Args:
        logits: What a judge says of images that it was not trained on.
        y: Their labels.
        spread: Standard deviation that a shift is expected to have.
    """
    log_slope = torch.zeros((), requires_grad=True)
    shift = torch.zeros(logits.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([log_slope, shift], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scaled = logits * log_slope.exp() + shift
        fit = functional.binary_cross_entropy_with_logits(scaled, y.float(), reduction="sum")
        total = fit + (shift / spread).square().sum() / 2
        total.backward()
        return total

    optimiser.step(loss)
    return log_slope.detach().exp().expand(logits.shape[1]), shift.detach()


if __name__ == "__main__":
    main()
