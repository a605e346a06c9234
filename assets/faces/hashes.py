"""Command: write weights.json, each weights file's SHA-256, `python assets/faces/hashes.py`."""

import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Hash each file and write aside."""
    files = sorted(FOLDER.rglob("*.safetensors"))
    digests = {
        str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    temporary = FOLDER / "weights.tmp"
    temporary.write_text(json.dumps({"sha256": digests}, indent=1) + "\n")
    temporary.replace(FOLDER / "weights.json")


if __name__ == "__main__":
    main()
