"""Judges of face images: x -> probability of each attribute, and the way they are calibrated.

One small residual network that halves the resolution early (64 -> 32 -> 16 -> 8 -> 4 positions a
side) and reads the last maps position by position, so that a hat, a mouth and a beard are each
looked for where they are. It sees images only, each one and its mirror image: both show the same,
so the judge says the mean of the two logits. Probabilities are calibrated after training by Platt
scaling, a slope and a shift for each attribute (Platt, "Probabilistic outputs for support vector
machines", 1999), folded into the last layer; the threshold is therefore .5 throughout.
`training.faces.judges` trains two of them on labels of different faces: one names codes for
editors, the other only scores.
"""

import json
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

__all__ = ["FACE_ATTRIBUTES", "FaceJudge"]

FACE_ATTRIBUTES = (
    "eyeglasses",
    "headwear",
    "smiling",
    "mouth_open",
    "facial_hair",
    "long_hair",
    "bangs",
    "light_hair",
    "pale_skin",
    "masculine",
)


class _Residual(nn.Module):
    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, 2, 1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.skip = nn.Conv2d(c_in, c_out, 1, 2, bias=False)

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        return torch.relu(self.main(x) + self.skip(x))


class FaceJudge(nn.Module):
    """x -> a logit for every attribute.

    Args:
        attributes: What is answered, in order.
        width: Feature maps at 32x32; each later stage has twice as many.
        features: Length of the vector before the last layer.
    """

    def __init__(
        self,
        attributes: tuple[str, ...] = FACE_ATTRIBUTES,
        width: int = 24,
        features: int = 256,
    ):
        super().__init__()
        self.attributes, self.width, self.length = attributes, width, features
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width, 5, 2, 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _Residual(width, 2 * width),
            _Residual(2 * width, 4 * width),
            _Residual(4 * width, 8 * width),
        )
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * width * 16, features), nn.BatchNorm1d(features), nn.ReLU()
        )
        self.out = nn.Linear(features, len(attributes))

    def features(self, x: Float[Tensor, "n 3 64 64"]) -> Float[Tensor, "n features"]:
        """What the last layer reads."""
        return self.hidden(self.trunk(x.contiguous(memory_format=torch.channels_last)))

    def forward(self, x: Float[Tensor, "n 3 64 64"]) -> Float[Tensor, "n attributes"]:
        """x -> logits."""
        return self.out(self.features(x))

    @torch.no_grad()
    def logits(
        self, x: Float[Tensor, "n 3 64 64"], batch: int = 100
    ) -> Float[Tensor, "n attributes"]:
        """Mean logit of each image and its mirror image, computed in batches."""
        return torch.cat([(self(part) + self(part.flip(3))) / 2 for part in x.split(batch)])

    def probabilities(
        self, x: Float[Tensor, "n 3 64 64"], batch: int = 100
    ) -> Float[Tensor, "n attributes"]:
        """Calibrated probability of every attribute, computed in batches."""
        return self.logits(x, batch).sigmoid()

    @torch.no_grad()
    def scale_logits(
        self, slope: Float[Tensor, " attributes"], shift: Float[Tensor, " attributes"]
    ) -> None:
        """Fold slope * logit + shift into the last layer."""
        self.out.weight.mul_(slope[:, None])
        self.out.bias.mul_(slope).add_(shift)

    def save(self, path: Path) -> None:
        """Write weights (.safetensors, float16) with the attributes in the header."""
        path = Path(path)
        temporary = path.with_suffix(".tmp")
        about = {"attributes": self.attributes, "width": self.width, "features": self.length}
        state = {
            key: (value.half() if value.is_floating_point() else value).contiguous()
            for key, value in self.state_dict().items()
        }
        save_file(state, temporary, metadata={"face_judge": json.dumps(about)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "FaceJudge":
        """Read what `save` wrote, in evaluation mode.

        Raises:
            ValueError: If the file is missing or damaged, or of another architecture.
        """
        try:
            with safe_open(path, "pt") as file:
                about = json.loads((file.metadata() or {})["face_judge"])
            judge = cls(tuple(about["attributes"]), about["width"], about["features"])
            state = load_file(path)
            judge.load_state_dict(
                {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
            )
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"{path} must hold a judge of faces: {error}") from error
        return judge.to(memory_format=torch.channels_last).eval().requires_grad_(False)
