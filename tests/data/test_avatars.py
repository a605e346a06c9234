"""Truths that lwedit.data.avatars must meet: the SVG renderer's pictures, geometry of the masks."""

import itertools

import numpy as np
import pytest
from PIL import Image

from lwedit.data import avatars
from lwedit.data.avatars import (
    ATTRIBUTES,
    FACTORS,
    FOLDER,
    REGIONS,
    attributes_of,
    compose,
    draw_factors,
    make_avatars,
    masks_of,
)

N = 200
CHIN = 48  # row of a 64-px portrait


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def portraits():
    return make_avatars(N, rng())


@pytest.fixture(scope="module")
def masks(portraits):
    return masks_of(portraits.factors)


def has(portraits, name):
    return portraits.attributes[:, ATTRIBUTES.index(name)]


def shows(masks, *regions, rows=slice(None)):
    """Which masks hold a pixel of a region."""
    classes = [REGIONS.index(region) for region in regions]
    return np.isin(masks[:, rows], classes).any(axis=(1, 2))


def spread(mask):
    """Pixels of a mask and their eight neighbours."""
    padded = np.pad(mask, 1)
    size = mask.shape[0]
    shifted = [padded[i : i + size, j : j + size] for i, j in itertools.product(range(3), range(3))]
    return np.any(shifted, axis=0)


# --- images ----------------------------------------------------------------------------------


def test_portraits_equal_the_svg_renderer(portraits):
    sheet = np.asarray(Image.open(FOLDER / "references.png"))
    drawn = sheet.reshape(10, 64, 20, 64, 3).transpose(0, 2, 4, 1, 3).reshape(N, 3, 64, 64)
    assert np.abs(portraits.images.astype(int) - drawn).max() <= 3


def test_the_same_seed_draws_the_same_portraits_and_another_others():
    first, again, other = (make_avatars(8, rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.attributes, again.attributes)
    assert (first.images != other.images).any(axis=(1, 2, 3)).all()


def test_small_portraits_are_averages_of_large_ones(portraits):
    large = compose(portraits.factors[:8], size=128).reshape(8, 3, 64, 2, 64, 2)
    assert np.abs(large.mean(axis=(3, 5)) - portraits.images[:8]).max() <= 1


def test_a_size_without_sprites_is_refused():
    with pytest.raises(ValueError, match="size must be 64 or 128, got 32"):
        compose(draw_factors(1, rng()), size=32)


def test_a_changed_file_of_sprites_is_refused(tmp_path, monkeypatch):
    (tmp_path / "sprites.json").write_text((FOLDER / "sprites.json").read_text())
    (tmp_path / "sprites.npz").write_bytes((FOLDER / "sprites.npz").read_bytes()[:-1])
    monkeypatch.setattr(avatars, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="SHA-256"):
        avatars._sprites.__wrapped__()


# --- choices and attributes ------------------------------------------------------------------


def test_choices_have_the_shares_that_the_table_says():
    factors = draw_factors(50_000, rng(1))
    for column, (name, choices) in zip(factors.T, FACTORS.items(), strict=True):
        shares = np.array([choice.share for choice in choices])
        assert shares.sum() == pytest.approx(1)
        if name != "eyes":  # plain behind dark lenses
            drawn = np.bincount(column, minlength=len(choices)) / len(column)
            np.testing.assert_allclose(drawn, shares, atol=0.01)


def test_no_attribute_is_rare_or_misspelt():
    every = [choice for choices in FACTORS.values() for choice in choices]
    named = {name for choice in every for name in choice.attributes}
    assert named == set(ATTRIBUTES)
    share = attributes_of(draw_factors(20_000, rng(2))).mean(axis=0)
    assert share.min() > 0.1
    assert share.max() < 0.55


def test_a_hat_is_where_its_region_is(portraits, masks):
    np.testing.assert_array_equal(has(portraits, "headwear"), shows(masks, "headwear"))


def test_long_hair_reaches_below_the_chin(portraits, masks):
    top = [FACTORS["top"][i].name for i in portraits.factors[:, 0]]
    other = np.array([name != "fro" for name in top])  # round, so wide that it comes as low
    low = shows(masks, "hair", rows=slice(CHIN, None))
    np.testing.assert_array_equal(has(portraits, "long_hair")[other], low[other])


def test_glasses_and_facial_hair_are_where_their_regions_are(portraits, masks):
    glasses = has(portraits, "eyeglasses") | has(portraits, "sunglasses")
    np.testing.assert_array_equal(glasses, shows(masks, "glasses"))
    facial = has(portraits, "beard") | has(portraits, "moustache")
    np.testing.assert_array_equal(facial, shows(masks, "facial_hair"))
    np.testing.assert_array_equal(  # a moustache ends above the chin
        has(portraits, "beard"), shows(masks, "facial_hair", rows=slice(43, None))
    )


def test_dark_lenses_hide_the_eyes_and_clear_ones_do_not(portraits, masks):
    np.testing.assert_array_equal(has(portraits, "sunglasses"), ~shows(masks, "eyes"))


def test_only_the_bald_have_nothing_on_the_crown(portraits, masks):
    covered = shows(masks, "hair", "headwear", rows=slice(12))
    np.testing.assert_array_equal(has(portraits, "bald"), ~covered)


def test_hair_that_is_not_seen_has_no_colour(portraits, masks):
    colours = [has(portraits, f"{colour}_hair") for colour in ("dark", "light", "red", "grey")]
    coloured = np.any(colours, axis=0)
    np.testing.assert_array_equal(coloured, shows(masks, "hair", "facial_hair"))


def test_skin_colours_are_ordered(portraits, masks):
    skin = masks == REGIONS.index("skin")
    light = (portraits.images.mean(axis=1) * skin).sum(axis=(1, 2)) / skin.sum(axis=(1, 2))
    pale, dark = has(portraits, "pale_skin"), has(portraits, "dark_skin")
    assert light[pale].min() > light[~pale & ~dark].max()
    assert light[~pale & ~dark].min() > light[dark].max()


@pytest.mark.parametrize(
    ("factor", "names"),
    [("eyebrows", ["raised_brows", "angry_brows"]), ("eyes", ["eyes_closed", "surprised"]),
     ("mouth", ["smiling", "frowning", "mouth_open"])],
)
def test_every_part_of_the_face_is_seen_whatever_else_is_worn(factor, names):
    """Two portraits that differ in an attribute alone are 80 or more apart, of 255 a value."""
    column, choices = list(FACTORS).index(factor), len(FACTORS[factor])
    lenses = list(FACTORS).index("accessories")
    for row in draw_factors(12, rng(4)):
        row[lenses] %= 4  # no dark ones
        factors = np.repeat(row[None], choices, axis=0)
        factors[:, column] = np.arange(choices)
        x, y = compose(factors).reshape(choices, -1).astype(float), attributes_of(factors)
        apart = np.sqrt(np.square(x[:, None] - x[None]).sum(axis=2))
        for name in names:
            has_it = y[:, ATTRIBUTES.index(name)]
            assert apart[has_it][:, ~has_it].min() > 80


# --- masks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "region"),
    [("mouth", "mouth"), ("eyes", "eyes"), ("eyebrows", "brows"), ("clothes", "clothes"),
     ("facialHair", "facial_hair")],
)
def test_another_part_changes_nothing_outside_its_masks(factor, region):
    """Up to the neighbours, where a part covers less than half of a pixel."""
    before = draw_factors(12, rng(3))
    for name in ("top", "accessories"):  # lenses and antialiased edges let through what is behind
        before[:, list(FACTORS).index(name)] = 0
    column = list(FACTORS).index(factor)
    after = before.copy()
    after[:, column] = (before[:, column] + 1) % len(FACTORS[factor])
    first, second = (compose(factors, size=128).astype(int) for factors in (before, after))
    changed = np.abs(first - second).max(axis=1) > 40
    assert changed.any(axis=(1, 2)).mean() > 0.5
    here = REGIONS.index(region)
    masks = (masks_of(factors, size=128) == here for factors in (before, after))
    for moved, a, b in zip(changed, *masks, strict=True):
        assert not (moved & ~spread(a | b)).any()


def test_large_masks_agree_with_small_ones(portraits, masks):
    large = masks_of(portraits.factors[:8], size=128)
    inner = np.stack([large[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    whole = (inner == inner[0]).all(axis=0)  # four pixels of one region
    assert whole.mean() > 0.8
    np.testing.assert_array_equal(masks[:8][whole], inner[0][whole])
