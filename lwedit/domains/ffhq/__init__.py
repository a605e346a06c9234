"""The ffhq domain: 1024-pixel faces and photos, from weights that others publish and users bring.

Nothing of it is shipped and nothing is downloaded: licences do not let this project do either. A
folder, $LWEDIT_FFHQ or .cache/lwedit/ffhq, holds what the user brings:

    generator.safetensors        StyleGAN2, written by `convert`
    encoder.safetensors          pSp or e4e, photo -> W+, written by `convert`
    celebahq_dlatents_psp.npy    optional: codes float32 (n, 18, 512), to learn edits from
    celebahq_anno.npy            optional: their labels {0, 1} (n, 40), in CelebA's order
    judge.safetensors            optional: an attribute network, as `FaceJudge.save` writes
    editors/                     optional: LW and LT fitted in this space, for the page

The commands, the first of which says what is here, what is missing, and where it comes from:

    python -m lwedit.domains.ffhq
    python -m lwedit.domains.ffhq convert psp_ffhq_encode.pt    writes generator and encoder
    python -m lwedit.domains.ffhq convert ffhq.pkl              NVIDIA's: writes the generator
    python -m demo.fit_editors ffhq                             fits editors on the codes
    python benchmark/run.py --domain codes --codes FOLDER/celebahq_dlatents_psp.npy
        --labels FOLDER/celebahq_anno.npy                       compares methods on the codes alone
"""

from lwedit.domains.ffhq.convert import Conversion, convert
from lwedit.domains.ffhq.domain import FfhqDomain
from lwedit.domains.ffhq.files import (
    CELEBA_ATTRIBUTES,
    SOURCES,
    Source,
    default_folder,
    guide,
    missing,
)

__all__ = [
    "CELEBA_ATTRIBUTES",
    "SOURCES",
    "Conversion",
    "FfhqDomain",
    "Source",
    "convert",
    "default_folder",
    "guide",
    "missing",
]
