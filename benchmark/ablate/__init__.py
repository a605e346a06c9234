"""Ablation of Latent Wasserstein's settings, and the floors beside it."""
