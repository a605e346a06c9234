"""Fit LW and LT on toy codes, edit, judge and draw; quickstart.ipynb is the same as a notebook."""

# %% [markdown]
# # Latent Wasserstein in a minute
# A toy generator draws four shapes; each is an attribute of a code. LW and LT learn to add the disc
# from 1,500 codes with labels. The toy's judge reads images by formula, so what it says is exact.
# Run it where `lwedit` is installed, or in a clone: `python examples/quickstart.py`.

# %%
import torch
from matplotlib.figure import Figure

from baselines.estimator import LatentEdit
from lwedit.domains import ToyDomain

toy = ToyDomain(sizes=(1500, 500))
train, heldout = toy.latents("train"), toy.latents("heldout")
disc = toy.attributes.index("disc")

# %% [markdown]
# `LatentEdit` has scikit-learn's manners: `fit` on codes and labels, `transform` by a strength.

# %%
edits = {
    name: LatentEdit(name, names=toy.attributes, attribute=disc).fit(train.w, train.y)
    for name in ("lw", "lt")
}

# %% [markdown]
# Edit held-out codes that lack the disc, and ask the judge of images: is it there, and are the
# other three as they were?

# %%
w = heldout.w[heldout.y[:, disc] == 0]
others = [k for k in range(len(toy.attributes)) if k != disc]
before = toy.score(toy.generate(w)) > 0.5
for name, edit in edits.items():
    for alpha in (0.5, 1.0, 2.0):
        after = toy.score(toy.generate(torch.from_numpy(edit.transform(w, alpha=alpha)))) > 0.5
        added = after[:, disc].float().mean()
        kept = (after == before)[:, others].float().mean()
        print(f"{name}, alpha = {alpha}: disc added {added:.2f}, other attributes kept {kept:.2f}")

# %% [markdown]
# One code, from no edit to twice the strength: the disc is the upper left of each picture.

# %%
alphas = (0.0, 0.5, 1.0, 1.5, 2.0)
figure = Figure(figsize=(7, 3.2))
for row, (name, edit) in enumerate(edits.items()):
    for column, alpha in enumerate(alphas):
        edited = torch.from_numpy(edit.transform(w[:1], alpha=alpha))
        axes = figure.add_subplot(len(edits), len(alphas), len(alphas) * row + column + 1)
        axes.imshow(toy.generate(edited)[0, 0], cmap="gray", vmin=-1, vmax=1)
        axes.set_title(f"{name}, α = {alpha:g}", fontsize=9)
        axes.set_axis_off()
figure.savefig("quickstart.png")
figure
