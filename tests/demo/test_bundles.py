"""Bundles: what is written is read, what does not belong is refused with the way to mend it."""

import json
from dataclasses import replace

import pytest
import torch

from baselines import Centroids
from demo.bundles import Bundle, Unit, with_neural
from demo.fit_editors import best_strength, main, unit_of
from lwedit.domains import ToyDomain
from lwedit.domains.digits import DigitScores
from lwedit.domains.toy import THRESHOLDS, mixing
from lwedit.editors import AffineMap, LatentWassersteinNeural, NeuralConfig
from lwedit.editors.token_transport import Transport

pytestmark = pytest.mark.slow


@pytest.fixture
def saved(toy_bundle, tmp_path):
    toy_bundle.save(tmp_path / "toy")
    return tmp_path / "toy"


def test_a_bundle_read_again_edits_bit_for_bit_as_the_one_saved(toy_bundle, saved):
    again = Bundle.load(saved, toy_bundle.space)
    w = torch.randn(5, 2, 6, generator=torch.Generator().manual_seed(0))
    for method, editors in toy_bundle.editors.items():
        for name, editor in editors.items():
            assert torch.equal(again.editors[method][name].edit(w, 1.5), editor.edit(w, 1.5))
    assert again.units == toy_bundle.units


def test_the_classifier_read_again_is_the_one_saved_to_half_precision(toy_bundle, saved):
    again = Bundle.load(saved, toy_bundle.space)
    w = torch.randn(200, 2, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again.classifier(w), toy_bundle.classifier(w), atol=2e-2, rtol=1e-2)


def test_a_bundle_of_another_generator_is_refused_with_the_command(saved, toy_bundle):
    other = replace(toy_bundle.space, generator="0" * 64)
    with pytest.raises(ValueError, match=r"do not belong to these weights .*generator = 0000") as e:
        Bundle.load(saved, other)
    assert str(e.value).endswith("python -m demo.fit_editors toy")


def test_a_bundle_of_another_shape_is_refused(saved, toy_bundle):
    with pytest.raises(ValueError, match="layers = 3"):
        Bundle.load(saved, replace(toy_bundle.space, layers=3))


def test_a_file_of_another_fit_is_refused(saved, toy_bundle, tmp_path):
    editors = dict.fromkeys(("lt", "lw"), toy_bundle.editors["lt"])
    replace(toy_bundle, editors=editors).save(tmp_path / "other")
    (tmp_path / "other" / "lw.safetensors").replace(saved / "lw.safetensors")
    with pytest.raises(ValueError, match="lw.safetensors is of another fit than bundle.json"):
        Bundle.load(saved, toy_bundle.space)


@pytest.mark.parametrize("file", ["bundle.json", "lw.safetensors", "classifier.safetensors"])
def test_a_missing_or_damaged_file_is_refused(saved, toy_bundle, file):
    (saved / file).write_bytes(b"no longer what it was")
    with pytest.raises(ValueError, match="Fit the editors again: python -m demo.fit_editors toy"):
        Bundle.load(saved, toy_bundle.space)
    (saved / file).unlink()
    with pytest.raises(ValueError, match="Fit the editors again"):
        Bundle.load(saved, toy_bundle.space)


def test_an_unknown_method_is_refused(saved, toy_bundle):
    path = saved / "bundle.json"
    about = json.loads(path.read_text())
    about["hashes"]["magic"] = about["hashes"].pop("lw")
    path.write_text(json.dumps(about))
    (saved / "lw.safetensors").rename(saved / "magic.safetensors")
    with pytest.raises(ValueError, match="do not belong"):
        Bundle.load(saved, toy_bundle.space)


def test_the_unit_of_a_translation_is_the_median_distance_to_the_threshold():
    domain = ToyDomain()
    w = domain.latents("train").pair("disc").source[:1001]
    direction = torch.linalg.inv(mixing())[:, 0].reshape(2, 6)  # moves f_0 by one, nothing else
    editor = Centroids("disc", domain.space, AffineMap(None, direction))

    def verdict(codes, attribute):
        return domain.factors(codes)[:, 0] > THRESHOLDS[0]

    unit, reached = unit_of(editor, w, verdict, wanted=True)
    truth = (THRESHOLDS[0] - domain.factors(w)[:, 0]).median().item()
    assert reached
    assert truth <= unit <= 1.12 * truth + 0.01


def test_the_unit_of_an_edit_that_never_succeeds_is_the_map_as_fitted():
    domain = ToyDomain()
    w = domain.latents("train").pair("disc").source[:20]
    still = Centroids("disc", domain.space, AffineMap.zero("translation", 2, 6))
    unit = unit_of(still, w, lambda codes, _: torch.zeros(len(codes)) > 1, wanted=True)
    assert unit == (1.0, False)


class OneNumber:
    """Codes are images: the first entry counts digits of class 0, and by halves nobody is sure."""

    def generate(self, w):
        return w

    def score(self, x):
        value = x[:, 0, 0]
        count = value.floor().long()
        sure = torch.where(value - count < 0.5, 1.0, 0.5)
        return DigitScores(count, torch.eye(10).long()[:1] * count[:, None], sure, sure)


@pytest.mark.parametrize(("start", "wanted", "adding"), [(1.1, 2, True), (3.1, 2, False)])
def test_the_best_strength_is_the_least_with_most_accepted_edits(start, wanted, adding):
    """From 1.1 digits at a half a unit of alpha: sure of two from alpha 2 to 2.5."""
    space = ToyDomain().space
    direction = torch.zeros(space.layers, space.dim)
    direction[0, 0] = 0.5
    editor = Centroids("disc", space, AffineMap(None, direction))
    w = torch.full((4, space.layers, space.dim), start)
    best = best_strength(OneNumber(), editor, w, wanted, adding=adding)
    truth = [a for a in torch.linspace(0.25, 5, 20).tolist()
             if 0 <= (start + (0.5 if adding else -0.5) * a) - wanted < 0.5]
    assert best == (truth[0], True)
    assert best_strength(OneNumber(), editor, w, 9, adding=adding) == (1.0, False)


def test_shipped_neural_editors_join_a_bundle_and_what_is_damaged_or_missing_does_not(
    toy_bundle, tmp_path
):
    space = toy_bundle.space
    net = Transport(space.layers, space.dim, False, NeuralConfig(width=32, potential_width=32))
    rng = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(net.map.end.weight, generator=rng)
    whole, damaged, *missing = toy_bundle.editors["lw"]
    made = LatentWassersteinNeural(whole, space, {"add": net}, torch.randn(1, 8, generator=rng))
    for name in (whole, damaged):
        made.save(tmp_path / f"lw_neural_{name}_0")
    (tmp_path / f"lw_neural_{damaged}_0" / "weights.safetensors").write_bytes(b"damaged")
    bundle = with_neural(toy_bundle, tmp_path)
    assert list(bundle.editors["lw_neural"]) == [whole]
    assert missing
    w = torch.randn(3, space.layers, space.dim, generator=rng)
    edited = bundle.editors["lw_neural"][whole].edit(w, bundle.units["lw_neural"][whole].alpha(1))
    torch.testing.assert_close(edited, made.edit(w, 1.0), atol=2e-2, rtol=1e-2)
    assert "lw_neural" not in toy_bundle.editors


def test_a_strength_becomes_alpha_in_the_unit_of_its_direction():
    unit = Unit(add=2.0, remove=0.5, reached=(True, True))
    assert [unit.alpha(s) for s in (1.5, 0.0, -1.5)] == [3.0, 0.0, -0.75]


def test_an_unknown_domain_is_a_usage_error(capsys):
    with pytest.raises(SystemExit):
        main(["cats"])
    assert "must be digits, faces or ffhq, got 'cats'" in capsys.readouterr().err
