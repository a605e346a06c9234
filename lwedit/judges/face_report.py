"""What is known of both judges of faces: numbers on held-out faces, beside the annotators' own.

Held-out faces were labelled by the same annotators as the judges' own, and shown to neither. All
values are of one pass over them; intervals are 95 %, bootstrap over faces. A judge has not seen the
other judge's faces either, so `unseen` measures it on those and the held-out ones together, and
`twice` on those of them that were labelled twice, each attribute where both labels are the same:
what is missing to 1 there is the judge's fault, what is missing more elsewhere the labels'.
"""

import time
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.generators.dcgan import Dcgan
from lwedit.judges.face_labels import FaceLabels, agreement, load_face_labels
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from lwedit.judges.identity import DlibIdentity, FeatureIdentity, similarity, stranger_similarity
from lwedit.judges.quality import (
    balanced_accuracy,
    calibration_error,
    ceiling_auc,
    interval,
    roc_auc,
)

__all__ = ["measure_judge", "report"]

_PAIRED = 60  # faces compared with each other: dlib takes 90 ms for each


def report(assets: Path, generator: Dcgan, parts: dict[str, FaceLabels]) -> dict[str, Any]:
    """The content of judges.json.

    Args:
        assets: Folder with judges/, labels.csv and labels_second.csv.
        generator: Draws the held-out faces.
        parts: From `split_faces`.
    """
    held = parts["heldout"]
    x = _draw(generator, held)
    facts: dict[str, Any] = {
        "labelled_faces": {name: len(part.z) for name, part in parts.items()},
        "annotators": _annotators(assets),
    }
    second = load_face_labels(assets / "labels_second.csv", FACE_ATTRIBUTES)
    for name, other in (("naming", "scoring"), ("scoring", "naming")):
        judge = FaceJudge.load(assets / "judges" / f"{name}.safetensors")
        facts[name] = measure_judge(judge, x, held)
        p = torch.cat([judge.probabilities(x), judge.probabilities(_draw(generator, parts[other]))])
        unseen = [torch.cat(pair) for pair in zip(held, parts[other], strict=True)]
        facts[name] |= _beyond(p, FaceLabels(*unseen), second)
    facts["judges_agree"] = _judges_agree(assets, x)
    facts["identity"] = _identity(assets, x[:_PAIRED])
    return facts


@torch.no_grad()
def _draw(generator: Dcgan, faces: FaceLabels) -> Float[Tensor, "n 3 h w"]:
    return torch.cat([generator(part[:, None]) for part in faces.z.split(100)])


def _beyond(
    p: Float[Tensor, "n attributes"], faces: FaceLabels, second: FaceLabels
) -> dict[str, Any]:
    """AUC on every face a judge has not seen, and on those where two annotators agree."""
    place = {face: row for row, face in enumerate(second.index.tolist())}
    rows = [row for row, face in enumerate(faces.index.tolist()) if face in place]
    again = second.y[[place[int(faces.index[row])] for row in rows]]
    both, first = p[rows], faces.y[rows]
    twice = {}
    for k, name in enumerate(FACE_ATTRIBUTES):
        same = first[:, k] == again[:, k]
        twice[name] = {"faces": int(same.sum()), "auc": roc_auc(both[same, k], first[same, k])}
    unseen = {name: roc_auc(p[:, k], faces.y[:, k]) for k, name in enumerate(FACE_ATTRIBUTES)}
    return {
        "unseen": {"faces": len(p), "mean_auc": sum(unseen.values()) / len(unseen), "auc": unseen},
        "twice": {
            "faces": len(rows),
            "mean_auc": sum(row["auc"] for row in twice.values()) / len(twice),
            "attributes": twice,
        },
    }


def measure_judge(
    judge: FaceJudge, x: Float[Tensor, "n 3 h w"], held: FaceLabels
) -> dict[str, Any]:
    """Each attribute's AUC with its interval, accuracy, balanced accuracy and calibration."""
    p = judge.probabilities(x)
    bounds = interval(p, held.y, torch.Generator().manual_seed(0)).tolist()
    rows = {}
    for k, name in enumerate(judge.attributes):
        score, y = p[:, k], held.y[:, k]
        rows[name] = {
            "auc": roc_auc(score, y),
            "auc_interval": bounds[k],
            "accuracy": ((score > 0.5).long() == y).double().mean().item(),
            "balanced_accuracy": balanced_accuracy(score, y),
            "calibration_error": calibration_error(score, y),
            "share_labelled": y.double().mean().item(),
            "share_named": (score > 0.5).double().mean().item(),
        }
    measures = ("auc", "accuracy", "balanced_accuracy", "calibration_error")
    means = {m: sum(row[m] for row in rows.values()) / len(rows) for m in measures}
    start = time.process_time()
    judge.probabilities(x[:200])
    milliseconds = (time.process_time() - start) / len(x[:200]) * 1e3
    return {
        "mean": means | {"auc_interval": bounds[-1]},
        "attributes": rows,
        "milliseconds_an_image": round(milliseconds, 2),
    }


def _annotators(assets: Path) -> dict[str, Any]:
    first = load_face_labels(assets / "labels.csv", FACE_ATTRIBUTES)
    second = load_face_labels(assets / "labels_second.csv", FACE_ATTRIBUTES)
    rows = {}
    for k, (name, both) in enumerate(
        zip(FACE_ATTRIBUTES, agreement(first, second), strict=True)
    ):
        share = first.y[:, k].double().mean().item()
        rows[name] = both._asdict() | {"ceiling_auc": ceiling_auc(both.kappa, share)}
    means = {m: sum(row[m] for row in rows.values()) / len(rows) for m in rows[name]}
    return {"mean": means, "attributes": rows}


def _judges_agree(assets: Path, x: Float[Tensor, "n 3 h w"]) -> dict[str, float]:
    """Share of held-out faces on which both judges give an attribute the same name."""
    seen = [
        FaceJudge.load(assets / "judges" / f"{name}.safetensors").probabilities(x) > 0.5
        for name in ("naming", "scoring")
    ]
    same = (seen[0] == seen[1]).double().mean(dim=0).tolist()
    return dict(zip(FACE_ATTRIBUTES, same, strict=True))


def _identity(assets: Path, x: Float[Tensor, "n 3 h w"]) -> dict[str, Any]:
    """How alike each measure finds strangers, and a face and its mirror image."""
    naming = FaceJudge.load(assets / "judges" / "naming.safetensors")
    measures = [DlibIdentity()] if DlibIdentity.available() else []
    measures.append(FeatureIdentity("features", naming.features))
    facts = {
        measure.name: {
            "strangers": stranger_similarity(measure, x),
            "mirrored": similarity(measure, x, x.flip(3)).mean().item(),
        }
        for measure in measures
    }
    return {"faces": len(x)} | facts
