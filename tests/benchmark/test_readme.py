"""The walk through benchmark/README.md names every file of the benchmark once, and none besides."""

import re
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmark"


def test_the_walk_names_each_file_once_and_is_short():
    text = (BENCHMARK / "README.md").read_text()
    walk = text[text.index("## One code") : text.index("## To add something")]
    named = re.findall(r"`([\w/]+\.py)`", walk)
    parts = {"ablate", "transport"}  # folders of their own, named as such
    files = {str(path.relative_to(BENCHMARK)) for path in BENCHMARK.rglob("*.py")
             if path.name != "__init__.py" and path.parent.name not in parts}
    assert sorted(named) == sorted(files)
    assert all(f"`{part}/`" in walk for part in parts)
    assert len(text.splitlines()) <= 120
