"""The paper's own numbers, to stand beside ours.

Doubinsky, Audebert, Crucianu, Le Borgne, "Wasserstein Loss for Semantic Editing in the Latent
Space of GANs". Table 1: attribute and identity preservation on 1,000 FFHQ faces, means over ten
alpha in [d, 2 d]. Table 2: actual change rate at a latent target change rate of 100 %.
"""

__all__ = ["TABLE_1", "TABLE_1_HERE", "TABLE_2"]

TABLE_1: dict[str, dict[str, tuple[float, float]]] = {
    "lt_star": {"Gender": (0.92, 0.94), "Age": (0.95, 0.96), "Pale Skin": (0.86, 0.96)},
    "lw_star": {"Gender": (0.95, 0.94), "Age": (0.96, 0.97), "Pale Skin": (0.96, 0.98)},
    "lt": {"Gender": (0.98, 0.95), "Age": (0.98, 0.96), "Pale Skin": (0.98, 0.98)},
    "lw": {"Gender": (0.97, 0.96), "Age": (0.98, 0.97), "Pale Skin": (0.97, 0.98)},
}
# What the paper calls them -> what the faces here are labelled with; nobody labelled their age.
TABLE_1_HERE: dict[str, str | None] = {
    "Gender": "masculine", "Age": None, "Pale Skin": "pale_skin",
}
TABLE_2: dict[str, dict[str, float]] = {
    "lt": {"1→2": 0.32, "2→3": 0.31, "3→4": 0.64},
    "lw": {"1→2": 0.90, "2→3": 0.95, "3→4": 0.99},
}
