"""A run on a Dask cluster of two processes gives the same bytes; what is no cluster is named."""

import socket

import pytest

from benchmark.attributes import AttributeRun as Run
from benchmark.collect import collect
from benchmark.rows import write_results
from benchmark.stages import perform, tasks_of
from benchmark.workers import do_all

distributed = pytest.importorskip("distributed")


@pytest.mark.slow
def test_two_processes_of_a_cluster_give_the_same_bytes(finished_small, tmp_path):
    run = Run(finished_small.config, tmp_path)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        for stage in ("encode", "classify", "fit", "edit", "score"):
            do_all(tasks_of(stage, run), run, perform, scheduler=cluster.scheduler_address)
    for one in (run, finished_small):
        write_results(collect(one), one)
    held = (finished_small.out / "results.csv").read_bytes()
    assert (run.out / "results.csv").read_bytes() == held


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(finished_small, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr("benchmark.workers.PATIENCE", 1)
    run = Run(finished_small.config, tmp_path)
    with pytest.raises(ValueError, match="scheduler must answer"):
        do_all(tasks_of("encode", run), run, perform, scheduler=address)
