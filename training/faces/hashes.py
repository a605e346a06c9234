"""Command: write weights.json, each weights file's SHA-256, `python -m training.faces.hashes`."""

import hashlib
import json

from lwedit.domains.faces import ASSETS


def main() -> None:
    """Hash each file and write aside."""
    files = sorted(ASSETS.rglob("*.safetensors"))
    digests = {
        str(path.relative_to(ASSETS)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    temporary = ASSETS / "weights.tmp"
    temporary.write_text(json.dumps({"sha256": digests}, indent=1) + "\n")
    temporary.replace(ASSETS / "weights.json")


if __name__ == "__main__":
    main()
