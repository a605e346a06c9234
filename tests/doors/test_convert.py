"""Checkpoints through their door; what else is true of them is in tests/generators."""

import pytest
import torch

from lwedit.generators.foreign import foreign_generator, read_foreign
from tests.doors import convert
from tests.doors.case import one_line
from tests.generators import published, published_nvidia


@pytest.mark.slow
@pytest.mark.parametrize("case", convert.TAKEN, ids=repr)
def test_a_checkpoint_is_read(case, tmp_path):
    (tmp_path / "a.pt").write_bytes(case.made())
    held = read_foreign(tmp_path / "a.pt")
    mean, encoder = case.truth
    assert (held.latent_avg is None) == (mean is None)
    assert mean is None or torch.equal(held.latent_avg, mean)
    assert held.options.get("encoder_type") == encoder
    w = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = published.made_state()
    half = held.generator["conv1.conv.weight"].dtype == torch.float16
    truth = {name: value.half() for name, value in state.items()} if half else state
    images = foreign_generator(held).double()(w)
    torch.testing.assert_close(images, published.drawn(truth, w), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_by_nvidia_is_read(protocol, tmp_path):
    state = published_nvidia.made_state()
    content = published_nvidia.made_pickle(state, protocol=protocol)
    (tmp_path / "a.pkl").write_bytes(content)
    w = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images = foreign_generator(read_foreign(tmp_path / "a.pkl")).double()(w)
    torch.testing.assert_close(images, published_nvidia.drawn(state, w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", convert.REFUSED, ids=repr)
def test_a_checkpoint_is_refused(case, tmp_path):
    (tmp_path / "a.pt").write_bytes(case.made())
    with pytest.raises(ValueError, match=r"\S") as error:
        foreign_generator(read_foreign(tmp_path / "a.pt"))
    assert case.refused in one_line(error)
