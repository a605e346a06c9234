"""Truths of lwedit.inversion.psp: published names and sizes, the function they mean."""

import pytest
import torch
from safetensors.torch import save_file

from lwedit.inversion.psp import PspConfig, PspEncoder, from_published, load_psp, psp_metadata
from tests.inversion.published_psp import encoded

TINY = PspConfig(layers=8, dim=64, size=32, widths=(16, 32, 48, 64), blocks=(1, 2, 2, 1))


@pytest.fixture(scope="module")
def state():
    """Weights by their published names, batch norms as after training."""
    rng = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    state = PspEncoder(TINY).state_dict()
    del state["latent_avg"]
    for name, value in state.items():
        if name.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=rng))
        elif value.ndim == 1:  # biases, means, scales of the norms, slopes of PReLU
            value.copy_(0.5 * torch.randn(value.shape, generator=rng))
    return state


def images(n=2, side=32):
    rng = torch.Generator().manual_seed(1)
    return 2 * torch.rand(n, 3, side, side, generator=rng, dtype=torch.float64) - 1


def test_codes_are_those_of_the_published_function(state):
    mean = torch.randn(8, 64, generator=torch.Generator().manual_seed(2))
    encoder = from_published(state, mean, {}).double()
    expected = encoded(state, images(), TINY.blocks, TINY.layers) + mean.double()
    torch.testing.assert_close(encoder(images()), expected, rtol=1e-10, atol=1e-10)
    assert encoder.config == TINY


def test_e4e_adds_the_first_code_to_all_others(state):
    options = {"encoder_type": "Encoder4Editing", "start_from_latent_avg": True}
    encoder = from_published(state, torch.ones(64), options).double()
    parts = encoded(state, images(), TINY.blocks, TINY.layers)
    expected = parts + 1
    expected[:, 1:] += parts[:, :1]
    torch.testing.assert_close(encoder(images()), expected, rtol=1e-10, atol=1e-10)


def test_without_a_start_the_prediction_is_the_code(state):
    encoder = from_published(state, None, {"start_from_latent_avg": False}).double()
    expected = encoded(state, images(), TINY.blocks, TINY.layers)
    torch.testing.assert_close(encoder(images()), expected, rtol=1e-10, atol=1e-10)


def test_the_published_layout_name_by_name():
    with torch.device("meta"):
        named = PspEncoder(PspConfig()).named_parameters()
        shapes = {name: tuple(value.shape) for name, value in named}
    units = [(64, 64)] * 3 + [(64, 128)] + [(128, 128)] * 3 + [(128, 256)] + [(256, 256)] * 13
    units += [(256, 512)] + [(512, 512)] * 2
    expected = {"input_layer.0.weight": (64, 3, 3, 3), "input_layer.1.weight": (64,),
                "input_layer.1.bias": (64,), "input_layer.2.weight": (64,),
                "latlayer1.weight": (512, 256, 1, 1), "latlayer1.bias": (512,),
                "latlayer2.weight": (512, 128, 1, 1), "latlayer2.bias": (512,)}
    for i, (a, b) in enumerate(units):
        parts = {"0.weight": (a,), "0.bias": (a,), "1.weight": (b, a, 3, 3), "2.weight": (b,),
                 "3.weight": (b, b, 3, 3), "4.weight": (b,), "4.bias": (b,),
                 "5.fc1.weight": (b // 16, b, 1, 1), "5.fc2.weight": (b, b // 16, 1, 1)}
        expected |= {f"body.{i}.res_layer.{name}": shape for name, shape in parts.items()}
        if a != b:
            short = {"0.weight": (b, a, 1, 1), "1.weight": (b,), "1.bias": (b,)}
            expected |= {f"body.{i}.shortcut_layer.{name}": shape for name, shape in short.items()}
    for i in range(18):
        for k in range(4 if i < 3 else 5 if i < 7 else 6):
            expected[f"styles.{i}.convs.{2 * k}.weight"] = (512, 512, 3, 3)
            expected[f"styles.{i}.convs.{2 * k}.bias"] = (512,)
        expected[f"styles.{i}.linear.weight"] = (512, 512)
        expected[f"styles.{i}.linear.bias"] = (512,)
    assert shapes == expected


def test_encoder_and_generator_are_as_large_as_the_published_file():
    # psp_ffhq_encode.pt has 1,201,515,631 bytes; names and padding are what is beyond the numbers.
    with torch.device("meta"):
        encoder = PspEncoder(PspConfig()).state_dict()  # latent_avg among them
    numbers = sum(value.numel() * value.element_size() for value in encoder.values())
    noise = 16 + 2 * sum(4**i for i in range(3, 11))
    numbers += 4 * (30_370_060 + noise + 16 * 16)
    assert 0 < 1_201_515_631 - numbers < 300_000


def test_larger_images_are_made_smaller_first(state):
    encoder = from_published(state, torch.zeros(64), {})
    flat = torch.full((1, 3, 128, 128), 0.3)
    torch.testing.assert_close(encoder.encode(flat), encoder.encode(flat[:, :, :32, :32]))
    with pytest.raises(ValueError, match=r"x must be square, got \(32, 16\)"):
        encoder.encode(flat[:, :, :32, :16])
    with pytest.raises(ValueError, match="must be in evaluation mode"):
        PspEncoder(TINY).encode(flat)


def test_a_file_alone_gives_the_encoder_back(state, tmp_path):
    encoder = from_published(state, torch.arange(64.0), {"encoder_type": "Encoder4Editing"})
    path = tmp_path / "encoder.safetensors"
    save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, path,
              psp_metadata(encoder.config))
    loaded = load_psp(path)
    assert loaded.config == encoder.config
    x = images().float()
    assert torch.equal(loaded.encode(x), encoder.encode(x))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="encoder.safetensors must be a pSp encoder's .saf"):
        load_psp(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(ValueError, match=r"must be a pSp encoder's .safetensors file: 'psp'"):
        load_psp(path)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda s: s.pop("body.0.res_layer.1.weight"), {}, "IR-SE-50: 0 stages and 8 codes"),
        (lambda s: s.pop("styles.0.linear.weight"), {}, "IR-SE-50: 'styles.0.linear.weight'"),
        (lambda s: s.pop("latlayer1.bias"), {}, r"a pSp encoder: Missing key.*latlayer1.bias"),
        (lambda s: s.update(extra=torch.ones(1)), {}, r"a pSp encoder: Unexpected key.*extra"),
        (lambda s: None, {"encoder_type": "BackboneEncoderUsingLastLayerIntoW"},
         "encoder_type must be one of GradualStyleEncoder, Encoder4Editing, got 'Backbone"),
    ],
)
def test_another_architecture_is_refused_in_one_line(state, change, options, message):
    other = dict(state)
    change(other)
    with pytest.raises(ValueError, match=message) as error:
        from_published(other, torch.zeros(64), options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update({"input_layer.0.weight": torch.ones(16, 6, 3, 3)}),
         "it is ReStyle's, which reads a photo beside its reconstruction"),
        (lambda s: s.update({"conv1.weight": torch.ones(16, 6, 7, 7)} | {
            "input_layer.0.weight": s["input_layer.0.weight"]}), "it is on a ResNet"),
        (lambda s: s.update({"linear.weight": torch.ones(64, 64)}), "it is HyperStyle's WEncoder"),
        (lambda s: [s.pop(f"latlayer{i}.{p}") for i in (1, 2) for p in ("weight", "bias")],
         "it is without a feature pyramid, as ReStyle's"),
    ],
)
def test_encoders_of_the_family_that_are_not_supported_are_named(state, change, message):
    other = dict(state)
    change(other)
    with pytest.raises(ValueError, match=f"must be pSp's or e4e's, {message}.*, which is not supp"):
        from_published(other, torch.zeros(64), {})


def test_a_missing_mean_and_strange_sizes_are_refused(state, unchecked):
    with pytest.raises(ValueError, match="latent_avg must be the mean code"):
        from_published(state, None, {})
    with pytest.raises(ValueError, match=r"widths must end with dim = 512, got \(8, 8, 8, 8\)"):
        PspConfig(widths=(8, 8, 8, 8))
    with pytest.raises(ValueError, match="size must be a power of two from 32 on, got 48"):
        PspConfig(size=48)
    with pytest.raises(ValueError, match="kind must be 'psp' or 'e4e', got 'restyle'"):
        PspConfig(kind="restyle")
