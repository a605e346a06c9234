"""Several edits of one code: one after the other, or one that stands aside for others.

    sequence      w'' = w' + beta H_b(w'),  w' = w + alpha H_a(w)
    conditional   H(w) minus its part in the span of other editors' displacements at w

The second is InterFaceGAN's conditional manipulation (Shen et al., CVPR 2020) for displacements
that depend on the code: with B the others' displacements at w as columns, H - B (B^T B)^-1 B^T H,
solved for each code by itself. An edit that another one's displacement already explains leaves
nothing to move.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.editors.affine import AffineEditor, AffineMap
from lwedit.editors.base import Editor, FitData
from lwedit.latents import Space
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["ConditionalEditor", "edit_in_turn"]


def edit_in_turn(
    w: Float[Tensor, "n layers dim"],
    edits: Sequence[tuple[Editor, float | Float[Tensor, " n"]]],
) -> Float[Tensor, "n layers dim"]:
    """Edits one after the other, each on what the last one left.

    Args:
        w: Codes of the editors' space.
        edits: Editors and strengths, in order.

    Raises:
        ValueError: If an editor is of another space than the first.
    """
    for editor, alpha in edits:
        edits[0][0].space.require(editor.space)
        w = editor.edit(w, alpha)
    return w


class ConditionalEditor(Editor):
    """An affine edit without what other affine edits would do at the same code.

    Attributes:
        map: H.
        others: The displacements to stand aside for.
    """

    method: ClassVar[str] = "conditional"

    def __init__(self, attribute: str, space: Space, map: AffineMap, others: Sequence[AffineMap]):
        super().__init__(attribute, space)
        for one in (map, *others):
            if not one.fits(space):
                raise ValueError(f"map must move codes of shape ({space.layers}, {space.dim}).")
        self.map, self.others = map, tuple(others)

    @classmethod
    def of(cls, editor: AffineEditor, others: Sequence[AffineEditor]) -> "ConditionalEditor":
        """Make an editor stand aside for others.

        Args:
            editor: What should be done.
            others: What should not be done along with it.

        Raises:
            ValueError: If they are of different spaces, or one is of the same attribute.
        """
        for other in others:
            editor.space.require(other.space)
            if other.attribute == editor.attribute:
                raise ValueError(f"others must edit something else, got {other.attribute!r}.")
        maps = [other.map for other in others]
        return cls(editor.attribute, editor.space, editor.map, maps)

    @classmethod
    def fit(cls, data: FitData) -> "ConditionalEditor":
        """Not fitted but made, by `of`.

        Args:
            data: Not used.

        Raises:
            ValueError: Always.
        """
        raise ValueError("a conditional editor must be made from fitted ones, by `of`.")

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w) minus its projection."""
        return _aside(self.map(w), [map(w) for map in self.others])

    def displacement_back(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """The same of what each map has for alpha < 0."""
        return _aside(self.map.backwards(w), [map.backwards(w) for map in self.others])

    def state(self) -> dict[str, Tensor]:
        """Bias of every map, and its weight and move back, if any."""
        state = {}
        for i, map in enumerate((self.map, *self.others)):
            parts = {"bias": map.bias, "weight": map.weight, "back": map.back}
            state |= {f"{i}.{name}": part for name, part in parts.items() if part is not None}
        return state

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "ConditionalEditor":
        """Inverse of `state`.

        Args:
            state: What `state` gave.
            attribute: What the edit adds.
            space: Where its codes live.

        Raises:
            ValueError: If a tensor is missing or of another space.
        """
        count = len([name for name in state if name.endswith(".bias")])
        wanted = {f"{i}.bias" for i in range(count)}
        may = {f"{i}.{name}" for i in range(count) for name in ("weight", "back")}
        if not count or not wanted <= set(state) <= wanted | may:
            raise ValueError(f"state must hold a bias for each map, got {sorted(state)}.")
        map, *others = (
            AffineMap(state.get(f"{i}.weight"), state[f"{i}.bias"], back=state.get(f"{i}.back"))
            for i in range(count)
        )
        return cls(attribute, space, map, others)


def _aside(
    move: Float[Tensor, "n layers dim"], others: Sequence[Float[Tensor, "n layers dim"]]
) -> Float[Tensor, "n layers dim"]:
    """A move minus its projection on others, each code by itself."""
    if not others:
        return move
    h = flatten_codes(move).double()
    b = torch.stack([flatten_codes(other).double() for other in others], dim=2)
    # The pseudo-inverse: others may coincide, or not move a code at all.
    share = torch.linalg.pinv(b) @ h[:, :, None]
    return unflatten_codes((h - (b @ share)[:, :, 0]).to(move), move.shape[1])
