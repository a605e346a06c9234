"""The quickstart runs in less than a minute, and the notebook is the same."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from examples.notebook import notebook

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.slow
def test_it_runs_and_shows_what_both_methods_do(tmp_path):
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent), "OMP_NUM_THREADS": "1"}
    start = time.process_time(), os.times().children_user
    done = subprocess.run([sys.executable, str(EXAMPLES / "quickstart.py")], cwd=tmp_path, env=env,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.times().children_user - start[1] < 60
    said = re.findall(r"(\w+), alpha = ([\d.]+): disc added ([\d.]+), .* kept ([\d.]+)",
                      done.stdout)
    assert [(name, alpha) for name, alpha, *_ in said] == [
        (name, alpha) for name in ("lw", "lt") for alpha in ("0.5", "1.0", "2.0")]
    added = [float(share) for *_, share, _ in said]
    for method in (added[:3], added[3:]):  # more strength adds more, and at twice it most
        assert method == sorted(method)
        assert method[-1] > 0.8
    assert Image.open(tmp_path / "quickstart.png").size == (700, 320)


def test_the_notebook_is_the_script():
    """Written by `python examples/notebook.py`."""
    held = (EXAMPLES / "quickstart.ipynb").read_text()
    script = (EXAMPLES / "quickstart.py").read_text()
    assert held == notebook(script)
    code = ["".join(cell["source"]) for cell in json.loads(held)["cells"]
            if cell["cell_type"] == "code"]
    lines = [line for line in script.splitlines() if line and not line.startswith(("# ", '"""'))]
    assert [line for cell in code for line in cell.splitlines() if line] == lines
