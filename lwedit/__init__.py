"""Semantic editing in the latent space of GANs by optimal transport.

The package follows the data: images are inverted into codes, an editor moves the codes,
the generator draws them, and judges who see nothing but images say what changed.
`lwedit.vocabulary` names the states; every other module is an arrow between two of them.
"""

__version__ = "0.1.0"
