"""Edit faces and digits from a program, through the page that `make app` serves.

    python examples/client.py [ADDRESS [ATTRIBUTE]]    # http://127.0.0.1:7860 eyeglasses

Prints what the image judge sees before and after for each method, and writes edited_face_lw.png.
"""

import base64
import sys
from pathlib import Path

from gradio_client import Client


def main(address: str = "http://127.0.0.1:7860", wanted: str = "eyeglasses") -> None:
    """Ask the page for a face with glasses and for an image with a digit more.

    Args:
        address: Of the page.
        wanted: What the face gets.

    Raises:
        SystemExit: If the page does not edit that, naming what it edits.
    """
    client = Client(address, verbose=False)
    known = client.predict(api_name="/describe")
    editable = known["faces"].get("editable", [])
    if wanted not in editable:
        raise SystemExit(f"{address} does not edit {wanted!r}; it edits {', '.join(editable)}")
    face = client.predict(
        seed=57, attributes=[wanted], strengths=[1.25], api_name="/edit_face"
    )
    for method in known["faces"]["methods"]:
        before, after = (face[name]["judge"][wanted] for name in ("original", method))
        identity = face[method]["identity"]
        print(f"{method}: {wanted} {before:.2f} -> {after:.2f}, identity {identity:.2f}")
    Path("edited_face_lw.png").write_bytes(base64.b64decode(face["lw"]["png"]))

    image = client.predict(image=4, strengths=[1.0], api_name="/add_digits")
    for method in (name for name in known["digits"]["methods"] if name in image):
        seen, claimed = image[method]["judge"], image[method]["latent"]
        print(f"{method}: image judge {seen} digits, latent classifier {claimed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
