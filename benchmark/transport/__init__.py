"""Measurements of the transport losses and of Latent Wasserstein's solvers."""
