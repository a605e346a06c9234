"""Truths that benchmark.bars must meet: verdicts by hand, and the shipped table is today's."""

import json

from benchmark.bars import Bar, bars, to_markdown


def test_a_bar_is_met_from_its_least_value_on_and_missed_where_nothing_was_measured():
    text = to_markdown([Bar("a", 0.5, 0.5), Bar("b", 0.5, 0.4999), Bar("c", 0.5, None)])
    lines = text.splitlines()[2:]
    assert lines == [
        "| a | 0.5 | 0.5 | met |", "| b | 0.5 | 0.4999 | missed |",
        "| c | 0.5 | not measured | missed |",
    ]


def test_the_worst_seed_counts(tmp_path):
    folder = tmp_path / "results" / "digits"
    folder.mkdir(parents=True)
    rows = ["method,task,strategy,seed,actual,accepted,clean,fooled",
            "lw,1→2,one for all,0,0.99,,,", "lw,1→2,one for all,1,0.91,,,",
            "lw,1→2,per image,1,0.1,,,", "lt,1→2,one for all,1,0.2,,,",
            "lw_neural,1→2,as fitted,0,1,0.75,0.9375,0.0", "lw_neural,1→2,as fitted,1,1,0.5,1,0.25",
            "lw_neural,1→2,chosen,1,1,0.1,0.1,0.9", "lw_neural,3→2,as fitted,0,1,,0.875,0"]
    (folder / "results.csv").write_text("\n".join(rows) + "\n")
    found = {bar.what: bar for bar in bars(tmp_path)}
    paper = "actual change {}, the paper's reading, one alpha for all, worst seed"
    assert found["LW, affine, " + paper.format("1→2")] == (
        "LW, affine, " + paper.format("1→2"), 0.95, 0.91)
    assert found["LW, affine, " + paper.format("2→3")].measured is None
    neural = "LW neural, α = 1, 1→2, {}, worst seed"
    assert found[neural.format("accepted")][1:] == (0.75, 0.5)
    assert found[neural.format("exactly n+1 and all kept")][1:] == (0.93, 0.9375)
    assert found[neural.format("judges not fooled (1 − fooled)")][1:] == (0.98, 0.75)
    removing = "LW neural, α = −1, 3→2, exactly n and no other digit changed, worst seed"
    assert found[removing][1:] == (0.8, 0.875)
    assert sum("LW neural" in what for what in found) == 15


def test_a_gain_on_faces_is_met_where_its_whole_interval_is(tmp_path):
    folder = tmp_path / "results" / "faces"
    folder.mkdir(parents=True)
    rows = ["method,attribute,seed,level,preservation_gain_low,identity_gain_low,"
            "preservation_like_low,identity_like_low",
            "lt,all,all,90,0.001,-0.002,,", "lt,all,all,70,0.5,0.5,,", "lt,bangs,all,90,0.5,0.5,,",
            "lt_star,all,all,90,-0.5,-0.5,0.25,0.125"]
    (folder / "results.csv").write_text("\n".join(rows) + "\n")
    found = {bar.what.removesuffix(", lower end of the interval"): bar.measured
             for bar in bars(tmp_path) if bar.what.startswith("faces, ")}
    assert found["faces, LW − LT at 90 % target change, other attributes kept"] == 0.001
    assert found["faces, LW − LT at 90 % target change, identity"] == -0.002
    assert found["faces, LW(*) − LT(*) at 90 % target change, other attributes kept"] == 0.25
    assert found["faces, LW − Gaussian OT at 90 % target change, identity"] is None
    assert len(found) == 8


def test_speed_is_against_the_grouped_float32_of_the_same_batch(tmp_path):
    folder = tmp_path / "results" / "speed"
    folder.mkdir(parents=True)
    timings = [
        {"batch": 1, "precision": "float32", "scaled": 2.0, "grouped": 1.0},
        {"batch": 1, "precision": "bfloat16", "scaled": 5.0, "grouped": 4.0},
        {"batch": 4, "precision": "float32", "scaled": 3.0, "grouped": 2.0},
        {"batch": 4, "precision": "bfloat16", "scaled": 6.0, "grouped": 5.0},
    ]
    (folder / "speed.json").write_text(json.dumps({"timings": timings}))
    found = [bar.measured for bar in bars(tmp_path) if "1024" in bar.what]
    assert found == [2.0, 5.0]
