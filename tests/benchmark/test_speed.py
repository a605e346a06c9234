"""Truths that benchmark/speed.py must meet: equal images, known differences, what it writes."""

import json
import math

import pytest
import torch

from benchmark import speed
from lwedit.generators import GeneratorConfig
from lwedit.generators.modulation import modulated_convolution

SMALL = GeneratorConfig(size=64, image_channels=3, dim=16, channels=(32, 32, 16, 16, 8))


def codes(n, config=SMALL):
    rng = torch.Generator().manual_seed(1)
    return torch.randn(n, config.layers, config.dim, generator=rng)


def test_both_formulations_draw_equal_images():
    synthesis = speed.make_synthesis(SMALL)
    scaled, grouped = (speed.draw(synthesis, codes(2), name) for name in speed.FORMULATIONS)
    assert (scaled - grouped).abs().max() < 1e-4 * scaled.abs().max()
    assert not torch.equal(scaled, grouped)  # two formulations, not one run twice
    agreement = speed.compare_images(synthesis, codes(2))
    assert agreement.max_difference < 1e-4
    assert 30 < agreement.psnr_bf16 < 90


def test_a_known_difference_is_reported(monkeypatch):
    """Grouped images 0.25 off and bfloat16 images 0.02 off, in the unit range."""

    def draw(synthesis, w, formulation, *, bf16=False):
        image = torch.linspace(-8, 8, 100).reshape(1, 1, 10, 10)  # fills [-8, 8]
        return image + 8 * (0.25 * (formulation == "grouped") + 0.02 * bf16)

    monkeypatch.setattr(speed, "draw", draw)
    agreement = speed.compare_images(None, codes(1))
    assert agreement.max_difference == pytest.approx(0.25, rel=1e-5)
    assert agreement.psnr_bf16 == pytest.approx(20 * math.log10(2 / 0.02), rel=1e-5)  # 40 dB


def test_speed_is_images_over_median_seconds(monkeypatch):
    # Start and end of each drawing, scaled and grouped in turn; no end is read in the warm-up.
    float32_rounds = [0, 0, 0, 2, 0, 4, 0, 2, 0, 8, 0, 1, 0, 4]
    bfloat16_rounds = [0, 0, *[0, 1, 0, 1] * 3]
    readings = iter(float32_rounds + bfloat16_rounds)
    monkeypatch.setattr(speed, "draw", lambda *args, **settings: None)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(readings))
    float32, bfloat16 = speed.time_batch(None, codes(4), repeats=3)
    assert (float32.scaled, float32.grouped, float32.ratio) == (2.0, 1.0, 2.0)
    assert (bfloat16.scaled, bfloat16.grouped, bfloat16.ratio) == (4.0, 4.0, 1.0)


def test_the_machine_is_read_from_cpuinfo(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx512_bf16 avx\n\n")
    machine = speed.describe_machine(cpuinfo)
    assert machine["cpu"] == "Some CPU @ 2 GHz"
    assert machine["bf16_instructions"] == ["avx512_bf16"]
    assert machine["threads"] == torch.get_num_threads()


def test_the_report_is_written_as_json_and_markdown(tmp_path):
    report = speed.measure(GeneratorConfig(8, 3, dim=4, channels=(4, 4)), [1, 2], repeats=1)
    speed.write_report(report, tmp_path / "speed")
    assert {path.name for path in (tmp_path / "speed").iterdir()} == {"speed.json", "speed.md"}
    read = json.loads((tmp_path / "speed" / "speed.json").read_text())
    rows = [(row["batch"], row["precision"]) for row in read["timings"]]
    assert rows == [(1, "float32"), (1, "bfloat16"), (2, "float32"), (2, "bfloat16")]
    table = (tmp_path / "speed" / "speed.md").read_text()
    for row in read["timings"]:
        assert f"| {row['batch']} | {row['precision']} | {row['scaled']:.3f} |" in table


def test_the_default_formulation_is_the_scaled_one():
    synthesis = speed.make_synthesis(GeneratorConfig(4, 3, dim=4, channels=(4,)))
    assert synthesis.blocks["b4"].conv1.convolution is modulated_convolution
