"""The one-way order of imports, and calls that the packages must not make, read from the source.

vocabulary, memory, shipped <- data <- generators <- inversion <- latents <- classifier <- transport
<- editors <- judges <- metrics <- domains;
baselines -> lwedit;  benchmark -> both;  demo -> benchmark too, for its settings, methods and
reports;  app -> demo;  training -> all of them, and nothing -> training.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = [
    {"vocabulary", "memory", "shipped"},
    {"data"},
    {"generators"},
    {"inversion"},
    {"latents"},
    {"classifier"},
    {"transport"},
    {"editors"},
    {"judges"},
    {"metrics"},
    {"domains"},
    {"__main__"},  # which loads what stands above the package by name
]
EDITORS = ("card", "base", "affine", "frame", "loss", "sides", "problem", "solvers", "config",
           "latent_wasserstein", "paper", "token_transport", "neural", "semi_dual",
           "latent_wasserstein_neural")  # the order of the paper
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts}
OURS = {"lwedit", "baselines", "benchmark", "demo", "app", "training", "examples", "tests"}
REACHES = {
    "lwedit": {"lwedit"},
    "baselines": {"lwedit", "baselines"},
    "benchmark": {"lwedit", "baselines", "benchmark"},
    "demo": {"lwedit", "baselines", "benchmark", "demo"},
    "app": {"demo"},
    "training": {"lwedit", "baselines", "benchmark", "demo", "training"},
}
COMMANDS = ("benchmark", "training")  # what they print is their output
FORBIDDEN_CALLS = {"print", "eval", "exec", "torch.load", "yaml.load", "os.system"}
FORBIDDEN_MODULES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def sources():
    paths = [path for top in REACHES for path in sorted((ROOT / top).rglob("*.py"))]
    paths.append(ROOT / "app.py")
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def module_name(path, root=ROOT):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree, module, *, is_package):
    """Full names of everything imported at any depth, `from a import b` giving a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".") if is_package else module.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def order_violations(source, module, *, is_package=False):
    """Imports of `source` that go against the order."""
    top, *rest = module.split(".")
    wrong = []
    for name in imported(ast.parse(source), module, is_package=is_package):
        target, *inner = name.split(".")
        if target in OURS and target not in REACHES[top]:
            wrong.append(f"{module} -> {name}")
        elif top == target == "lwedit" and inner and inner[0] != "__version__":
            own = RANK[rest[0]] if rest else -1
            theirs = RANK[inner[0]]
            beside = theirs == own and inner[0] != rest[0]
            if theirs > own or beside:
                wrong.append(f"{module} -> {name}")
    return wrong


def forbidden(source):
    """Calls and imports that run foreign code, or write to the user's terminal."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            pickles = any(
                keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
                for keyword in node.keywords
            )
            # PyTorch's restricted reader builds tensors, containers and numbers, and nothing else.
            restricted = name == "torch.load" and any(
                keyword.arg == "weights_only" and ast.unparse(keyword.value) == "True"
                for keyword in node.keywords
            )
            if (name in FORBIDDEN_CALLS and not restricted) or pickles:
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    names = imported(ast.parse(source), "module", is_package=False)
    return found + [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]


@pytest.mark.parametrize("path", sources())
def test_imports_go_one_way(path):
    package = path.name == "__init__.py"
    assert order_violations(path.read_text(), module_name(path), is_package=package) == []


@pytest.mark.parametrize("path", sorted((ROOT / "lwedit" / "editors").rglob("*.py")),
                         ids=lambda path: path.stem)
def test_editors_are_in_the_order_of_the_paper(path):
    module = module_name(path).split(".")
    if len(module) < 3:  # the package itself exports all of them
        return
    names = imported(ast.parse(path.read_text()), ".".join(module),
                     is_package=path.name == "__init__.py")
    parts = [name.split(".")[2] for name in names if name.startswith("lwedit.editors.")]
    own = EDITORS.index(module[2])
    assert all(EDITORS.index(part) <= own for part in parts), parts


@pytest.mark.parametrize(
    "path",
    [param for param in sources() if not param.id.startswith(COMMANDS)],
)
def test_nothing_prints_or_runs_what_it_reads(path):
    assert forbidden(path.read_text()) == []


def test_every_part_of_the_package_has_a_place_in_the_order():
    parts = {
        path.stem for path in (ROOT / "lwedit").iterdir()
        if path.suffix == ".py" or any(path.glob("*.py"))
    }
    assert parts - {"__init__"} <= RANK.keys()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lwedit.data.mnist", "from lwedit.editors import Editor"),
        ("lwedit.data.mnist", "def f():\n    import lwedit.generators"),
        ("lwedit.data.mnist", "from ..domains import digits"),
        ("lwedit.data.mnist", "from lwedit import metrics"),
        ("lwedit.memory", "from lwedit.vocabulary import to_unit_range"),
        ("lwedit.domains.digits", "import baselines.lt"),
        ("lwedit.domains.digits", "from benchmark import run"),
        ("baselines.lt", "import app"),
        ("baselines.lt", "from demo.style import COLOURS"),
        ("demo.reports", "import app"),
        ("demo.studio", "import app"),
        ("lwedit.judges.digits", "from training.digits.judges import answers"),
        ("baselines.lt", "import training.editors"),
        ("benchmark.runs", "from training.digits.judges import answers"),
        ("benchmark.stages", "from demo.style import COLOURS"),
        ("demo.digits", "from training import editors"),
        ("lwedit", "from lwedit.vocabulary import flatten_codes"),
    ],
)
def test_the_order_is_enforced(module, source):
    assert len(order_violations(source, module, is_package=module == "lwedit")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lwedit.editors.base", "from lwedit.latents import LatentSet\nimport torch"),
        ("lwedit.data.multimnist", "from .mnist import load_mnist"),
        ("baselines.lt", "from lwedit.editors import Editor\nfrom baselines.interface import a"),
    ],
)
def test_the_order_lets_through_what_follows_it(module, source):
    assert order_violations(source, module) == []


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "eval('1')",
        "import torch\ntorch.load('a')",
        "import torch\ntorch.load('a', weights_only=False)",
        "from pickle import loads",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
    ],
)
def test_the_ban_is_enforced(source):
    assert len(forbidden(source)) == 1


def test_the_ban_spares_the_evaluation_mode_of_a_network():
    assert forbidden("model.eval()\nnp.load('a', allow_pickle=False)") == []


def test_the_ban_spares_the_reader_that_builds_tensors_only():
    assert forbidden("import torch\ntorch.load('a', weights_only=True)") == []


def test_a_real_module_is_among_the_sources():
    assert "lwedit.generators.stylegan2" in {module_name(param.values[0]) for param in sources()}
