"""What the page edits with: a domain and its fitted editors, read at first use, one at a time.

Networks are shared by everybody who looks at the page, so everything that runs one holds `LOCK`;
what belongs to one person (a seed, a drawing, the edits made so far) is an argument. The same
arguments give the same pictures.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from demo.bundles import BUNDLES, Bundle, with_neural
from lwedit.domains import DigitsDomain, FacesDomain
from lwedit.domains.ffhq import FfhqDomain
from lwedit.domains.ffhq.files import EDITORS
from lwedit.editors import NeuralEditor

__all__ = [
    "LOCK",
    "METHODS_SHOWN",
    "STRONGEST",
    "Edited",
    "Step",
    "Studio",
    "check_steps",
    "is_number",
    "is_whole",
    "more_threads",
    "studio",
]

LOCK = threading.RLock()
METHODS_SHOWN = ("lt", "lw")
STRONGEST = 5.0
_MOST_STEPS = 12


class Step(NamedTuple):
    """One edit of a sequence.

    Attributes:
        attribute: What is added.
        strength: How much of it, in the method's own unit (`demo.bundles.Unit`); below 0 removes.
        draw: Which of several answers, for LW neural; 0 is the editor's own, others are seeds.
        k: Which class of thing is added or removed, for LW neural; None leaves it open.
    """

    attribute: str
    strength: float
    draw: int = 0
    k: int | None = None


class Edited(NamedTuple):
    """What a method made of a code.

    Attributes:
        w: Edited code.
        x: Its image.
        alpha: Signed alpha of each step.
        milliseconds: Editing and drawing, without the judges.
    """

    w: Float[Tensor, "1 layers dim"]
    x: Float[Tensor, "1 channels h w"]
    alpha: tuple[float, ...]
    milliseconds: float


@dataclass(frozen=True)
class Studio:
    """A domain and its editors.

    Attributes:
        domain: Generator and judges.
        bundle: Editors, units and latent classifier; None where none were fitted yet, in ffhq.
    """

    domain: Any
    bundle: Bundle | None

    def edit_by_all(
        self, w: Float[Tensor, "1 layers dim"], x: Float[Tensor, "1 channels h w"],
        steps: Mapping[str, Sequence[Step]],
    ) -> dict[str, Edited]:
        """w' after all steps, in turn, and its image, by each method.

        The images are drawn as one batch, a third faster than one by one on a processor; each
        method is given its own editing and its share of the drawing.

        Args:
            w: A code.
            x: Its image, which is returned as it is where no step is asked for.
            steps: Edits of each method, in turn; as many for all.
        """
        if not any(steps.values()):
            return {method: Edited(w, x, (), 0.0) for method in steps}
        made = [self._moved(w, method, own) for method, own in steps.items()]
        start = time.perf_counter()
        drawn = self.domain.generate(torch.cat([code for code, *_ in made])).split(1)
        share = 1000 * (time.perf_counter() - start) / len(made)
        return {
            method: Edited(code, image, alphas, milliseconds + share)
            for method, image, (code, alphas, milliseconds)
            in zip(steps, drawn, made, strict=True)
        }

    def _moved(
        self, w: Float[Tensor, "1 layers dim"], method: str, steps: Sequence[Step]
    ) -> tuple[Float[Tensor, "1 layers dim"], tuple[float, ...], float]:
        """The code after all steps of a method, their alphas, and milliseconds."""
        start, alphas = time.perf_counter(), []
        for step in steps:
            w, alpha = self.move(w, method, step)
            alphas.append(alpha)
        return w, tuple(alphas), 1000 * (time.perf_counter() - start)

    def move(
        self, w: Float[Tensor, "1 layers dim"], method: str, step: Step
    ) -> tuple[Float[Tensor, "1 layers dim"], float]:
        """One step of a method, and the alpha that its strength means."""
        alpha = self.bundle.units[method][step.attribute].alpha(step.strength)
        editor = self.bundle.editors[method][step.attribute]
        asked = step.draw or step.k is not None
        if asked and isinstance(editor, NeuralEditor):
            rng = torch.Generator().manual_seed(step.draw)
            return editor.draw(w, alpha, rng, step.k), alpha
        return editor.edit(w, alpha), alpha

    def can(self, method: str, step: Step) -> bool:
        """Whether there is an editor for a step; LW neural has one for each direction."""
        editor = self.bundle.editors[method].get(step.attribute)
        if isinstance(editor, NeuralEditor):
            return ("add" if step.strength >= 0 else "remove") in editor.transports
        return editor is not None

    def along(
        self, w: Float[Tensor, "1 layers dim"], method: str, steps: Sequence[Step],
        last: Step, strengths: Sequence[float],
    ) -> Float[Tensor, "n layers dim"]:
        """Codes of the same steps followed by one more, at several strengths in place of its own.

        An edit is a line in alpha on either side of 0 (Eq. 1), so each side is edited once.
        """
        for step in steps:
            w, _ = self.move(w, method, step)
        size = torch.tensor(strengths).abs().reshape(-1, 1, 1)
        moved = w.repeat(len(strengths), 1, 1)
        for sign in {math.copysign(1, strength) for strength in strengths if strength}:
            side = torch.tensor([strength * sign > 0 for strength in strengths])
            one = self.move(w, method, last._replace(strength=sign))[0]
            moved[side] = w + size[side] * (one - w)
        return moved

    @torch.no_grad()
    def latent(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n attributes"]:
        """What the latent classifier says, as probabilities."""
        return self.bundle.classifier(w).sigmoid()


def studio(name: str) -> Studio:
    """The studio of a domain, read once.

    Args:
        name: "digits", "faces" or "ffhq".

    Raises:
        ValueError: In plain words, with the command that mends it, if weights or editors are
            missing or do not belong to each other.
    """
    with LOCK:
        return _open(name)


_DOMAINS: dict[str, Callable[[], Any]] = {
    "digits": DigitsDomain.load, "faces": FacesDomain.load, "ffhq": FfhqDomain.load,
}


@cache
def _open(name: str) -> Studio:
    domain = _DOMAINS[name]()
    folder = domain.folder / EDITORS if name == "ffhq" else BUNDLES / name
    if name == "ffhq" and not folder.exists():
        return Studio(domain, None)
    bundle = Bundle.load(folder, domain.space, name)
    return Studio(domain, with_neural(bundle) if name == "digits" else bundle)


@contextmanager
def more_threads() -> Generator[None]:
    """As many threads as a Space has processors, for networks whose operations are large."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(before, min(2, os.cpu_count() or 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_number(value: object) -> bool:
    """Whether this is a finite number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def is_whole(value: object, last: int) -> bool:
    """Whether a number is one of 0, 1, ..., last."""
    return is_number(value) and 0 <= value <= last and int(value) == value


def check_steps(steps: Sequence[Step], attributes: Sequence[str]) -> None:
    """Steps that a person or a program may ask for.

    Args:
        steps: What is asked for.
        attributes: What can be edited.

    Raises:
        ValueError: In plain words.
    """
    if len(steps) > _MOST_STEPS:
        raise ValueError(f"At most {_MOST_STEPS} edits in a row are made, got {len(steps)}.")
    for step in steps:
        if step.attribute not in attributes:
            known = ", ".join(attributes)
            raise ValueError(f"There is no attribute {step.attribute!r:.60}; choose from {known}.")
        if not is_number(step.strength) or abs(step.strength) > STRONGEST:
            raise ValueError(
                f"The strength must be a number from {-STRONGEST:g} to {STRONGEST:g}, "
                f"got {step.strength!r:.40}."
            )
