"""Editors fitted for the page, and the latent classifier beside them, in one small folder a domain.

    assets/app/DOMAIN/bundle.json               space, attributes, units, what was measured
    assets/app/DOMAIN/classifier.safetensors    F
    assets/app/DOMAIN/METHOD.safetensors        one editor an attribute, tensors "ATTRIBUTE/NAME"

(for ffhq, whose weights the user brings, the folder `editors` beside those weights). The editors of
LW neural are no part of it: they are the shipped ones of the benchmark, read from where they lie.

Tensors are kept in float16: the page edits with the rounded maps, and `python -m demo.fit_editors`
measures the units of strength on them after rounding. A bundle names the generator in whose space
it was fitted and the hash of each of its files, so it is refused, with the command that makes it
anew, when the weights of a domain are replaced.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from baselines import METHODS
from lwedit.classifier import LatentClassifier
from lwedit.domains.digits import ASSETS
from lwedit.editors import Editor, LatentWassersteinNeural
from lwedit.latents import Space, hash_state
from lwedit.shipped import assets

__all__ = ["BUNDLES", "NEURAL", "REFIT", "Bundle", "Unit", "attributes_in", "with_neural"]

BUNDLES = assets("app")
NEURAL = ASSETS / "editors"
REFIT = "python -m demo.fit_editors {}"


@dataclass(frozen=True)
class Unit:
    """alpha of strength 1, each way, as `demo.fit_editors` chooses it.

    Attributes:
        add: Adding the attribute.
        remove: Removing it.
        reached: Whether there is such an alpha among those tried, adding and removing; where there
            is none, strength 1 is the map as fitted, alpha = 1.
    """

    add: float
    remove: float
    reached: tuple[bool, bool]

    def alpha(self, strength: float) -> float:
        """Signed alpha of a signed strength."""
        return strength * (self.add if strength >= 0 else self.remove)


@dataclass(frozen=True)
class Bundle:
    """What the page edits with.

    Attributes:
        space: Where the codes live.
        classifier: The latent classifier F.
        editors: By method, then attribute.
        units: By method, then attribute.
        facts: What the fit measured, for people to read.
    """

    space: Space
    classifier: LatentClassifier
    editors: dict[str, dict[str, Editor]]
    units: dict[str, dict[str, Unit]]
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the files aside and rename them, bundle.json last."""
        folder.mkdir(parents=True, exist_ok=True)
        states = {"classifier": self.classifier.state_dict()} | {
            method: {
                f"{attribute}/{name}": tensor
                for attribute, editor in editors.items()
                for name, tensor in editor.state().items()
            }
            for method, editors in self.editors.items()
        }
        hashes = {}
        for name, state in states.items():
            small = {key: tensor.half().contiguous() for key, tensor in state.items()}
            hashes[name] = hash_state(small)
            temporary = folder / f"{name}.tmp"
            save_file(small, temporary)
            temporary.replace(folder / f"{name}.safetensors")
        about = {
            "space": asdict(self.space),
            "attributes": self.classifier.attributes,
            "hidden": self.classifier.hidden,
            "units": {
                method: {attribute: asdict(unit) for attribute, unit in units.items()}
                for method, units in self.units.items()
            },
            "hashes": hashes,
            "facts": self.facts,
        }
        temporary = folder / "bundle.json.tmp"
        temporary.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        temporary.replace(folder / "bundle.json")

    @classmethod
    def load(cls, folder: Path, space: Space, domain: str | None = None) -> "Bundle":
        """Read what `save` wrote.

        Args:
            folder: Folder of one domain.
            space: Space of the codes to be edited.
            domain: Its name; that of the folder if None.

        Raises:
            ValueError: If a file is missing, damaged, of another fit, or of another space; the
                message ends with the command that makes the bundle anew.
        """
        domain = folder.name if domain is None else domain
        remedy = f"Fit the editors again: {REFIT.format(domain)}"
        try:
            about = json.loads((folder / "bundle.json").read_text())
            space.require(Space(**about["space"]))
            states = {name: _read(folder, name, about["hashes"][name]) for name in about["hashes"]}
            classifier = LatentClassifier(
                tuple(about["attributes"]), space, tuple(about["hidden"])
            )
            classifier.load_state_dict(states.pop("classifier"))
            editors = {
                method: _editors(method, state, space) for method, state in states.items()
            }
            units = {
                method: {
                    name: Unit(unit["add"], unit["remove"], tuple(unit["reached"]))
                    for name, unit in of.items()
                }
                for method, of in about["units"].items()
            }
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
            raise ValueError(
                f"The saved editors of {domain} do not belong to these weights ({error}). {remedy}"
            ) from error
        classifier.eval().requires_grad_(False)
        return cls(space, classifier, editors, units, about["facts"])


def with_neural(bundle: Bundle, folder: Path = NEURAL) -> Bundle:
    """A bundle of digits with the shipped editors of LW neural, at alpha = 1 as they were fitted.

    Args:
        bundle: Editors of the other methods.
        folder: Where `python -m training.editors` leaves its editors.

    Returns:
        The bundle with as many as there are of its space; what is missing, the page says.
    """
    editors: dict[str, Editor] = {}
    for attribute in next(iter(bundle.editors.values())):
        try:
            editors[attribute] = LatentWassersteinNeural.load(
                folder / f"{LatentWassersteinNeural.method}_{attribute}_0", bundle.space)
        except ValueError:
            continue
    units = dict.fromkeys(editors, Unit(1.0, 1.0, (True, True)))
    name = LatentWassersteinNeural.method
    return replace(bundle, editors={**bundle.editors, name: editors},
                   units={**bundle.units, name: units})


def attributes_in(folder: Path) -> tuple[str, ...]:
    """What can be edited, without reading an editor; nothing where there is no whole bundle."""
    try:
        units = json.loads((folder / "bundle.json").read_text())["units"]
        return tuple(next(iter(units.values())))
    except (OSError, ValueError, KeyError, TypeError, StopIteration, AttributeError):
        return ()


def _read(folder: Path, name: str, expected: str) -> dict[str, Tensor]:
    state = load_file(folder / f"{name}.safetensors")
    if hash_state(state) != expected:
        raise ValueError(f"{name}.safetensors is of another fit than bundle.json")
    return {key: tensor.float() for key, tensor in state.items()}


def _editors(method: str, state: dict[str, Tensor], space: Space) -> dict[str, Editor]:
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in state.items():
        attribute, _, name = key.rpartition("/")
        parts.setdefault(attribute, {})[name] = tensor
    return {name: METHODS[method].restore(part, name, space) for name, part in parts.items()}
