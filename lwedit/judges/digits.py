"""Judges of MultiMNIST images: how many digits, and how many of each class.

Both are the same small residual network with a different head: convolutions to an eighth of
the resolution, a sum over positions (a count is a sum, so the features need not learn to
average it away) and a two-layer head. The output is a distribution over levels 0, 1, ... for
every quantity: one quantity of seven levels for the number of digits, ten of five levels for
the classes. They are trained on real images only, of the `judges` pool of digits
(`training.digits.judges`), with zero and more than four digits among them, so that an edit that
wipes an image or overshoots is seen for what it is, and with distractors in half of them
(`training.digits.distractors`), so that a scrap is not taken for a digit.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from lwedit.data import MultiMnist

__all__ = ["CLASSES", "COUNT", "DigitJudge", "Head", "truth"]


class Head(NamedTuple):
    """What a judge answers.

    Attributes:
        quantities: How many numbers are predicted.
        levels: Values 0 .. levels - 1 of each.
    """

    quantities: int
    levels: int


COUNT = Head(quantities=1, levels=7)
CLASSES = Head(quantities=10, levels=5)


def truth(images: MultiMnist, name: str) -> Int64[Tensor, "n quantities"]:
    """The right answers for the judge of that name, "count" or "classes"."""
    if name == "count":
        return torch.from_numpy(images.counts)[:, None]
    classes = torch.from_numpy(images.classes)
    return torch.stack([(classes == c).sum(dim=1) for c in range(10)], dim=1)


class _Residual(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.skip = nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        return torch.relu(self.main(x) + self.skip(x))


class DigitJudge(nn.Module):
    """x -> a distribution over levels for every quantity.

    Args:
        head: What is answered.
        width: Feature maps of the last stage, and length of the features for KID and FID.
    """

    def __init__(self, head: Head, width: int = 128):
        super().__init__()
        self.head, self.width = head, width
        self.trunk = nn.Sequential(
            nn.Conv2d(1, width // 4, 5, 2, 2, bias=False),
            nn.BatchNorm2d(width // 4),
            nn.ReLU(),
            _Residual(width // 4, width // 2, 2),
            _Residual(width // 2, width, 2),
        )
        self.mix = nn.Conv2d(width, width, 1)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, head.quantities * head.levels)

    def maps(self, x: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n width h2 w2"]:
        """Features at an eighth of the resolution, differentiable in x."""
        return self.trunk(x.contiguous(memory_format=torch.channels_last))

    def features(self, x: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n width"]:
        """Summed evidence before the head, the space in which KID and FID are measured."""
        return torch.relu(self.mix(self.maps(x))).sum(dim=(2, 3)) / 8

    def forward(self, x: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n quantities levels"]:
        """x -> logits."""
        logits = self.out(torch.relu(self.hidden(self.features(x))))
        return logits.reshape(-1, *self.head)

    @torch.no_grad()
    def probabilities(
        self, x: Float[Tensor, "n 1 h w"], batch: int = 250
    ) -> Float[Tensor, "n quantities levels"]:
        """Probability of every level, computed in batches."""
        return torch.cat([self(part).softmax(dim=2) for part in x.split(batch)])

    @torch.no_grad()
    def predict(
        self, x: Float[Tensor, "n 1 h w"], batch: int = 250
    ) -> Int64[Tensor, "n quantities"]:
        """Most probable level of every quantity."""
        return self.probabilities(x, batch).argmax(dim=2)

    @torch.no_grad()
    def calibrate(
        self, x: Float[Tensor, "n 1 h w"], y: Int64[Tensor, "n quantities"]
    ) -> float:
        """Divide the logits by the temperature under which the truth is most probable.

        Label smoothing leaves a judge less sure than it is right. Guo et al., "On Calibration
        of Modern Neural Networks", ICML 2017; the factor goes into the last layer.

        Args:
            x: Real images other than those of the training.
            y: What they show.

        Returns:
            The temperature, between 1/4 and 4.
        """
        logits = torch.cat([self(part) for part in x.split(250)]).flatten(0, 1)
        choices = torch.logspace(-2, 2, 81, base=2).tolist()
        errors = [functional.cross_entropy(logits / t, y.flatten()).item() for t in choices]
        temperature = choices[errors.index(min(errors))]
        self.divide_logits(temperature)
        return temperature

    @torch.no_grad()
    def divide_logits(self, temperature: float) -> None:
        """Make the judge less sure by that factor, or undo it with the inverse, in place."""
        self.out.weight.div_(temperature)
        self.out.bias.div_(temperature)

    def save(self, path: Path) -> None:
        """Write weights (.safetensors) with the head beside them in the header."""
        path = Path(path)
        temporary = path.with_suffix(".tmp")
        about = json.dumps({"head": list(self.head), "width": self.width})
        state = {key: value.contiguous() for key, value in self.state_dict().items()}
        save_file(state, temporary, metadata={"judge": about})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, head: Head) -> "DigitJudge":
        """Read what `save` wrote, in evaluation mode.

        Raises:
            ValueError: If the file is missing or damaged, or holds another head or architecture.
        """
        try:
            with safe_open(path, "pt") as file:
                about = json.loads((file.metadata() or {})["judge"])
            if about["head"] != list(head):
                raise ValueError(f"its head is {tuple(about['head'])}")
            judge = cls(head, width=about["width"])
            judge.load_state_dict(load_file(path))
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            message = f"{path} must hold a judge with head {tuple(head)}: {error}"
            raise ValueError(message) from error
        return judge.to(memory_format=torch.channels_last).eval().requires_grad_(False)
