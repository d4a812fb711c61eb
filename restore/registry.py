"""The methods by name, and how the filler of each is made: the one place where that is decided."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from torch import nn

from ..errors import InputError
from ..models.device import Precision, best_device
from ..tracking.reference import Reference
from .filler import Filler

METHODS = ("evi-hrnet", "warp", "personal")
BASELINES = ("static", "telea")  # to compare with
EVI_WEIGHTS = "evi_hrnet"  # the manifest's name for those that come with the pack

Loaded = TypeVar("Loaded")


class Placement(Protocol):
    """How networks get onto their device: by ComfyUI's model management, or plainly."""

    def __call__(self, path: Path, load: Callable[[Path], Loaded]) -> Loaded:
        """What `load` makes of a file: a network, or something that has one as `network`, on its device."""


def on_best_device(path: Path, load: Callable[[Path], Loaded]) -> Loaded:
    """The plain Placement: on the GPU, if there is one."""
    loaded = load(path)
    network_of(loaded).to(best_device())
    return loaded


def network_of(loaded: object) -> nn.Module:
    """The network in what a file was loaded as."""
    return loaded if isinstance(loaded, nn.Module) else loaded.network


def check_method(method: str, known: tuple[str, ...] = (*METHODS, *BASELINES)) -> None:
    """Raise InputError for an unknown method."""
    if method not in known:
        raise InputError(f"Expected a method out of {', '.join(known)}, got {method!r}.")


def needs_reference(method: str) -> bool:
    """Whether a method fills from pictures of the uncovered face that it does not bring itself."""
    return method not in ("personal", "telea")


def make_filler(
    method: str,
    reference: Reference | None,
    *,
    precision: Precision = "auto",
    weights: Path | None = None,
    personal: Path | None = None,
    anyone: bool = False,
    place: Placement = on_best_device,
) -> Filler:
    """The filler of a method's name.

    precision: see models.device. weights: file of evi-hrnet's network, None for the one that comes with the pack.
    personal: the file of a personal model; anyone: whether that may be used on somebody else. place: puts networks on
    their device.

    Raises InputError for an unknown method, or one that lacks its reference or its model.
    """
    check_method(method)
    if method == "telea":
        from .baselines import TeleaFiller

        return TeleaFiller()
    if method == "personal":
        from .personal import PersonalFiller, read_personal

        if personal is None:
            raise InputError(
                "The method 'personal' needs the model of a person: make one with Train Personal, or with hmd-removal "
                "train personal, and choose its file."
            )
        return PersonalFiller(place(personal, read_personal), precision, anyone=anyone)
    if reference is None:
        raise InputError(f"The method {method!r} needs a reference of the uncovered face; give a photo or a clip.")
    if method == "static":
        from .baselines import StaticFiller

        return StaticFiller(reference)
    if method == "evi-hrnet":
        from .. import weights as known_weights
        from .evi import filler_with, load

        return filler_with(place(weights or known_weights.resolve(EVI_WEIGHTS), load), reference, precision)
    from .warp import WarpFiller

    return WarpFiller()


def filler_of(method: str | Filler, reference: Reference | None) -> Filler:
    """A method by its name, or the filler itself where it was made otherwise."""
    return make_filler(method, reference) if isinstance(method, str) else method
