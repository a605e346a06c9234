"""A digits run on a Dask cluster of two processes, with the shipped networks: the same bytes."""

import pytest

from benchmark.command import STAGES
from benchmark.presets import RunConfig
from benchmark.report import write_report
from benchmark.runs import DigitsRun
from benchmark.stages import perform, tasks_of
from benchmark.workers import do_all

distributed = pytest.importorskip("distributed")

CONFIG = RunConfig(
    methods=("centroids", "lw"), floors=False, tasks=("2→3",), seeds=(0, 1),
    train_codes=800, editor_codes=600, test_images=20, alpha_max=4.0, alpha_step=1.0,
    strengths=(1.0, 3.0), validation_images=10, lw_rounds=1, classifier_hidden=(16,), bootstrap=50,
)


def results(out, **how):
    run = DigitsRun(CONFIG, out)
    for stage in STAGES[:-1]:
        do_all(tasks_of(stage, run), run, perform, **how)
    write_report(CONFIG, out)
    return (out / "results.csv").read_bytes()


@pytest.mark.slow
def test_two_processes_of_a_cluster_give_the_bytes_of_one(tmp_path):
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        spread = results(tmp_path / "two", scheduler=cluster.scheduler_address)
    assert spread.count(b"\n") > 8
    assert spread == results(tmp_path / "one")
