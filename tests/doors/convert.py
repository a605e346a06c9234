"""Checkpoints for `python -m lwedit.domains.ffhq convert`."""

TAKEN = ()
REFUSED = ()
