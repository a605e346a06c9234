"""What is known of both judges of faces: numbers on held-out faces, beside the annotators' own.

Held-out faces were labelled by the same annotators as the judges' own, and shown to neither. All
values are of one pass over them; intervals are 95 %, bootstrap over faces. A judge has not seen the
other judge's faces either, so `unseen` measures it on those and the held-out ones together, all of
them and by who labelled them, and `twice` on those of them that were labelled twice, each attribute
where both labels are the same: what is missing to 1 there is the judge's fault, what is missing
more elsewhere the labels'. `annotators` compares the first annotators with their own second pass,
`later_annotators` with those who labelled the second half of the faces, `heldout_annotators` with
the two who read the held-out faces again. One label of one look is a noisy truth: `consensus`
measures a judge on the held-out faces as two of their three readers saw them, and `unanimous` where
all three agree. The three worked apart, and none knew what a judge says. `headwear_check` is the
AUC of headwear on further faces that were chosen because a judge may err on them.
"""

import time
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from lwedit.generators.dcgan import Dcgan
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from lwedit.judges.identity import DlibIdentity, FeatureIdentity, similarity, stranger_similarity
from training.faces.labels import (
    FaceLabels,
    agreement,
    by_first_annotators,
    consensus,
    load_face_labels,
)
from training.faces.quality import (
    balanced_accuracy,
    calibration_error,
    ceiling_auc,
    interval,
    roc_auc,
)

__all__ = ["measure_judge", "report"]

_READERS = ("E", "F")  # of labels_heldout.csv
_PAIRED = 60  # faces compared with each other: dlib takes 90 ms for each


def report(assets: Path, generator: Dcgan, parts: dict[str, FaceLabels]) -> dict[str, Any]:
    """The content of judges.json.

    Args:
        assets: Folder with judges/ and the tables of labels.
        generator: Draws the held-out faces.
        parts: From `load_parts`.
    """
    held = parts["heldout"]
    x = _draw(generator, held)
    facts: dict[str, Any] = {
        "labelled_faces": {name: len(part.z) for name, part in parts.items()},
        "annotators": _annotators(assets, "labels_second.csv"),
        "later_annotators": _annotators(assets, "labels_check.csv"),
        "heldout_annotators": {
            reader: _compare(held, again) for reader, again in _readings(assets).items()
        },
    }
    second = _again(assets)
    hard = load_face_labels(assets / "labels_headwear_check.csv", ("headwear",), draw=2)
    x_hard = _draw(generator, hard)
    for name, other in (("naming", "scoring"), ("scoring", "naming")):
        judge = FaceJudge.load(assets / "judges" / f"{name}.safetensors")
        facts[name] = measure_judge(judge, x, held)
        facts[name] |= _agreed(judge.probabilities(x), [held, *_readings(assets).values()])
        p = torch.cat([judge.probabilities(x), judge.probabilities(_draw(generator, parts[other]))])
        unseen = [torch.cat(pair) for pair in zip(held, parts[other], strict=True)]
        facts[name] |= _beyond(p, FaceLabels(*unseen), second)
        wears = judge.probabilities(x_hard)[:, FACE_ATTRIBUTES.index("headwear")]
        facts[name]["headwear_check"] = {
            "faces": len(hard.z), "auc": roc_auc(wears, hard.y[:, 0]),
        }
    facts["judges_agree"] = _judges_agree(assets, x)
    facts["identity"] = _identity(assets, x[:_PAIRED])
    return facts


@torch.no_grad()
def _draw(generator: Dcgan, faces: FaceLabels) -> Float[Tensor, "n 3 h w"]:
    return torch.cat([generator(part[:, None]) for part in faces.z.split(100)])


def _again(assets: Path) -> FaceLabels:
    """Faces of labels.csv as they were labelled another time, by whom they were first."""
    second, check = (
        load_face_labels(assets / f"labels_{name}.csv", FACE_ATTRIBUTES)
        for name in ("second", "check")
    )
    new = check.rows((~torch.isin(check.index, second.index)).nonzero()[:, 0])
    return FaceLabels(*(torch.cat(pair) for pair in zip(second, new, strict=True)))


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
    early = by_first_annotators(faces)
    everyone = torch.ones_like(early)
    return {
        "unseen": _aucs(p, faces.y, everyone)
        | {"first_annotators": _aucs(p, faces.y, early)}
        | {"later_annotators": _aucs(p, faces.y, ~early)},
        "twice": {
            "faces": len(rows),
            "mean_auc": sum(row["auc"] for row in twice.values()) / len(twice),
            "attributes": twice,
        },
    }


def _agreed(p: Float[Tensor, "n attributes"], passes: list[FaceLabels]) -> dict[str, Any]:
    """AUC against what most passes over the held-out faces saw, and where all saw the same."""
    y = consensus(passes).y
    bounds = interval(p, y, torch.Generator().manual_seed(0)).tolist()
    places = [{face: row for row, face in enumerate(one.index.tolist())} for one in passes]
    seen = torch.stack([
        one.y[[place[face] for face in passes[0].index.tolist()]]
        for one, place in zip(passes, places, strict=True)
    ])
    same = (seen == y).all(dim=0)
    everyone = torch.ones(len(y), dtype=torch.bool)
    rows = {
        name: {"faces": int(same[:, k].sum()), "auc": roc_auc(p[same[:, k], k], y[same[:, k], k])}
        for k, name in enumerate(FACE_ATTRIBUTES)
    }
    return {
        "consensus": _aucs(p, y, everyone) | {
            "mean_auc_interval": bounds[-1],
            "auc_interval": dict(zip(FACE_ATTRIBUTES, bounds, strict=False)),
        },
        "unanimous": {
            "mean_auc": sum(row["auc"] for row in rows.values()) / len(rows), "attributes": rows,
        },
    }


def _readings(assets: Path) -> dict[str, FaceLabels]:
    """The held-out faces as each of two further annotators saw them."""
    path = assets / "labels_heldout.csv"
    return {
        reader: load_face_labels(path, FACE_ATTRIBUTES, annotator=reader) for reader in _READERS
    }


def _aucs(
    p: Float[Tensor, "n attributes"], y: Int64[Tensor, "n attributes"], pick: Bool[Tensor, " n"]
) -> dict[str, Any]:
    aucs = {name: roc_auc(p[pick, k], y[pick, k]) for k, name in enumerate(FACE_ATTRIBUTES)}
    return {"faces": int(pick.sum()), "mean_auc": sum(aucs.values()) / len(aucs), "auc": aucs}


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


def _annotators(assets: Path, again: str) -> dict[str, Any]:
    """Agreement of labels.csv with another table of some of its faces."""
    first = load_face_labels(assets / "labels.csv", FACE_ATTRIBUTES)
    return _compare(first, load_face_labels(assets / again, FACE_ATTRIBUTES))


def _compare(first: FaceLabels, second: FaceLabels) -> dict[str, Any]:
    rows = {}
    for k, (name, both) in enumerate(zip(FACE_ATTRIBUTES, agreement(first, second), strict=True)):
        share = first.y[:, k].double().mean().item()
        rows[name] = both._asdict() | {"ceiling_auc": ceiling_auc(both.kappa, share)}
    means = {m: sum(row[m] for row in rows.values()) / len(rows) for m in rows[name]}
    both = len(set(first.index.tolist()) & set(second.index.tolist()))
    return {"faces": both, "mean": means, "attributes": rows}


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
