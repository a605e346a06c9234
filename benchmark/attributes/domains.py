"""Domains of the attribute benchmark by name."""

from benchmark.attributes.settings import AttributeConfig
from lwedit.domains import AttributeDomain, ToyDomain

__all__ = ["DOMAINS", "open_domain"]

DOMAINS = ("faces", "toy", "codes")


def open_domain(config: AttributeConfig) -> AttributeDomain:
    """The domain of a run.

    Raises:
        ValueError: If it is unknown, or its files are missing or damaged.
    """
    if config.domain == "toy":
        return ToyDomain()
    if config.domain == "faces":
        from lwedit.domains.faces import FacesDomain  # its networks are read only where needed

        return FacesDomain.load()
    if config.domain == "codes":
        from benchmark.attributes.own_codes import CodesDomain

        return CodesDomain.load(config)
    raise ValueError(f"domain must be one of {', '.join(DOMAINS)}, got {config.domain!r}.")
