"""Saved editors on a model hub: sent as a folder with its card, fetched by commit and hash.

    commit = push_to_hub("smiling", "someone/lwedit-smiling")
    editor = from_hub("someone/lwedit-smiling", commit, sha256=..., space=generator_space)

A commit's full hash names one content for ever, where a branch's name does not; the SHA-256 says
that the weights are those that were meant, whatever the hub sends. Three files by name are fetched
and nothing else: weights as safetensors, JSON, the card. Nothing is unpickled, no code is run.
Needs huggingface-hub (`pip install 'lwedit[hub]'`); $HF_ENDPOINT says which hub.
"""

import hashlib
import re
from pathlib import Path

from baselines.saved import load_editor
from lwedit.editors import Editor
from lwedit.latents import Space

__all__ = ["FILES", "from_hub", "push_to_hub"]

FILES = ("README.md", "editor.json", "weights.safetensors")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HASH = re.compile(r"[0-9a-f]{64}")


def push_to_hub(folder: Path | str, repository: str, *, private: bool = False) -> str:
    """Send a saved editor.

    Args:
        folder: What `Editor.save` wrote.
        repository: "owner/name", made if it is not there.
        private: Whether it is made for its owner only.

    Returns:
        The commit, by which `from_hub` fetches this very editor.

    Raises:
        ValueError: If the folder holds no whole editor.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    folder = Path(folder)
    load_editor(folder)  # whatever is wrong with it, before it is sent
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"folder must hold {', '.join(FILES)}, {folder} lacks "
                         f"{', '.join(missing)}; write it again with Editor.save.")
    api = HfApi(library_name="lwedit")
    api.create_repo(repository, private=private, exist_ok=True)
    sent = [CommitOperationAdd(name, folder / name) for name in FILES]
    return str(api.create_commit(repository, sent, commit_message="Editor with its card").oid)


def from_hub(
    repository: str, commit: str, *, sha256: str, space: Space | None = None
) -> Editor:
    """Fetch an editor.

    Args:
        repository: "owner/name".
        commit: All forty digits; branches and tags can be moved and are refused.
        sha256: Of weights.safetensors, as its card says.
        space: Space of the codes to be edited; see `load_editor`.

    Raises:
        ValueError: If commit or hash are none, the weights have another hash, or the files are no
            editor of a method here and of this space.
        OSError: If the hub cannot be reached, or has no such file.
    """
    from huggingface_hub import hf_hub_download

    for name, given, form, digits in (("commit", commit, _COMMIT, 40), ("sha256", sha256, _HASH,
                                                                         64)):
        if not form.fullmatch(given):
            raise ValueError(f"{name} must be {digits} hexadecimal digits, got {given!r}.")
    fetched = [Path(hf_hub_download(repository, name, revision=commit, library_name="lwedit"))
               for name in FILES]
    found = hashlib.sha256(fetched[-1].read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"{repository} must have weights of SHA-256 {sha256} at {commit}, got "
                         f"{found}.")
    return load_editor(fetched[-1].parent, space)
