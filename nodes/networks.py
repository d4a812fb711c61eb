"""The pack's networks under ComfyUI's management of devices and memory, and the files that hold them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import folder_paths
from comfy import model_management
from comfy.model_patcher import ModelPatcher

from .. import weights
from ..errors import InputError
from ..restore.registry import EVI_WEIGHTS, Loaded, network_of
from ..weights.manifest import find_weight, manifest
from . import MODEL_FOLDER
from .paths import State, state_of

PERSONAL_FOLDER = "personal"  # of MODEL_FOLDER
NOBODY = "none"  # what a widget offers beside personal models
KEPT = 3  # networks that stay in memory


def managed(path: Path, load: Callable[[Path], Loaded]) -> Loaded:
    """The restore.registry.Placement of ComfyUI: networks are on the device that it chooses, and leave it when it needs
    the room."""
    loaded, patcher = _loaded(path, state_of(path), load)
    model_management.load_models_gpu([patcher])
    return loaded


@lru_cache(maxsize=KEPT)
def _loaded(path: Path, state: State | None, load: Callable[[Path], Loaded]) -> tuple[Loaded, ModelPatcher]:
    """What a file holds, read again when it was written anew, in the form in which ComfyUI moves it."""
    loaded = load(path)
    device, offload = model_management.get_torch_device(), model_management.unet_offload_device()
    return loaded, ModelPatcher(network_of(loaded), device, offload)


def evi_weights() -> list[str]:
    """What a widget offers: the weights that come with the pack, and the user's own in models/hmd_removal."""
    known = {weight.file for weight in manifest().values()}
    return [EVI_WEIGHTS, *(name for name in _own_files() if name not in known and not _is_personal(name))]


def evi_state(name: str = EVI_WEIGHTS) -> State | None:
    """The paths.state_of the file behind a name out of `evi_weights`."""
    return state_of(weights.find_offline(find_weight(name), [])) if name == EVI_WEIGHTS else own_state(name)


def personal_models() -> list[str]:
    """What a widget offers: the files in models/hmd_removal/personal."""
    return [name for name in _own_files() if _is_personal(name)]


def personal_target(name: str) -> Path:
    """Where the model of that name is to be written. Raises InputError for a name that is no plain file name."""
    stem = name.strip().removesuffix(".safetensors")
    if not stem or Path(stem).name != stem or "\\" in stem or stem.startswith("."):
        raise InputError(f"Expected a plain name for the model, such as 'me', got {name!r}.")
    return Path(folder_paths.get_folder_paths(MODEL_FOLDER)[0]) / PERSONAL_FOLDER / f"{stem}.safetensors"


def own_file(name: str) -> Path:
    """A file in models/hmd_removal. Raises InputError where there is none of that name."""
    found = folder_paths.get_full_path(MODEL_FOLDER, name)
    if found is None:
        raise InputError(f"There is no file {name!r} in models/{MODEL_FOLDER}; choose one that the list offers.")
    return Path(found)


def own_state(name: str) -> State | None:
    """The paths.state_of such a file."""
    found = folder_paths.get_full_path(MODEL_FOLDER, name)
    return None if found is None else state_of(Path(found))


def _own_files() -> list[str]:
    return sorted(n for n in folder_paths.get_filename_list(MODEL_FOLDER) if n.endswith(".safetensors"))


def _is_personal(name: str) -> bool:
    return Path(name).parts[0] == PERSONAL_FOLDER
