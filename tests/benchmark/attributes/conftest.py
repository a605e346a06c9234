"""A finished run on the toy, made once: every registered method, and the true edit as one's own."""

from dataclasses import replace
from pathlib import Path

import pytest

TOY = Path(__file__).resolve().parents[3] / "lwedit" / "domains" / "toy.py"


@pytest.fixture(scope="session")
def config():
    from baselines import METHODS
    from benchmark.methods import FLOORS
    from benchmark.presets import AttributeConfig, settings_of

    learned = tuple(name for name, kind in METHODS.items()
                    if name not in FLOORS and not kind.needs_generator)
    return AttributeConfig(
        domain="toy", methods=(*learned, "true"), attributes=("disc", "bar"), seeds=(0,),
        train_codes=1500, editor_codes=900, test_images=60, calibration=40, alphas=4,
        bootstrap=60, pictured=2,
        own_method=f"{TOY}:TrueEdit",
        settings=settings_of("toy", classifier={"hidden": (32,)}, lw={"rounds": 2},
                             lw_star={"rounds": 2}),
    )


@pytest.fixture(scope="session")
def small(config):
    """Few methods, for what is done again and again."""
    return replace(config, methods=("lw", "lt"), floors=False, own_method="", attributes=("disc",),
                   train_codes=600, editor_codes=300, test_images=20, calibration=20)


def perform_all(run, stages=("encode", "classify", "fit", "edit", "score")):
    from benchmark.stages import perform, tasks_of
    from benchmark.workers import do_all

    for stage in stages:
        do_all(tasks_of(stage, run), run, perform)


@pytest.fixture(scope="session")
def finish():
    return perform_all


@pytest.fixture(scope="session")
def finished(config, tmp_path_factory, quick):
    """The run, with its report."""
    from benchmark.attributes import AttributeRun as Run
    from benchmark.folder import open_run
    from benchmark.report import write_report

    run = Run(config, tmp_path_factory.mktemp("toy"))
    open_run(config, run.domain.weights, run.out, create=True)
    with quick():
        perform_all(run)
    write_report(run)
    return run


@pytest.fixture(scope="session")
def finished_small(small, tmp_path_factory):
    from benchmark.attributes import AttributeRun as Run

    run = Run(small, tmp_path_factory.mktemp("small"))
    perform_all(run)
    return run
