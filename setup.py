"""What pyproject.toml cannot say: the wheel carries weights and data, as `lwedit/assets`.

They stay in `assets/`, where a clone, the tests and a Space look for them; `lwedit.shipped` finds
them in either place. Tables of labels and pictures that only a training or a reader needs are left
out.
"""

from pathlib import Path

from setuptools import find_namespace_packages, setup

EDITORS = sorted(path.name for path in Path("assets/digits/editors").iterdir())
CARRIED = {
    "digits": ["*.safetensors", "*.json"],
    "digits.judges": ["*.safetensors", "*.json"],
    **{f"digits.editors.{name}": ["*.safetensors", "*.json"] for name in EDITORS},
    "mnist": ["*.xz", "*.md"],
    "faces": ["*.safetensors", "*.json", "LICENSE.generator"],
    "faces.judges": ["*.safetensors", "*.json"],
    "avatars": ["*.npz", "*.json", "*.md"],
    "app.digits": ["*.safetensors", "*.json"],
    "app.faces": ["*.safetensors", "*.json"],
}
PACKAGES = find_namespace_packages(include=["lwedit*", "baselines*", "benchmark*", "demo*"])

setup(
    packages=[*PACKAGES, *(f"lwedit.assets.{folder}" for folder in CARRIED)],
    package_dir={"lwedit.assets": "assets"},
    package_data={"": ["py.typed"]} | {f"lwedit.assets.{k}": v for k, v in CARRIED.items()},
)
