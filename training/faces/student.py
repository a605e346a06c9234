"""Training a judge of faces from few labels and many free images.

The generator draws without end, and `KernelTeacher` names what it draws, so a judge learns first
from soft labels of a pool of images and from the labelled faces and their neighbours in z, which
show the same attributes. Beside the attributes it regresses z from each image that was not
mirrored: no label is needed for that, and a network that knows the code has seen the face. Halfway
the pool is named again by teacher and judge together, because the two err differently: one
sees features, the other pixels (mean teacher of Tarvainen and Valpola, 2017; noisy student of Xie
et al., 2020). The judge that is kept is the running average of the weights.

Every step draws its randomness from the seed and its own number, so a run that was interrupted
goes on from its last checkpoint and ends in the same weights.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lwedit.judges.faces import FaceJudge
from lwedit.vocabulary import to_unit_range

__all__ = ["Pool", "Student", "StudentConfig", "augment", "fit_student"]


@dataclass(frozen=True)
class StudentConfig:
    """How a judge is trained.

    Attributes:
        seed: Of weights, batches and augmentation.
        steps: Optimiser steps.
        pool_batch: Pool images a step.
        label_batch: Labelled images a step.
        lr: Highest step size; it rises over the first tenth and falls to 0 along a cosine.
        weight_decay: Of AdamW.
        inverse_weight: Weight of the squared error of z.
        ema_decay: Of the running average of the weights.
        rename_at: Share of the steps after which the pool is named again.
        bfloat16: Whether networks run in bfloat16 while they learn, twice as fast on processors
            that have it; weights and their average stay float32.
        save_every: Steps between checkpoints.
    """

    seed: int = 0
    steps: int = 2400
    pool_batch: int = 48
    label_batch: int = 16
    lr: float = 2.5e-3
    weight_decay: float = 0.02
    inverse_weight: float = 0.3
    ema_decay: float = 0.995
    rename_at: float = 0.5
    bfloat16: bool = True
    save_every: int = 100


class Pool(NamedTuple):
    """Images to learn from.

    Attributes:
        x: Pixels.
        z: Codes of the images.
        p: Probability of each attribute.
    """

    x: UInt8[Tensor, "n 3 h w"]
    z: Float[Tensor, "n dim"]
    p: Float[Tensor, "n attributes"]


def augment(
    x: Float[Tensor, "n 3 h w"], mirror: Float[Tensor, " n"], rng: torch.Generator
) -> Float[Tensor, "n 3 h w"]:
    """Mirror some images, turn, scale and shift all, change contrast and brightness a little.

    Args:
        x: Images.
        mirror: 1 for images to mirror, 0 for others.
        rng: Source of randomness.
    """
    n = len(x)
    angle = 0.09 * torch.randn(n, generator=rng)
    scale = 1 + 0.06 * torch.randn(n, generator=rng)
    shift = (2 * torch.rand(n, 2, generator=rng) - 1) * 6 / x.shape[3]  # up to 3 pixels
    side = 1 - 2 * mirror
    row0 = torch.stack([side * scale * angle.cos(), -scale * angle.sin(), shift[:, 0]], dim=1)
    row1 = torch.stack([side * scale * angle.sin(), scale * angle.cos(), shift[:, 1]], dim=1)
    grid = functional.affine_grid(torch.stack([row0, row1], 1), list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    contrast = (0.1 * torch.randn(n, 1, 1, 1, generator=rng)).exp()
    brightness = 0.05 * torch.randn(n, 1, 1, 1, generator=rng)
    return (contrast * x + brightness).clamp(-1, 1)


class Student:
    """A judge in training, its average, and a head that regresses z.

    Args:
        judge: Untrained network.
        dim: Length of z.
        config: How it is trained.
        weights: Of the attributes in the loss; all alike if None.
    """

    def __init__(
        self,
        judge: FaceJudge,
        dim: int,
        config: StudentConfig,
        weights: Float[Tensor, " attributes"] | None = None,
    ):
        self.config, self.weights, self.step_number = config, weights, 0
        self.judge = judge.train().to(memory_format=torch.channels_last)
        self.average = FaceJudge(judge.attributes, judge.width, judge.length)
        self.average.load_state_dict(judge.state_dict())
        self.average.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.inverse = nn.Linear(judge.length, dim)
        self._parameters = [*self.judge.parameters(), *self.inverse.parameters()]
        self._optimiser = torch.optim.AdamW(self._parameters, weight_decay=config.weight_decay)

    def _lr(self) -> float:
        done, rise = self.step_number / self.config.steps, 0.1
        if done < rise:
            return self.config.lr * (0.05 + 0.95 * done / rise)
        fall = torch.tensor(torch.pi * (done - rise) / (1 - rise))
        return self.config.lr * (1 + fall.cos().item()) / 2

    def _precision(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16)

    def step(self, pool: Pool, labelled: Pool) -> float:
        """One step on a batch of both; returns the loss."""
        config = self.config
        rng = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step_number)
        draws = [
            (part, torch.randint(len(part.x), (count,), generator=rng))
            for part, count in ((pool, config.pool_batch), (labelled, config.label_batch))
        ]
        x, z, p = (torch.cat([part[i][rows] for part, rows in draws]) for i in range(3))
        mirror = (torch.rand(len(x), generator=rng) < 0.5).float()
        x = augment(to_unit_range(x), mirror, rng)
        with self._precision():
            features = self.judge.features(x)
            logits, code = self.judge.out(features).float(), self.inverse(features).float()
        error = (code - z).square().mean(dim=1)
        loss = functional.binary_cross_entropy_with_logits(logits, p, self.weights)
        loss = loss + config.inverse_weight * ((1 - mirror) * error).mean()
        for group in self._optimiser.param_groups:
            group["lr"] = self._lr()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        self.step_number += 1
        self._update_average()
        return loss.item()

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.ema_decay, self.step_number / (self.step_number + 10))
        state = self.judge.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(state[name], 1 - decay)
            else:
                value.copy_(state[name])

    def save(self, folder: Path) -> None:
        """Write everything that training needs to go on."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"judge.{k}": v for k, v in self.judge.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {f"inverse.{k}": v for k, v in self.inverse.state_dict().items()}
        for i, parameter in enumerate(self._parameters):
            for name, value in self._optimiser.state[parameter].items():
                tensors[f"adam.{i}.{name}"] = value
        about = {"step": str(self.step_number), "config": json.dumps(asdict(self.config))}
        plain = {k: v.contiguous() for k, v in tensors.items()}
        save_file(plain, folder / "student.tmp", metadata=about)
        (folder / "student.tmp").replace(folder / "student.safetensors")
        (folder / "state.json").write_text(json.dumps(about))

    def load(self, folder: Path) -> bool:
        """Go on from `save`; False if there is nothing or another configuration there."""
        if not (folder / "student.safetensors").exists():
            return False
        about = json.loads((folder / "state.json").read_text())
        if json.loads(about["config"]) != asdict(self.config):
            return False
        tensors = load_file(folder / "student.safetensors")
        for name in ("judge", "average", "inverse"):
            own = _under(tensors, name)
            getattr(self, name).load_state_dict(own)
        for i, parameter in enumerate(self._parameters):
            self._optimiser.state[parameter] = _under(tensors, f"adam.{i}")
        self.step_number = int(about["step"])
        return True

    def rename(self, pool: Pool, soft: Float[Tensor, "n attributes"]) -> Pool:
        """Name the pool by the mean logit of the teacher's `soft` labels and the average judge."""
        return pool._replace(p=((self.name(pool) + soft.logit(eps=1e-4)) / 2).sigmoid())

    def name(self, pool: Pool) -> Float[Tensor, "n attributes"]:
        """Logits of the pool by the average judge."""
        with self._precision():
            own = [self.average.logits(to_unit_range(part)) for part in pool.x.split(100)]
        return torch.cat(own).float()


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(f"{name}.")}


def fit_student(student: Student, pool: Pool, labelled: Pool, folder: Path) -> Iterator[int]:
    """Train to the end, from the checkpoint in `folder` if there is one.

    Args:
        student: Changed in place.
        pool: Images with the teacher's soft labels.
        labelled: Labelled faces and their neighbours.
        folder: Where checkpoints are kept.

    Yields:
        The number of steps done, at every checkpoint.
    """
    config = student.config
    student.load(folder)
    turn = int(config.rename_at * config.steps)
    bar = tqdm(total=config.steps, initial=student.step_number, desc=folder.name, mininterval=10)
    named = pool
    renamed = folder / "renamed.safetensors"
    if student.step_number > turn:
        named = pool._replace(p=load_file(renamed)["p"])
    while student.step_number < config.steps:
        if student.step_number == turn:
            named = student.rename(pool, pool.p)
            folder.mkdir(parents=True, exist_ok=True)
            save_file({"p": named.p.contiguous()}, renamed)
        loss = student.step(named, labelled)
        bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        bar.update()
        if student.step_number % config.save_every == 0 or student.step_number == config.steps:
            student.save(folder)
            yield student.step_number
    bar.close()
