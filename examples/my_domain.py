"""A domain of one's own: a generator, codes with labels, a judge of images; then edit in it.

    python examples/my_domain.py

A code of four numbers is a picture of one colour on a grey frame; "red" and "bright" are read back
from its pixels. `lwedit.domains.AttributeDomain` says what each part must do, docs/domains.md how a
domain enters the benchmark.
"""

import hashlib

import torch

from baselines.estimator import LatentEdit
from lwedit.classifier import ClassifierConfig
from lwedit.domains import AttributeDomain
from lwedit.latents import LatentSet, Space


class Colours:
    """Pictures of one colour."""

    name = "colours"
    space = Space(hashlib.sha256(b"colours, 1").hexdigest(), "W", 1, 4)
    attributes = editable = ("red", "bright")
    weights = {"generator": space.generator}
    identities = ("frame",)

    def latents(self, part: str, *, progress: bool = False) -> LatentSet:
        """Gaussian codes, labelled by the judge."""
        rng = torch.Generator().manual_seed(1 if part == "train" else 2)
        w = torch.randn(2000 if part == "train" else 500, 1, 4, generator=rng)
        return LatentSet(w, (self.score(self.generate(w)) > 0.5).long(), self.attributes,
                         self.space)

    def generate(self, w: torch.Tensor, batch: int = 100) -> torch.Tensor:
        """w -> x: the first three numbers are a colour, the last one the frame's grey."""
        x = w[:, 0, 3, None, None, None].tanh().expand(-1, 3, 8, 8).clone()
        x[:, :, 2:6, 2:6] = w[:, 0, :3, None, None].tanh()
        return x

    def score(self, x: torch.Tensor) -> torch.Tensor:
        """More red than green and blue; brighter than grey."""
        colour = x[:, :, 4, 4]
        margin = torch.stack([colour[:, 0] - colour[:, 1:].mean(1), colour.mean(1)], dim=1)
        return (8 * margin).sigmoid()

    def identity(self, x: torch.Tensor, x_edit: torch.Tensor, measure: str) -> torch.Tensor:
        """1 where the frame is the same."""
        return 1 - (x[:, 0, 0, 0] - x_edit[:, 0, 0, 0]).abs() / 2

    def facts(self) -> dict:
        """The judge is a formula."""
        judge = {"attributes": {name: {"accuracy": 1.0} for name in self.attributes}}
        return {"naming": judge, "scoring": judge}


def main() -> None:
    """Add each attribute to held-out codes that lack it."""
    domain, small = Colours(), ClassifierConfig(hidden=(32,), epochs=5)
    assert isinstance(domain, AttributeDomain)
    train, heldout = domain.latents("train"), domain.latents("heldout")
    for k, name in enumerate(domain.editable):
        w = heldout.w[heldout.y[:, k] == 0]
        edit = LatentEdit("lw_star", attribute=k, classifier=small).fit(train.w, train.y)
        x, x_edit = (domain.generate(torch.from_numpy(edit.transform(w, alpha=alpha)))
                     for alpha in (0.0, 2.0))
        added = (domain.score(x_edit)[:, k] > 0.5).float().mean()
        same = domain.identity(x, x_edit, "frame").mean()
        print(f"{name}: added to {added:.2f} of {len(w)} codes, frame kept {same:.2f}")


if __name__ == "__main__":
    main()
