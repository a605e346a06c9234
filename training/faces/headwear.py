"""Command: teach the scoring judge more about headwear, `python -m training.faces.headwear`.

The scoring judge that `training.faces.judges` writes overlooks headscarves and takes fringes
for caps. Further faces were chosen because that judge and its teacher were unsure of them, or
because they resemble faces on which the teacher errs, and were labelled for headwear alone. The
judge goes on learning: the named pool and the labelled faces keep its own probabilities of the
nine other attributes, which it therefore has no reason to change, and get new ones of headwear,
from a teacher that was fitted to the old and the further labels. A wide student learns from both
first and names the pool again together with who named it before, as in `training.faces.judges`. Two
judges that started from the same one lie in one valley, so that the mean of their weights is as
good as the mean of their verdicts (Wortsman et al., "Model soups", ICML 2022) and as fast as one:
`--join` takes the mean with a judge that was taught before. What was picked at random among the
further faces is not trained on: it calibrates headwear, together with the faces that calibrated the
judge before. The naming judge, its faces and the held-out ones play no part.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from lwedit.generators.dcgan import Dcgan, load_dcgan
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from lwedit.memory import keep_freed_memory
from lwedit.vocabulary import from_unit_range
from training.faces.judges import ASIDE, COPIES, TRUST, WIDE, calibrate, neighbours
from training.faces.labels import FaceLabels, load_headwear, load_parts
from training.faces.student import Pool, Student, StudentConfig, fit_student
from training.faces.teacher import KernelTeacher

__all__ = ["Lesson", "draw_lesson", "main", "mean_judge", "set_headwear"]

_HEADWEAR = FACE_ATTRIBUTES.index("headwear")
_SEED = 12  # of everything random here; the scoring judge's own is 2
_WEIGHT = 4.0  # of headwear in the loss, every other attribute has 1


class Lesson(NamedTuple):
    """What the judge learns from.

    Attributes:
        pool: Generated images; headwear as judge and teacher see it, the rest as the judge does.
        labelled: Labelled faces and their neighbours, mostly as the annotators saw them.
    """

    pool: Pool
    labelled: Pool


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, teach the judge, write it over the scoring judge."""
    parser = argparse.ArgumentParser(prog="python -m training.faces.headwear")
    parser.add_argument("--assets", type=Path, default=Path("assets/faces"))
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--judge", type=Path, required=True, help="scoring judge to go on from")
    parser.add_argument("--annotators", nargs="+", default=["G", "I", "J", "K"],
                        help="whose further labels are learnt from")
    parser.add_argument("--join", type=Path, help="judge, taught before, to take the mean with")
    parser.add_argument("--pool", type=int, default=16_000, help="generated images")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--wide-steps", type=int, default=1600, help="of the wide student")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    generator = load_dcgan(args.assets / "generator.safetensors")
    part = load_parts(args.assets, FACE_ATTRIBUTES)["scoring"]
    further = load_headwear(args.assets / "labels_headwear.csv", tuple(args.annotators))
    lesson = _kept_lesson(
        args.run,
        lambda: draw_lesson(
            generator, FaceJudge.load(args.judge), part, further["chosen"], args.pool
        ),
    )
    lesson = _named_by_wide(lesson, args.run / "wide", args.wide_steps)
    student = Student(
        FaceJudge.load(args.judge).requires_grad_(True),
        generator.dim,
        StudentConfig(
            seed=_SEED, steps=args.steps, pool_batch=40, label_batch=24, lr=8e-4,
            inverse_weight=0.03,
        ),
        weights(),
    )
    for _ in fit_student(student, *lesson, args.run):
        pass
    judge = student.average
    if args.join is not None:
        judge = mean_judge(judge, FaceJudge.load(args.join))
    recalibrate(judge, generator, part, further["random"])
    judge.save(args.assets / "judges" / "scoring.safetensors")


def weights() -> Float[Tensor, " attributes"]:
    """Of the attributes in the loss: headwear is what the judge has to learn."""
    weight = torch.ones(len(FACE_ATTRIBUTES))
    weight[_HEADWEAR] = _WEIGHT
    return weight


def _kept_lesson(folder: Path, draw: Callable[[], Lesson]) -> Lesson:
    """The lesson of this folder, drawn if it is not there yet."""
    path = folder / "lesson.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        named = {
            f"{name}.{field}": value.contiguous()
            for name, pool in draw()._asdict().items()
            for field, value in pool._asdict().items()
        }
        save_file(named, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
    saved = load_file(path)
    return Lesson(
        *(Pool(*(saved[f"{name}.{field}"] for field in Pool._fields)) for name in Lesson._fields)
    )


def _named_by_wide(lesson: Lesson, folder: Path, steps: int) -> Lesson:
    """The lesson with its pool named by a new wide student together with who named it before."""
    torch.manual_seed(_SEED)
    config = StudentConfig(seed=_SEED + 10, steps=steps)
    student = Student(FaceJudge(width=WIDE), lesson.pool.z.shape[1], config, weights())
    for _ in fit_student(student, *lesson, folder):
        pass
    return lesson._replace(pool=student.rename(lesson.pool, lesson.pool.p))


def draw_lesson(
    generator: Dcgan, judge: FaceJudge, part: FaceLabels, chosen: FaceLabels, size: int
) -> Lesson:
    """Images and soft labels to go on learning from.

    Args:
        generator: Draws the images.
        judge: Names all attributes but headwear, and half of headwear.
        part: The faces that the judge has learnt from, all attributes labelled; the first tenth,
            which calibrates, teaches the teacher only.
        chosen: Further faces, labelled for headwear.
        size: Generated images.
    """
    aside = max(1, int(ASIDE * len(part.z)))
    rng = torch.Generator().manual_seed(1000 + _SEED)
    hats = torch.cat([part.y[:, _HEADWEAR, None], chosen.y])
    teacher = KernelTeacher(generator, torch.cat([part.z, chosen.z]), hats)
    z = torch.randn(size, generator.dim, generator=rng)
    x = _images(generator, z)
    told = judge.logits(x)
    both = (told[:, _HEADWEAR] + teacher.logits(z)[:, 0]) / 2
    pool = Pool(_stored(x), z, set_headwear(told.sigmoid(), both.sigmoid()))

    z = torch.cat([part.z, chosen.z])[aside:]
    own = judge.probabilities(_images(generator, z))
    own = set_headwear(own, teacher.left_out_logits()[aside:, 0].sigmoid())
    known = len(part.z) - aside
    seen = own.clone()
    seen[:known] = part.y[aside:].float()
    seen[known:] = set_headwear(own[known:], chosen.y[:, 0].float())
    p = (TRUST * seen + (1 - TRUST) * own).repeat(COPIES + 1, 1)
    near = neighbours(z, COPIES, rng)
    return Lesson(pool, Pool(_stored(_images(generator, near)), near, p))


def set_headwear(
    p: Float[Tensor, "n attributes"], headwear: Float[Tensor, " n"]
) -> Float[Tensor, "n attributes"]:
    """The same probabilities with other ones of headwear."""
    p = p.clone()
    p[:, _HEADWEAR] = headwear
    return p


def mean_judge(one: FaceJudge, other: FaceJudge) -> FaceJudge:
    """The judge whose weights are the mean of two; counters are the first one's.

    Args:
        one: A judge.
        other: Another that began with the same weights.
    """
    judge = FaceJudge(one.attributes, one.width, one.length)
    theirs = other.state_dict()
    judge.load_state_dict({
        name: (value + theirs[name]) / 2 if value.is_floating_point() else value
        for name, value in one.state_dict().items()
    })
    return judge.eval().requires_grad_(False)


def recalibrate(
    judge: FaceJudge, generator: Dcgan, part: FaceLabels, random: FaceLabels
) -> None:
    """Calibrate on the tenth of `part` that was kept aside; headwear on `random` faces, too."""
    aside = max(1, int(ASIDE * len(part.z)))
    kept = judge.logits(_images(generator, part.z[:aside]))
    slope, shift = calibrate(kept, part.y[:aside])
    more = judge.logits(_images(generator, random.z))[:, _HEADWEAR, None]
    hats = torch.cat([kept[:, _HEADWEAR, None], more])
    seen = torch.cat([part.y[:aside, _HEADWEAR, None], random.y])
    slope = slope.clone()
    slope[_HEADWEAR], shift[_HEADWEAR] = (value[0] for value in calibrate(hats, seen))
    judge.scale_logits(slope, shift)


@torch.no_grad()
def _images(generator: Dcgan, z: Float[Tensor, "n dim"]) -> Float[Tensor, "n 3 h w"]:
    return torch.cat([generator(part[:, None]) for part in z.split(100)])


def _stored(x: Float[Tensor, "n 3 h w"]) -> Tensor:
    return torch.from_numpy(from_unit_range(x))


if __name__ == "__main__":
    main()
