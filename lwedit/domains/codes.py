"""Codes and labels of the user's own: `--codes FILE --labels FILE`.

Any file or folder that `lwedit.data` reads. There is no generator here, hence no image and no judge
of images: an "image" is the code itself, and edits are scored by a classifier of codes that is
trained on a quarter of them, which no editor sees (`lwedit.domains.scorer`). That says
whether an edit convinces a classifier other than its own, and how real its codes are, not what
would be seen.

Codes are shuffled by seed, since data often come sorted. The first 60 % train editors, the next
25 % the scoring classifier, the last 15 % are held out. Codes that stand in the files more than
once count once. What cannot be learnt or scored is left out by name, with its numbers.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int64
from sklearn.metrics import roc_auc_score
from torch import Tensor

from lwedit.data.codes import Codes, read_codes
from lwedit.data.labels import Labels, read_labels
from lwedit.domains.base import FEWEST, Part
from lwedit.domains.scorer import Scorer, fit_scorer
from lwedit.latents import LatentSet, Space, check_cloud

__all__ = ["CodesDomain", "CodesFiles", "belonging"]

_TRAIN, _JUDGE = 0.60, 0.85  # ends of the two parts
_VALIDATES = 0.9  # of the training part, as `Run.parts` cuts it
_FEWEST_CODES = 100
_RAREST = 0.01  # share of the rarer label below which an attribute is left out
_FEWEST_EACH = 4  # codes of each label in every part that something is learnt from
_LEARNT = 0.6  # area under the ROC curve below which the scorer has not learnt an attribute


class CodesFiles(NamedTuple):
    """Files of the user's, and how many of their codes each part of a run takes.

    Attributes:
        codes: File or folder of codes.
        labels: File of their labels.
        layers: Into how many layers a flattened code falls, 0 if it is not flattened.
        key: Which array, where the file of codes holds several.
        seed: Seed by which codes are shuffled before they are split.
        train_codes: Most codes of the training part.
        editor_codes: Most of those that editors learn from.
        heldout_codes: Most codes of the held-out part.
    """

    codes: Path
    labels: Path
    layers: int = 0
    key: str = ""
    seed: int = 0
    train_codes: int = 30_000
    editor_codes: int = 6_000
    heldout_codes: int = 4_000


class _Parts(NamedTuple):
    """Rows of each part, as a run takes them."""

    editors: slice
    validation: slice
    scorer: slice
    heldout: slice


@dataclass(frozen=True)
class CodesDomain:
    """A domain made of nothing but codes and labels; see `load`.

    Attributes:
        codes: All codes, shuffled.
        labels: Their labels, of the attributes that are kept.
        attributes: Their names.
        editable: Those that are edited.
        scorer: The scoring classifier.
        left_out: Why an attribute is not edited, by name.
        notes: What else there is to say of the files.
    """

    codes: Float[Tensor, "n layers dim"]
    labels: Int64[Tensor, "n attributes"]
    attributes: tuple[str, ...]
    editable: tuple[str, ...]
    scorer: Scorer
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    name: ClassVar[str] = "codes"
    identities: ClassVar[tuple[str, ...]] = ("code",)

    @classmethod
    def load(cls, files: CodesFiles) -> "CodesDomain":
        """Read the user's files and train the scoring classifier.

        Args:
            files: The files, and how many codes each part of a run takes.

        Raises:
            ValueError: In one line, if they are not codes and labels that belong together, or no
                attribute is left.
        """
        codes = read_codes(files.codes, layers=files.layers or None, key=files.key or None)
        labels = read_labels(files.labels)
        w, y, notes = belonging(codes, labels)
        names = labels.names
        w, y, copies = _once(w, y)
        if copies:
            notes = (*notes, f"{copies} codes stand in the files more than once and count once")
        if len(w) < _FEWEST_CODES:
            raise ValueError(f"codes must be {_FEWEST_CODES} different ones at least, to learn and "
                             f"to test, got {len(w)}.")
        check_cloud(w)
        order = torch.randperm(len(w), generator=torch.Generator().manual_seed(files.seed))
        w, y = w[order], y[order]
        parts = _parts(len(w), files)
        left_out = {name: why for j, name in enumerate(names) if (why := _too_few(y[:, j], parts))}
        held = [j for j, name in enumerate(names) if name not in left_out]
        _require_some(held, left_out)
        rng = torch.Generator().manual_seed(0)
        scorer = fit_scorer(w[parts.scorer], y[parts.scorer][:, held], rng)
        learnt = [i for i, auc in enumerate(scorer.auc) if auc >= _LEARNT]
        left_out |= {
            names[held[i]]: f"the scoring classifier cannot learn it from {_length(parts.scorer)} "
                            f"codes: AUC {auc:.2f}, where {_LEARNT:g} is asked and 0.5 is chance"
            for i, auc in enumerate(scorer.auc) if auc < _LEARNT
        }
        _require_some(learnt, left_out)
        scorer, kept = scorer.only(learnt), [held[i] for i in learnt]
        attributes = tuple(names[j] for j in kept)
        verdicts = scorer(w[parts.heldout]) > 0
        editable = []
        for i, name in enumerate(attributes):
            why = _one_sided(verdicts[:, i], y[parts.heldout][:, kept[i]])
            if why:
                left_out[name] = why
            else:
                editable.append(name)
        _require_some(editable, left_out)
        return cls(w, y[:, kept], attributes, tuple(editable), scorer, left_out, notes)

    @cached_property
    def weights(self) -> dict[str, str]:
        """Hash of codes and labels."""
        arrays = {"codes": self.codes, "labels": self.labels}
        return {name: hashlib.sha256(array.cpu().numpy().tobytes()).hexdigest()
                for name, array in arrays.items()}

    @cached_property
    def space(self) -> Space:
        """The space of these codes."""
        name = "W+" if self.codes.shape[1] > 1 else "W"
        return Space(self.weights["codes"], name, *self.codes.shape[1:])

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:  # noqa: ARG002
        """The part for editors, with the labels given; the held-out part, with the scorer's."""
        n = len(self.codes)
        if part == "train":
            return self._set(torch.arange(int(_TRAIN * n)))
        held = self._set(torch.arange(int(_JUDGE * n), n))
        return LatentSet(held.w, (self.scorer(held.w) > 0).long(), self.attributes, self.space)

    def generate(
        self, w: Float[Tensor, "n layers dim"], batch: int = 100  # noqa: ARG002
    ) -> Float[Tensor, "n 1 layers dim"]:
        """The code itself."""
        return w[:, None]

    @torch.no_grad()
    def score(self, x: Float[Tensor, "n 1 layers dim"]) -> Float[Tensor, "n attributes"]:
        """Probabilities by the scoring classifier."""
        return self.scorer(x[:, 0]).sigmoid()

    def identity(
        self, x: Float[Tensor, "n 1 layers dim"], x_edit: Float[Tensor, "n 1 layers dim"],
        measure: str = "code",  # noqa: ARG002
    ) -> Float[Tensor, " n"]:
        """Cosine of the codes about their mean."""
        centre = self.codes.double().mean(dim=0)[None]
        before, after = ((images - centre).flatten(1) for images in (x, x_edit))
        return torch.cosine_similarity(before, after, eps=1e-300).float()

    def facts(self) -> Mapping[str, Any]:
        """The scoring classifier on held-out codes against their labels, and what is left out."""
        n = len(self.codes)
        held = self._set(torch.arange(int(_JUDGE * n), n))
        logits, rows = self.scorer(held.w), {}
        for i, name in enumerate(self.attributes):
            truth = held.y[:, i]
            agreed = ((logits[:, i] > 0).long() == truth).double().mean().item()
            rows[name] = {"accuracy": agreed}
            if 0 < int(truth.sum()) < len(truth):
                rows[name]["auc"] = float(roc_auc_score(truth.cpu(), logits[:, i].cpu()))
        return {"scoring": {"attributes": rows}, "left_out": dict(self.left_out)}

    def _set(self, index: Int64[Tensor, " m"]) -> LatentSet:
        return LatentSet(self.codes[index], self.labels[index], self.attributes, self.space)


def belonging(
    codes: Codes, labels: Labels
) -> tuple[Float[Tensor, "n layers dim"], Int64[Tensor, "n attributes"], tuple[str, ...]]:
    """Each code with its label: by the names of files where both have them, else by order.

    Args:
        codes: From a file, or from a folder, whose files have names.
        labels: Perhaps with a column that names files.

    Returns:
        Codes, labels, and what there is to say of them.

    Raises:
        ValueError: If a code has no label, or their numbers differ.
    """
    if codes.files is None or labels.files is None:
        if len(codes.w) != len(labels.y):
            raise ValueError(
                f"labels must be one row a code: {len(codes.w)} codes, {len(labels.y)} rows below "
                f"the names ({', '.join(map(repr, labels.names[:3]))}"
                f"{', …' if len(labels.names) > 3 else ''})."
            )
        return codes.w, labels.y, ()
    place = {_stem(name): i for i, name in enumerate(codes.files)}
    row_of = {}
    for row, name in enumerate(labels.files):
        if _stem(name) in row_of:
            raise ValueError(f"labels must name each file once, {name[:60]!r} stands twice.")
        row_of[_stem(name)] = row
    lacking = [codes.files[i] for stem, i in place.items() if stem not in row_of]
    if lacking:
        raise ValueError(f"labels must have a row for each code, {len(lacking)} of "
                         f"{len(codes.files)} files have none, such as {lacking[0]!r}.")
    rows = [row for stem, row in row_of.items() if stem in place]  # in the order of the labels
    index = torch.tensor([place[stem] for stem in row_of if stem in place])
    unused = len(labels.files) - len(rows)
    notes = (f"{unused} rows of the labels name no code and are not used",) if unused else ()
    return codes.w[index], labels.y[torch.tensor(rows)], notes


def _stem(name: str) -> str:
    """What a code's file and an image's share: 000001 of data/000001.jpg, and 1 of 000001."""
    stem = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem = stem.rsplit(".", 1)[0] if "." in stem[1:] else stem
    return str(int(stem)) if stem.isdecimal() else stem


def _once(
    w: Float[Tensor, "n layers dim"], y: Int64[Tensor, "n attributes"]
) -> tuple[Float[Tensor, "m layers dim"], Int64[Tensor, "m attributes"], int]:
    """Codes without repetitions, and how many of those there were."""
    first: dict[bytes, int] = {}
    kept = []
    for row, code in enumerate((w + 0.0).numpy()):  # -0 is 0
        seen = first.setdefault(hashlib.sha256(code.tobytes()).digest(), row)
        if seen == row:
            kept.append(row)
        elif not torch.equal(y[seen], y[row]):
            raise ValueError(f"labels must agree on equal codes, rows {seen} and {row} hold the "
                             "same code with different labels.")
    index = torch.tensor(kept)
    return w[index], y[index], len(w) - len(kept)


def _parts(n: int, files: CodesFiles) -> _Parts:
    """As `CodesDomain.latents` and `Run` cut the codes."""
    train = min(int(_TRAIN * n), files.train_codes)
    fitted = int(_VALIDATES * train)
    heldout = int(_JUDGE * n)
    return _Parts(slice(0, min(fitted, files.editor_codes)), slice(fitted, train),
                  slice(int(_TRAIN * n), heldout),
                  slice(heldout, min(n, heldout + files.heldout_codes)))


def _length(part: slice) -> int:
    return part.stop - part.start


def _too_few(y: Int64[Tensor, " n"], parts: _Parts) -> str:
    """Why an attribute cannot be learnt, by its labels; empty if it can."""
    has = int(y.sum())
    if has in (0, len(y)):
        return f"{'all' if has else 'none'} of {len(y)} codes have it by their labels"
    rarer, verb = (has, "have") if 2 * has <= len(y) else (len(y) - has, "lack")
    if rarer < _RAREST * len(y):
        return (f"{rarer} of {len(y)} codes {verb} it by their labels, {100 * rarer / len(y):.1f} %"
                f", and {100 * _RAREST:g} % is the least")
    use = {"editors": "train editors", "validation": "validate editors",
           "scorer": "train the scoring classifier"}
    for name, words in use.items():
        part = y[getattr(parts, name)]
        few = int(min(part.sum(), len(part) - part.sum()))
        if few < _FEWEST_EACH:
            verb = "have" if 2 * int(part.sum()) <= len(part) else "lack"
            return (f"{few} of the {len(part)} codes that {words} {verb} it by their labels, and "
                    f"{_FEWEST_EACH} is the least")
    return ""


def _one_sided(verdict: Tensor, y: Int64[Tensor, " n"]) -> str:
    """Why an attribute cannot be scored, by the scoring classifier's verdicts on held-out codes."""
    has = int(verdict.sum())
    few, verb = (has, "have") if 2 * has <= len(verdict) else (len(verdict) - has, "lack")
    if few >= FEWEST:
        return ""
    by_label = int(y.sum()) if verb == "have" else len(y) - int(y.sum())
    return (f"{few} of {len(verdict)} held-out codes {verb} it by the scoring classifier's verdict "
            f"({by_label} by their labels), and {FEWEST} is the least")


def _require_some(left: list, left_out: Mapping[str, str]) -> None:
    if not left:
        why = "; ".join(f"{name!r}: {reason}" for name, reason in list(left_out.items())[:3])
        more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        raise ValueError("labels must have an attribute that can be edited, got none: "
                         f"{why}{more}.")
