"""The methods that can be evaluated: those of the product, and the networks that they are compared with."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from ...errors import InputError
from ...restore import registry
from ...restore.filler import Filler
from ...restore.registry import Loaded, Placement, network_of, on_best_device
from ...tracking.reference import Reference
from ..networks import compared
from .filler import ComparedFiller

COMPARED = tuple(compared.NETWORKS)  # they have no weights but the user's
METHODS = (*registry.METHODS, *registry.BASELINES, *COMPARED)
WITH_WEIGHTS = ("evi-hrnet", *COMPARED)


def check_method(method: str, weights: Path | None = None) -> None:
    """Raise InputError for an unknown method, or one that needs a file of weights and has none."""
    registry.check_method(method, METHODS)
    if method in COMPARED and weights is None:
        raise InputError(
            f"The method {method!r} comes without weights: train it with hmd-removal lab train compared, and give its "
            f"file with --weights {method}=FILE."
        )


def weights_by_method(options: Sequence[str]) -> dict[str, Path]:
    """What `--weights [METHOD=]FILE`, given any number of times, says; without a method it is EVI-HRnet's.

    Raises InputError for a method that takes no weights.
    """
    files = {}
    for option in options:
        method, equals, file = option.partition("=")
        if not equals or Path(option).is_file():  # whose name may have that sign
            method, file = WITH_WEIGHTS[0], option
        if method not in WITH_WEIGHTS:
            raise InputError(
                f"Expected weights as FILE or METHOD=FILE with a method out of {', '.join(WITH_WEIGHTS)}, "
                f"got {option!r}."
            )
        files[method] = Path(file)
    return files


class LoadedOnce:
    """A Placement that reads each file once, and keeps its network on one device."""

    def __init__(self, device: torch.device):
        self._device = device
        self._loaded: dict[Path, object] = {}

    def __call__(self, path: Path, load: Callable[[Path], Loaded]) -> Loaded:
        if path not in self._loaded:
            self._loaded[path] = load(path)
            network_of(self._loaded[path]).to(self._device)
        return self._loaded[path]


def make_filler(
    method: str,
    reference: Reference | None,
    *,
    weights: Path | None = None,
    personal: Path | None = None,
    anyone: bool = False,
    place: Placement = on_best_device,
) -> Filler:
    """As restore.registry.make_filler, for the compared networks too. weights: the file of the method's network."""
    check_method(method, weights)
    if method in COMPARED:
        return ComparedFiller(place(weights, partial(compared.load, network=method)))
    return registry.make_filler(method, reference, weights=weights, personal=personal, anyone=anyone, place=place)
