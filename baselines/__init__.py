"""Others' methods and the floors, each an `lwedit` Editor, under the names of the command line."""

from baselines.floors import (
    Centroids,
    GaussianTransport,
    Nearest,
    NoEdit,
    RandomDirection,
)
from baselines.latent_transformer import (
    LatentTransformer,
    LatentTransformerConfig,
    LatentTransformerStar,
)
from lwedit.editors import (
    Editor,
    LatentWasserstein,
    LatentWassersteinNeural,
    LatentWassersteinPaper,
    LatentWassersteinStar,
)

__all__ = [
    "METHODS",
    "Centroids",
    "GaussianTransport",
    "LatentTransformer",
    "LatentTransformerConfig",
    "LatentTransformerStar",
    "Nearest",
    "NoEdit",
    "RandomDirection",
]

METHODS: dict[str, type[Editor]] = {
    editor.method: editor
    for editor in (
        NoEdit,
        RandomDirection,
        Centroids,
        GaussianTransport,
        LatentTransformerStar,
        LatentTransformer,
        LatentWassersteinPaper,
        LatentWassersteinStar,
        LatentWasserstein,
        LatentWassersteinNeural,
        Nearest,
    )
}
