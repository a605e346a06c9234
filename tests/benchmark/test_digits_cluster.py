"""A digits run on a Dask cluster of two processes, with the shipped networks: the same bytes."""

import sys

import pytest

from benchmark.digits import DigitsRun
from benchmark.presets import DigitsConfig, settings_of
from benchmark.report import write_rows
from benchmark.stages import STAGES, perform, tasks_of
from benchmark.workers import do_all
from lwedit.domains import DigitsDomain
from lwedit.domains import digits as module

distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")

CONFIG = DigitsConfig(
    methods=("lw",), floors=False, tasks=("2→3",), seeds=(0, 1),
    train_codes=300, editor_codes=200, test_images=8, alpha_max=2.0, alpha_step=1.0,
    strengths=(1.0, 2.0), validation_images=4, bootstrap=20,
    settings=settings_of("digits", lw={"rounds": 1}, classifier={"hidden": (16,)}),
)
SIZES = {"train": 400, "heldout": 160}


class FewImages(DigitsRun):
    """A run on few images, wherever it computes."""

    def open_domain(self):
        module._SIZES.update(SIZES)
        return DigitsDomain.load(cache=self.out / "cache")


def results(out, **how):
    run = FewImages(CONFIG, out)
    for stage in STAGES[:-1]:
        do_all(tasks_of(stage, run), run, perform, **how)
    write_rows(run)
    return (out / "results.csv").read_bytes()


@pytest.mark.slow
def test_two_processes_of_a_cluster_give_the_bytes_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SIZES", dict(module._SIZES))
    here = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(here)  # no worker can import a test
    try:
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster:
            spread = results(tmp_path / "two", scheduler=cluster.scheduler_address)
    finally:
        cloudpickle.unregister_pickle_by_value(here)
    assert spread.count(b"\n") > 8
    assert spread == results(tmp_path / "one")
