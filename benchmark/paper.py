"""The paper's own numbers, to stand beside ours.

Doubinsky, Audebert, Crucianu, Le Borgne, "Wasserstein Loss for Semantic Editing in the Latent
Space of GANs", Table 2: actual change rate at a latent target change rate of 100 %.
"""

__all__ = ["TABLE_2"]

TABLE_2: dict[str, dict[str, float]] = {
    "lt": {"1→2": 0.32, "2→3": 0.31, "3→4": 0.64},
    "lw": {"1→2": 0.90, "2→3": 0.95, "3→4": 0.99},
}
