"""Truths that lwedit.generators.stylegan2 must meet.

The grouped formulation of the paper, zero-insertion and FIR filters by SciPy, unit variance,
the published numbers of parameters, and which layer can change what.
"""

import copy

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.modulation import (
    _blur,
    modulated_convolution,
    modulated_convolution_grouped,
    upsample,
)
from lwedit.generators.stylegan2 import Mapping, ModulatedLayer, ToImage

TINY = GeneratorConfig(size=16, image_channels=3, dim=6, mapping_layers=2, channels=(8, 6, 4))
FIR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64  # sum 1


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


@pytest.fixture(autouse=True)
def _weights_from_one_seed():
    torch.manual_seed(0)


def make_generator(config=TINY):
    """A generator in float64 in which no parameter is zero, so that each can be seen."""
    generator = Generator(config).double()
    with torch.no_grad():
        for i, parameter in enumerate(generator.parameters()):
            parameter.add_(0.3 * normal(*parameter.shape, seed=i))
        generator.mapping.w_mean.copy_(normal(config.dim, seed=99))
    return generator.eval().requires_grad_(False)


def insert_zeros(image):
    wide = np.zeros((2 * image.shape[0], 2 * image.shape[1]))
    wide[::2, ::2] = image
    return wide


# --- the modulated convolution ---------------------------------------------------------------


@pytest.mark.parametrize("gain", [1.0, 1.7])
@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize(("k", "up"), [(3, False), (3, True), (1, False)])
def test_scaled_and_grouped_formulations_are_one_function(k, up, demodulate, gain):
    inputs = [normal(3, 4, 5, 7), normal(6, 4, k, k, seed=1), normal(3, 4, seed=2)]
    results = []
    for convolution in (modulated_convolution, modulated_convolution_grouped):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        y = convolution(*leaves, demodulate=demodulate, up=up, gain=gain)
        slope = torch.autograd.grad((y * normal(*y.shape, seed=3)).sum(), leaves)
        results.append([y, *slope])
    for scaled, grouped in zip(*results, strict=True):
        torch.testing.assert_close(scaled, grouped)


def test_gradient_matches_finite_differences():
    leaves = [normal(2, 2, 3, 3), normal(2, 2, 3, 3, seed=1), normal(2, 2, seed=2)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(lambda *a: modulated_convolution(*a, up=True), leaves)


@pytest.mark.parametrize("convolution", [modulated_convolution, modulated_convolution_grouped])
def test_upsampling_is_zero_insertion_then_kernel_then_filter(convolution):
    x, weight = normal(1, 1, 5, 6), normal(1, 1, 3, 3, seed=1)
    y = convolution(x, weight, torch.full((1, 1), 0.7).double(), demodulate=False, up=True)
    wide = insert_zeros(x[0, 0].numpy())[:-1, :-1]
    wide = convolve2d(wide, 0.7 * weight[0, 0].numpy(), "full")  # 2h + 1
    expected = convolve2d(np.pad(wide, 1), 4 * FIR, "valid")
    np.testing.assert_allclose(y[0, 0].numpy(), expected, atol=1e-12)


def test_demodulated_output_of_unit_input_has_unit_variance():
    x, weight, style = normal(2, 16, 200, 200), normal(8, 16, 3, 3, seed=1), normal(2, 16, seed=2)
    variance = modulated_convolution(x, weight, style)[:, :, 1:-1, 1:-1].var(dim=(2, 3))
    torch.testing.assert_close(variance, torch.ones_like(variance), rtol=0.06, atol=0)


def test_demodulated_impulse_responses_have_unit_energy():
    weight, style = normal(6, 4, 3, 3, seed=1), normal(1, 4, seed=2)
    impulses = torch.zeros(4, 4, 5, 5).double()  # image i has one lit pixel, in channel i
    impulses[range(4), range(4), 2, 2] = 1
    y = modulated_convolution(impulses, weight, style.expand(4, 4))
    torch.testing.assert_close(y.square().sum(dim=(0, 2, 3)), torch.ones(6).double())


def test_demodulation_forgets_the_size_of_the_style():
    x, weight, style = normal(2, 4, 5, 5), normal(3, 4, 3, 3, seed=1), normal(2, 4, seed=2)
    small, large = (modulated_convolution(x, weight, s * style) for s in (1.0, 1000.0))
    torch.testing.assert_close(small, large, rtol=1e-6, atol=1e-8)


# --- filters ---------------------------------------------------------------------------------


def test_blur_is_the_fir_filter():
    x = normal(1, 2, 7, 9)
    expected = np.stack([convolve2d(np.pad(c, 1), 4 * FIR, "valid") for c in x[0].numpy()])
    np.testing.assert_allclose(_blur(x, gain=4.0)[0].numpy(), expected, atol=1e-12)


def test_upsample_is_zero_insertion_then_the_fir_filter():
    x = normal(1, 2, 4, 5)
    expected = [
        convolve2d(np.pad(insert_zeros(c), (2, 1)), 4 * FIR, "valid") for c in x[0].numpy()
    ]
    np.testing.assert_allclose(upsample(x)[0].numpy(), np.stack(expected), atol=1e-12)


def test_upsample_keeps_a_constant_inside():
    image = upsample(torch.full((1, 1, 6, 6), 0.7))
    torch.testing.assert_close(image[..., 1:-1, 1:-1], torch.full((1, 1, 10, 10), 0.7))


# --- layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("up", [False, True])
def test_layer_is_convolution_noise_bias_leaky_relu_times_root_two(up):
    layer = ModulatedLayer(4, 6, dim=5, size=8, up=up).double()
    torch.nn.init.constant_(layer.noise_strength, 0.4)
    torch.nn.init.normal_(layer.bias, generator=rng())
    w, x = normal(3, 5), normal(3, 4, *((4, 4) if up else (8, 8)), seed=1)
    style = w @ layer.affine.weight.t() / 5**0.5 + layer.affine.bias
    y = modulated_convolution_grouped(x, layer.weight / 6, style, up=up)  # 6 = sqrt(9 * 4)
    y = y + 0.4 * layer.noise + layer.bias[:, None, None]
    expected = torch.where(y > 0, y, 0.2 * y) * 2**0.5
    torch.testing.assert_close(layer(x, w, fresh_noise=False), expected)


def test_to_image_weighs_channels_by_the_style():
    layer = ToImage(4, 3, dim=5).double()
    torch.nn.init.normal_(layer.bias, generator=rng())
    w, x = normal(2, 5), normal(2, 4, 6, 6, seed=1)
    style = w @ layer.affine.weight.t() / 5**0.5 + layer.affine.bias
    weight = layer.weight[:, :, 0, 0] / 2  # 2 = sqrt(4)
    expected = torch.einsum("oc,nc,nchw->nohw", weight, style, x) + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x, w), expected)


def test_mapping_is_blind_to_the_length_of_z():
    mapping = make_generator().mapping
    z = normal(3, TINY.dim)
    torch.testing.assert_close(mapping(z), mapping(50 * z), rtol=1e-6, atol=1e-7)


def test_running_mean_moves_by_its_share():
    mapping = make_generator().mapping
    before, w = mapping.w_mean.clone(), normal(10, TINY.dim, seed=5)
    mapping.track_mean(w, decay=0.9)
    torch.testing.assert_close(mapping.w_mean, 0.9 * before + 0.1 * w.mean(dim=0))


# --- the generator ---------------------------------------------------------------------------


def test_truncation_interpolates_between_the_mean_and_the_code():
    generator = make_generator()
    z = normal(2, TINY.dim)
    zero, half, full = (generator.codes(z, truncation=t) for t in (0.0, 0.5, 1.0))
    mean = generator.w_mean.expand_as(zero)
    torch.testing.assert_close(zero, mean)
    torch.testing.assert_close(half, (mean + full) / 2)
    torch.testing.assert_close(full, generator.mapping(z)[:, None].expand_as(full))


@pytest.mark.parametrize("layer", range(TINY.layers))
def test_a_code_changes_its_layer_and_what_follows(layer):
    generator = make_generator()
    seen = {}

    def watch(name):
        return lambda module, inputs, output: seen.__setitem__(name, output.clone())

    # Convolution i takes code i; the picture of block b takes code 2b + 1.
    reads = {}
    for b, block in enumerate(generator.synthesis.blocks.values()):
        reads |= {f"conv {2 * b}": 2 * b, f"image {b}": 2 * b + 1}
        block.conv1.register_forward_hook(watch(f"conv {2 * b}"))
        block.to_image.register_forward_hook(watch(f"image {b}"))
        if block.conv0 is not None:
            reads[f"conv {2 * b - 1}"] = 2 * b - 1
            block.conv0.register_forward_hook(watch(f"conv {2 * b - 1}"))
    w = normal(1, TINY.layers, TINY.dim)
    image, before = generator(w), dict(seen)
    w[:, layer] += 1
    assert (generator(w) != image).any()
    changed = {name for name in reads if (seen[name] != before[name]).any()}
    deeper = {name for name, own in reads.items() if own >= layer}
    shared = {f"image {layer // 2}"} if layer % 2 else set()
    assert changed == deeper | shared


def test_images_of_a_batch_do_not_see_each_other():
    generator = make_generator()
    w = normal(3, TINY.layers, TINY.dim)
    torch.testing.assert_close(generator(w), torch.cat([generator(one[None]) for one in w]))


def test_images_depend_on_the_code_alone_unless_noise_is_asked_for():
    generator = make_generator()
    w = normal(1, TINY.layers, TINY.dim)
    assert torch.equal(generator(w), generator(w))
    fresh = [generator.synthesis(w, fresh_noise=True) for _ in range(2)]
    assert not torch.equal(*fresh)


def test_gradient_of_the_image_matches_finite_differences():
    generator = make_generator(GeneratorConfig(8, 1, dim=3, mapping_layers=1, channels=(4, 3)))
    w = normal(1, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(generator, w)


def test_both_formulations_draw_the_same_image():
    scaled = make_generator()
    grouped = copy.deepcopy(scaled)
    grouped.synthesis.use_convolution(modulated_convolution_grouped)
    w = normal(2, TINY.layers, TINY.dim)
    torch.testing.assert_close(scaled(w), grouped(w))
    assert scaled.synthesis.blocks["b8"].conv0.convolution is modulated_convolution
    assert grouped.synthesis.blocks["b8"].conv0.convolution is modulated_convolution_grouped


def test_bfloat16_is_close_to_float32():
    generator = make_generator().float()
    w = normal(4, TINY.layers, TINY.dim).float()
    exact = generator(w)
    with torch.autocast("cpu", torch.bfloat16):
        rough = generator(w)
    assert rough.dtype == torch.float32
    assert (rough - exact).square().mean() < 1e-3 * exact.var()  # 8 bits of mantissa: 2^-9 a step


def test_an_absorbed_shift_is_drawn_without_being_asked_for():
    generator = make_generator()
    w, shift = normal(3, 6, 6), normal(6, 6, seed=1)
    expected = generator(w + shift)
    generator.synthesis.absorb(shift)
    torch.testing.assert_close(generator(w), expected)


def test_localised_constants_live_in_one_cell_each_and_keep_their_mean_square():
    config = GeneratorConfig(size=8, dim=32, channels=(32, 8))
    synthesis = make_generator(config).synthesis
    synthesis.localise()
    for c, plane in enumerate(synthesis.const):
        i, j = divmod(c // 2, 4)
        assert plane.nonzero().tolist() == [[i, j]]
    assert synthesis.const.square().mean() == 1
    w = normal(2, 32)
    torch.testing.assert_close(synthesis.blocks["b4"].conv1.affine(w), w)  # the identity


def test_tied_cells_draw_the_same_wherever_they_are():
    synthesis = make_generator(GeneratorConfig(size=8, dim=48, channels=(48, 8))).synthesis
    synthesis.localise()
    first = synthesis.blocks["b4"].conv1
    with torch.no_grad():  # training has moved every cell its own way
        for parameter in (synthesis.const, first.weight, first.affine.weight, first.affine.bias):
            parameter += 0.1 * normal(*parameter.shape)

    def features(row, column):
        w = torch.zeros(1, 16, 3, dtype=torch.float64)
        w[0, 4 * row + column] = normal(3, seed=1)
        const = synthesis.const[None]
        return first(const, w.flatten(1), fresh_noise=False).detach()

    first.noise_strength.data.zero_()
    assert (features(1, 2)[..., 1:] - features(1, 1)[..., :-1]).abs().max() > 0.1
    synthesis.tie_cells()
    assert first.affine.bias.view(16, 3).std(dim=0).max() < 1e-12
    first.affine.bias.data.zero_()  # what stands in every cell ends at the border
    torch.testing.assert_close(features(1, 2)[..., 1:], features(1, 1)[..., :-1])
    torch.testing.assert_close(features(2, 1)[..., 1:, :], features(1, 1)[..., :-1, :])
    before = copy.deepcopy(synthesis.state_dict())
    synthesis.tie_cells()
    for name, value in synthesis.state_dict().items():
        torch.testing.assert_close(value, before[name])


@pytest.mark.parametrize(("dim", "width"), [(32, 16), (24, 24)])
def test_what_cannot_be_localised_is_named(dim, width):
    synthesis = Generator(GeneratorConfig(size=4, dim=dim, channels=(width,))).synthesis
    message = rf"channels\[0\] must equal dim, a multiple of 16, .* got {width} and {dim}"
    with pytest.raises(ValueError, match=message):
        synthesis.localise()


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 8, 64, 256, 1024])
def test_published_configuration_has_two_codes_a_resolution(size):
    assert GeneratorConfig.published(size).layers == 2 * int(np.log2(size)) - 2


def test_published_configuration_has_the_published_parameters():
    """Against the table that NVIDIA's stylegan2-ada-pytorch prints at 1024 px, config F widths.

    It was printed with two mapping layers: Total 28794124 with mapping.fc0 = 262656 each; the
    eight of configuration F add six times that.
    """
    with torch.device("meta"):
        generator = Generator(GeneratorConfig.published(1024))
    count = {
        name: sum(parameter.numel() for parameter in module.parameters())
        for name, module in generator.named_modules()
    }
    published = {
        "mapping.fc.0": 262656,
        "synthesis.blocks.b4.conv1": 2622465,
        "synthesis.blocks.b4.to_image": 264195,
        "synthesis.blocks.b64.conv0": 2622465,
        "synthesis.blocks.b128.conv0": 1442561,
        "synthesis.blocks.b128.conv1": 721409,
        "synthesis.blocks.b256.conv0": 426369,
        "synthesis.blocks.b512.conv1": 69761,
        "synthesis.blocks.b1024.conv0": 51297,
        "synthesis.blocks.b1024.conv1": 25665,
        "synthesis.blocks.b1024.to_image": 16515,
        "": 28794124 + 6 * 262656,
    }
    assert {name: count[name] for name in published} == published


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 48}, "size must be a power of two from 4 on, got 48"),
        ({"size": 2, "channels": ()}, "size must be a power of two from 4 on, got 2"),
        ({"size": 0}, "got 0"),
        ({"size": 32}, "channels must name 4 widths for 32 px, got 5"),
    ],
)
def test_impossible_sizes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GeneratorConfig(**arguments)


def test_a_wider_mapping_keeps_the_ends():
    mapping = Mapping(6, layers=3, width=10)
    assert [tuple(layer.weight.shape) for layer in mapping.fc] == [(10, 6), (10, 10), (6, 10)]
    z = normal(5, 6).float()
    torch.testing.assert_close(mapping(z), mapping(3 * z))  # only the direction of z counts
