"""The contract of every editing method, and the way editors are saved.

An editor is fitted on a LatentSet for one attribute, moves codes by a strength alpha and can
be written to a folder (weights.safetensors, editor.json and a card, README.md). alpha = 0 returns
the codes, the same codes give the same edit, and a loaded editor edits bit for bit as the saved
one.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from lwedit.classifier import LatentClassifier
from lwedit.editors.card import Card, render
from lwedit.latents import LatentSet, Space, check_cloud

__all__ = ["Editor", "FitData"]

_FEWEST = 4  # different codes on each side: of fewer nothing can be said but where they lie


@dataclass(frozen=True)
class FitData:
    """What a method may learn from.

    Attributes:
        train: Codes with labels; those without the attribute are the source, the others the target.
        validation: Other codes, for early stopping and the choice of settings.
        classifier: The latent classifier F, for the methods that use one.
        attribute: Name of the target attribute.
        seed: Seed of everything random in the fit.
        generator: What draws the codes, codes -> images; None where there are only codes.
        layers: Layers that the edit will be restricted to, for methods that choose some; all if
            None.

    Raises:
        ValueError: If a side has fewer than four different codes, or a code lies far outside.
    """

    train: LatentSet
    validation: LatentSet
    classifier: LatentClassifier
    attribute: str
    seed: int
    generator: nn.Module | None = None
    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for side, words in zip(self.train.pair(self.attribute), ("without", "with"), strict=True):
            different = _different(side)
            if different < _FEWEST:
                equal = ", the others are copies" if different < len(side) else ""
                raise ValueError(
                    f"train must hold {_FEWEST} different codes at least with {self.attribute!r} "
                    f"and as many without, got {different} of {len(side)} {words} it{equal}."
                )
        check_cloud(self.train.w)


def _different(w: Float[Tensor, "n layers dim"]) -> int:
    """How many different codes there are, counted up to the fewest that will do."""
    found = 0
    while len(w) and found < _FEWEST:
        w = w[(w != w[0]).flatten(1).any(dim=1)]
        found += 1
    return found


class Editor(ABC):
    """A fitted edit of one attribute.

    Attributes:
        method: Short name, as given on the command line.
        uses_seed: Whether two seeds can give two editors of the same codes and classifier.
        needs_generator: Whether `fit` looks at the generator's weights or feature maps; such a
            method refuses data without one.
        attribute: What the edit adds for alpha > 0.
        space: Where its codes live.
        layers: Layers that `edit` moves, all if None; the others keep the code, as LT's later
            layers do.
    """

    method: ClassVar[str]
    uses_seed: ClassVar[bool] = True
    needs_generator: ClassVar[bool] = False

    def __init__(self, attribute: str, space: Space):
        self.attribute, self.space = attribute, space
        self.layers: tuple[int, ...] | None = None

    @classmethod
    @abstractmethod
    def fit(cls, data: FitData) -> "Editor":
        """Learn the edit."""

    @abstractmethod
    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w), the move at alpha = 1."""

    def displacement_back(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """What alpha < 0 multiplies: H(w), unless a method has something else to run backwards."""
        return self.displacement(w)

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Tensors from which `restore` builds the editor again."""

    @classmethod
    @abstractmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "Editor":
        """Inverse of `state`."""

    def restrict(self, layers: tuple[int, ...]) -> "Editor":
        """Move these layers only; returns the editor itself.

        Raises:
            ValueError: If a layer is not one of the space.
        """
        if not layers or not set(layers) <= set(range(self.space.layers)):
            raise ValueError(
                f"layers must be some of 0 .. {self.space.layers - 1}, got {tuple(layers)}."
            )
        self.layers = tuple(layers)
        return self

    def to(self, device: torch.device | str) -> "Editor":
        """The same editor for codes on another device."""
        state = {name: part.to(device) for name, part in self.state().items()}
        moved = type(self).restore(state, self.attribute, self.space)
        return moved if self.layers is None else moved.restrict(self.layers)

    @torch.no_grad()
    def edit(
        self, w: Float[Tensor, "n layers dim"], alpha: float | Float[Tensor, " n"]
    ) -> Float[Tensor, "n layers dim"]:
        """w' = w + alpha H(w) (Eq. 1); for alpha < 0 with `displacement_back` in place of H.

        Args:
            w: Codes of this editor's space.
            alpha: Strength, one for all or one a code; 1 is the displacement as fitted.

        Returns:
            Edited codes of the same shape and dtype.

        Raises:
            ValueError: If the codes have another shape, or codes or strength are not finite.
        """
        self._check(w)
        strength = torch.as_tensor(alpha, dtype=w.dtype).to(w.device)
        if not strength.isfinite().all():
            raise ValueError(f"alpha must be finite, got {alpha}.")
        if strength.ndim and strength.shape != (len(w),):
            raise ValueError(f"alpha must be one number or {len(w)}, got {tuple(strength.shape)}.")
        move = self._moved(w, strength).to(w.dtype)
        if self.layers is not None:
            allowed = torch.zeros(w.shape[1], 1, dtype=w.dtype, device=w.device)
            allowed[list(self.layers)] = 1.0
            move = move * allowed
        return w + strength.reshape(-1, 1, 1) * move

    def _moved(
        self, w: Float[Tensor, "n layers dim"], strength: Tensor
    ) -> Float[Tensor, "n layers dim"]:
        """H(w), or what stands for it where the strength is negative."""
        back = (strength < 0).expand(len(w))
        if back.all():
            return self.displacement_back(w)
        move = self.displacement(w)
        if back.any():
            move = torch.where(back[:, None, None], self.displacement_back(w), move)
        return move

    def save(self, folder: Path, card: Card = Card()) -> None:  # noqa: B008  (it is frozen)
        """Write weights.safetensors, README.md and editor.json (aside, then renamed).

        Args:
            folder: Where to.
            card: What is to be said of the editor that it does not know of itself.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: part.cpu().contiguous() for name, part in self.state().items()}
        save_file(state, folder / "weights.tmp")
        digest = hashlib.sha256((folder / "weights.tmp").read_bytes()).hexdigest()
        about = {"method": self.method, "attribute": self.attribute, "space": asdict(self.space),
                 "layers": self.layers,
                 "sha256": digest}
        (folder / "editor.tmp").write_text(json.dumps(about, indent=1))
        (folder / "card.tmp").write_text(render(card, self.method, self.attribute, self.space,
                                                self.layers, digest))
        (folder / "weights.tmp").replace(folder / "weights.safetensors")
        (folder / "card.tmp").replace(folder / "README.md")
        (folder / "editor.tmp").replace(folder / "editor.json")

    @classmethod
    def load(cls, folder: Path, space: Space) -> "Editor":
        """Read what `save` wrote.

        Args:
            folder: Where the editor lies.
            space: Space of the codes to be edited; the editor must have been fitted in it.

        Raises:
            ValueError: If the files are damaged, of another method, or of another space.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / "editor.json").read_text())
            weights = (folder / "weights.safetensors").read_bytes()
            state = load(weights)
            fitted_in = Space(**about["space"])
            method, attribute = about["method"], about["attribute"]
            layers = None if about.get("layers") is None else tuple(about["layers"])
        except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
            raise ValueError(f"folder must hold a saved editor, got {folder}: {error}") from error
        found = hashlib.sha256(weights).hexdigest()
        if about.get("sha256", found) != found:  # editors of before have none
            raise ValueError("folder must hold the weights that editor.json names by their SHA-256 "
                             f"{about['sha256']}, got {found} in {folder}.")
        if method != cls.method:
            raise ValueError(f"folder must hold a {cls.method!r} editor, got {method!r}.")
        space.require(fitted_in)
        editor = cls.restore(state, attribute, space)
        return editor if layers is None else editor.restrict(layers)

    def _check(self, w: Float[Tensor, "n layers dim"]) -> None:
        expected = (self.space.layers, self.space.dim)
        if w.ndim != 3 or w.shape[1:] != expected:
            raise ValueError(
                f"w must have shape (n, {expected[0]}, {expected[1]}), got {tuple(w.shape)}."
            )
        if not w.isfinite().all():
            raise ValueError("w must be finite, got NaN or infinite entries.")
