"""What the tests of the page share: a stand-in for faces whose truth is known, and its bundle."""

import pytest


@pytest.fixture(scope="session")
def toy_bundle():
    """Editors fitted on the toy domain by the page's own command."""
    from demo.fit_editors import fit_faces
    from lwedit.domains import ToyDomain

    return fit_faces(ToyDomain(), 800)


@pytest.fixture
def toy_faces(monkeypatch, toy_bundle):
    """The page's faces replaced by the toy domain."""
    from demo import faces, studio
    from lwedit.domains import ToyDomain

    place = studio.Studio(ToyDomain(), toy_bundle)
    monkeypatch.setattr(studio, "_open", lambda name: place)
    faces._face.cache_clear()
    yield place
    faces._face.cache_clear()
