"""Codes and labels together: sorted, repeated, rare, one-sided and unlearnable ones, by name."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

from benchmark import run
from benchmark.attributes import DOMAINS
from benchmark.presets import preset
from benchmark.runs import Key, file_part
from lwedit.domains.scorer import fit_scorer


def data(n=600, dim=12, seed=0):
    """Codes, and labels of which each is named for what is wrong with it."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((n, dim)).astype(np.float32)
    coin = rng.permutation(n) % 2
    y = {"5_o_Clock_Shadow": w[:, 0] > 0, "Wearing Lipstick": w[:, 1] + w[:, 0] > 0,
         "rare": np.argsort(np.argsort(-w[:, 2])) < 24, "rarest": np.arange(n) < 4,
         "coin": coin, "never": np.zeros(n), "always": np.ones(n)}
    return w, pd.DataFrame(y).astype(int)


def load(folder, w, y, **changes):
    np.save(folder / "w.npy", w)
    y.to_csv(folder / "y.csv", index=False)
    config = replace(preset("smoke", "codes"), codes=str(folder / "w.npy"),
                     labels=str(folder / "y.csv"), **changes)
    return DOMAINS["codes"](config)


@pytest.fixture(scope="module")
def domain(tmp_path_factory):
    w, y = data()
    order = np.argsort(y["5_o_Clock_Shadow"].to_numpy(), kind="stable")  # all negatives first
    return load(tmp_path_factory.mktemp("codes"), w[order], y.iloc[order])


@pytest.mark.slow
def test_sorted_data_is_shuffled_before_it_is_split(domain):
    assert domain.editable == ("5_o_Clock_Shadow", "Wearing Lipstick")
    for part in ("train", "heldout"):
        share = domain.latents(part).labels("5_o_Clock_Shadow").double().mean()
        assert 0.35 < float(share) < 0.65
    again = domain.latents("train").w
    assert torch.equal(again, domain.latents("train").w)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("rare", r"\d+ of (the 36 codes that validate editors|90 held-out codes) have it by .*"),
        ("rarest", r"4 of 600 codes have it by their labels, 0.7 %, and 1 % is the least"),
        ("coin", r"the scoring classifier cannot learn it from 150 codes: AUC 0\.\d\d, where 0.6"),
        ("never", "none of 600 codes have it by their labels"),
        ("always", "all of 600 codes have it by their labels"),
    ],
)
def test_what_is_left_out_is_named_with_its_numbers(domain, name, why):
    assert set(domain.left_out) == {"rare", "rarest", "coin", "never", "always"}
    assert re.fullmatch(f".*{why}.*", domain.left_out[name])
    assert domain.facts()["left_out"][name] == domain.left_out[name]


def test_another_seed_splits_otherwise(tmp_path, domain):
    w, y = data()
    other = load(tmp_path, w, y[["5_o_Clock_Shadow"]], codes_seed=1)
    assert not torch.equal(other.codes, domain.codes)
    assert other.attributes == ("5_o_Clock_Shadow",)  # one is enough


@pytest.mark.slow
def test_codes_that_stand_there_twice_count_once(tmp_path):
    w, y = data()
    twice = load(tmp_path, np.concatenate([w, w[:100]]), pd.concat([y, y[:100]]))
    assert len(twice.codes) == 600
    assert twice.notes == ("100 codes stand in the files more than once and count once",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, y: (np.concatenate([w, w[:1]]), pd.concat([y, 1 - y[:1]])),
         "labels must agree on equal codes, rows 0 and 600 hold the same code"),
        (lambda w, y: (w[:90], y[:90]), "codes must be 100 different ones at least"),
        (lambda w, y: (np.repeat(w[:50], 12, axis=0), y.loc[np.repeat(np.arange(50), 12)]),
         "codes must be 100 different ones at least, to learn and to test, got 50"),
        (lambda w, y: (np.where(np.arange(600)[:, None] == 5, 1e4, w).astype(np.float32), y),
         "the code in row 5 lies"),
        (lambda w, y: (w, y[["coin", "never"]]),
         "labels must have an attribute that can be edited, got none: 'never': none of 600 codes"),
        (lambda w, y: (w, y[:-1]), "labels must be one row a code: 600 codes, 599 rows"),
    ],
)
def test_what_cannot_be_used_at_all_is_refused(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, *change(*data()))


@pytest.mark.slow
def test_an_attribute_that_is_left_out_cannot_be_asked_for(tmp_path, capsys):
    w, y = data()
    np.save(tmp_path / "w.npy", w)
    y.to_csv(tmp_path / "y.csv", index=False)
    command = ["--codes", str(tmp_path / "w.npy"), "--labels", str(tmp_path / "y.csv"),
               "--attributes", "never", "--preset", "smoke", "--out", str(tmp_path / "run")]
    assert run.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == ("benchmark: attributes must be ones that can be edited, 'never' cannot: none "
                    "of 600 codes have it by their labels.")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_one_attribute_is_enough_and_the_rest_says_so(tmp_path, capsys):
    w, y = data()
    np.save(tmp_path / "w.npy", w.reshape(600, -1))
    y[["5_o_Clock_Shadow", "rare"]].rename(columns={"5_o_Clock_Shadow": "a/b $x|"}).to_csv(
        tmp_path / "y.csv", index=False)
    command = ["--codes", str(tmp_path / "w.npy"), "--labels", str(tmp_path / "y.csv"), "--layers",
               "3", "--preset", "smoke", "--methods", "lw", "lt", "--alphas", "2", "--no-floors",
               "--workers", "1", "--out", str(tmp_path / "run")]
    assert run.main(command) == 0
    assert "benchmark: not edited is 'rare': " in capsys.readouterr().err
    report = (tmp_path / "run" / "report.md").read_text()
    assert "Not edited is 'rare': " in report
    table = (tmp_path / "run" / "tables" / "equal_change.md").read_text()
    assert "| LW, affine (ours) | " in table
    assert " n/a | n/a | " in table
    for name in ("rescoring", "edits_preservation", "levels"):
        text = (tmp_path / "run" / "tables" / f"{name}.md").read_text()
        assert "n/a" in text
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_names_cannot_leave_the_folder_of_a_run():
    for name in ("../../x", "a/b", "a\\b", "con:", "ü" * 300, ".", ""):
        stem = Key("lw", name, "add", 0).stem
        assert "/" not in stem
        assert "\\" not in stem
        assert len(stem) < 200
    assert file_part("5_o_Clock_Shadow") == "5_o_Clock_Shadow"
    assert file_part("ü" * 300) != file_part("ü" * 299)


# --- the scoring classifier -------------------------------------------------------------------


def linear(n, attributes, dim, seed=0):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((n, dim))
    axes = rng.standard_normal((dim, attributes)) / dim**0.5
    y = w @ axes + 0.3 * rng.standard_normal((n, attributes)) > 0
    return torch.from_numpy(w).float()[:, None], torch.from_numpy(y).long()


@pytest.mark.slow
def test_the_scorer_is_as_good_as_a_cross_validated_logistic_regression():
    w, y = linear(1250, 6, 24)
    scorer = fit_scorer(w[:250], y[:250], torch.Generator().manual_seed(0))
    mine = ((scorer(w[250:]) > 0).long() == y[250:]).double().mean(dim=0)
    for j in range(6):
        rival = LogisticRegressionCV(Cs=6, cv=5, scoring="neg_log_loss", l1_ratios=(0,),
                                     use_legacy_attributes=False)
        rival.fit(w[:250, 0], y[:250, j])
        theirs = float((rival.predict(w[250:, 0]) == y[250:, j].numpy()).mean())
        assert float(mine[j]) > theirs - 0.01
        assert scorer.auc[j] > 0.85


def test_at_one_ridge_it_is_scikit_learns_solution(monkeypatch):
    from lwedit.domains import scorer as module

    monkeypatch.setattr(module, "_RIDGES", (0.01,))
    w, y = linear(200, 2, 8)
    found = fit_scorer(w, y, torch.Generator().manual_seed(0))
    v = w[:, 0].double()
    scaled = ((v - v.mean(dim=0)) / (v - v.mean(dim=0)).square().mean().sqrt()).numpy()
    for j in range(2):
        truth = LogisticRegression(C=1 / (0.01 * len(w)), tol=1e-8).fit(scaled, y[:, j])
        np.testing.assert_allclose(found(w)[:, j], truth.decision_function(scaled), atol=0.02)


def test_more_dimensions_than_codes_give_the_same_ridge_solution(monkeypatch):
    """Turned onto the axes of the codes: the solution lies in their span."""
    from lwedit.domains import scorer as module

    monkeypatch.setattr(module, "_RIDGES", (0.1,))
    w, y = linear(60, 1, 200)
    found = fit_scorer(w, y, torch.Generator().manual_seed(0))(w)[:, 0]
    v = w[:, 0].double()
    scaled = ((v - v.mean(dim=0)) / (v - v.mean(dim=0)).square().mean().sqrt()).numpy()
    truth = LogisticRegression(C=1 / (0.1 * len(w)), tol=1e-8).fit(scaled, y[:, 0])
    np.testing.assert_allclose(found, truth.decision_function(scaled), atol=0.02)
