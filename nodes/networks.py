"""The pack's networks under ComfyUI's management of devices and memory."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import folder_paths
from comfy import model_management
from comfy.model_patcher import ModelPatcher
from torch import nn

from .. import weights
from ..errors import InputError
from ..lab.compare.filler import ComparedFiller
from ..lab.networks import compared
from ..models import evi_hrnet
from ..restore.evi import EVIFiller
from ..restore.filler import Filler
from ..restore.personal import AS_USUAL, PersonalFiller, PersonalModel, Use, read_personal
from ..restore.registry import EVI_WEIGHTS, make_filler
from ..tracking.reference import Reference
from ..weights.manifest import manifest
from . import MODEL_FOLDER

PERSONAL_FOLDER = "personal"  # of MODEL_FOLDER


def evi_weights() -> list[str]:
    """What a widget offers: the weights that come with the pack, and the user's own."""
    return [EVI_WEIGHTS, *own_weights()]


def own_weights() -> list[str]:
    """What a widget offers: the user's own files in models/hmd_removal."""
    known = {weight.file for weight in manifest().values()}
    return [name for name in _own_files() if name not in known and not _is_personal(name)]


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


def evi_filler(
    reference: Reference, *, name: str = EVI_WEIGHTS, crop_side: int | None = None, precision: str = "auto"
) -> EVIFiller:
    """The method "evi-hrnet" with weights out of `evi_weights`, on the device that ComfyUI chooses.

    Raises InputError for a file that is not there or holds another network.
    """
    path = weights.resolve(name) if name == EVI_WEIGHTS else own_file(name)
    patcher = _evi_hrnet(path, path.stat().st_mtime_ns)
    model_management.load_models_gpu([patcher])
    return EVIFiller(patcher.model, reference, crop_side, precision)


def compared_filler(method: str, name: str) -> ComparedFiller:
    """One of the methods restore.registry.COMPARED with weights out of `own_weights`, on the device that ComfyUI
    chooses.

    Raises InputError for a file that is not there or holds another network.
    """
    path = own_file(name)
    patcher = _compared(path, path.stat().st_mtime_ns, method)
    model_management.load_models_gpu([patcher])
    return ComparedFiller(patcher.model)


def personal_filler(
    path: Path,
    *,
    crop_side: int | None = None,
    precision: str = "auto",
    use: Use = AS_USUAL,
) -> PersonalFiller:
    """The method "personal" with the model of a file, on the device that ComfyUI chooses.

    Raises InputError for a file that is not there or holds no personal model.
    """
    if not path.is_file():
        raise InputError(f"The personal model {path.name} is not there any more; train it again, or choose another.")
    model, patcher = _personal(path, path.stat().st_mtime_ns)
    model_management.load_models_gpu([patcher])
    return PersonalFiller(model, crop_side, precision, use=use)


def managed_filler(method: str, reference: Reference, personal: Path | None = None) -> Filler:
    """A method by its name; its network, if it has one, on the device that ComfyUI chooses."""
    if method == EVIFiller.name:
        return evi_filler(reference)
    if method == PersonalFiller.name and personal is not None:
        return personal_filler(personal)
    return make_filler(method, reference)


# Of a file that was written anew (its time is another) the network is read anew.
@lru_cache(maxsize=2)
def _evi_hrnet(path: Path, changed: int) -> ModelPatcher:
    return _managed(evi_hrnet.load(path))


@lru_cache(maxsize=2)
def _compared(path: Path, changed: int, method: str) -> ModelPatcher:
    return _managed(compared.load(path, method))


@lru_cache(maxsize=2)
def _personal(path: Path, changed: int) -> tuple[PersonalModel, ModelPatcher]:
    model = read_personal(path)
    return model, _managed(model.network)


def _managed(network: nn.Module) -> ModelPatcher:
    """The network in the form in which ComfyUI moves it between devices."""
    return ModelPatcher(network, model_management.get_torch_device(), model_management.unet_offload_device())


def _own_files() -> list[str]:
    return sorted(n for n in folder_paths.get_filename_list(MODEL_FOLDER) if n.endswith(".safetensors"))


def _is_personal(name: str) -> bool:
    return Path(name).parts[0] == PERSONAL_FOLDER
