"""Others' methods and the floors, each an `lwedit` Editor, under the names of the command line."""

from baselines.floors import (
    Centroids,
    GaussianTransport,
    Nearest,
    NoEdit,
    RandomDirection,
)
from baselines.ganspace import GanSpace
from baselines.interfacegan import InterFaceGan, InterFaceGanConditional
from baselines.latent_transformer import (
    LatentTransformer,
    LatentTransformerConfig,
    LatentTransformerStar,
)
from baselines.lelsd import Lelsd
from baselines.lightsb import LightSb
from baselines.lw_perceptual import LatentWassersteinPerceptual
from baselines.sefa import SeFa
from baselines.ulightot import ULightOt
from baselines.wstar import WStar
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
    "GanSpace",
    "GaussianTransport",
    "InterFaceGan",
    "InterFaceGanConditional",
    "LatentTransformer",
    "LatentTransformerConfig",
    "LatentTransformerStar",
    "LatentWassersteinPerceptual",
    "Lelsd",
    "LightSb",
    "Nearest",
    "NoEdit",
    "RandomDirection",
    "SeFa",
    "ULightOt",
    "WStar",
]

METHODS: dict[str, type[Editor]] = {
    editor.method: editor
    for editor in (
        NoEdit,
        RandomDirection,
        Centroids,
        GaussianTransport,
        InterFaceGan,
        InterFaceGanConditional,
        GanSpace,
        SeFa,
        LightSb,
        ULightOt,
        WStar,
        Lelsd,
        LatentTransformerStar,
        LatentTransformer,
        LatentWassersteinPaper,
        LatentWassersteinStar,
        LatentWasserstein,
        LatentWassersteinNeural,
        LatentWassersteinPerceptual,
        Nearest,
    )
}
