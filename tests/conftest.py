"""What the tests share: shape checks switched off as users run the code, and the shipped domain."""

import jaxtyping
import pytest


@pytest.fixture
def unchecked(monkeypatch):
    """Without jaxtyping, as users run the code: the package's own checks must stand alone."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """The shipped digits domain, with a cache of codes that lasts for this run of the tests."""
    # Not above: pytest reads this file before jaxtyping has its hook on the import of lwedit.
    from lwedit.domains import DigitsDomain

    return DigitsDomain.load(cache=tmp_path_factory.mktemp("cache"))
