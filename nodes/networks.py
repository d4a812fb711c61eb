"""The pack's networks under ComfyUI's management of devices and memory."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import folder_paths
from comfy import model_management
from comfy.model_patcher import ModelPatcher

from ..deocclusion.evi_filler import EVIFiller
from ..deocclusion.filler import Filler
from ..deocclusion.methods import EVI_WEIGHTS, make_filler
from ..errors import InputError
from ..faces.reference import Reference
from ..models import evi_hrnet, weights
from ..models.manifest import manifest
from . import MODEL_FOLDER


def evi_weights() -> list[str]:
    """What a widget offers: the weights that come with the pack, and the user's own files in models/hmd_removal."""
    known = {weight.file for weight in manifest().values()}
    own = (name for name in folder_paths.get_filename_list(MODEL_FOLDER) if name.endswith(".safetensors"))
    return [EVI_WEIGHTS, *sorted(name for name in own if name not in known)]


def evi_filler(
    reference: Reference, *, name: str = EVI_WEIGHTS, crop_side: int | None = None, precision: str = "auto"
) -> EVIFiller:
    """The method "evi-hrnet" with weights out of `evi_weights`, on the device that ComfyUI chooses.

    Raises InputError for a file that is not there or holds another network.
    """
    if name == EVI_WEIGHTS:
        path = weights.resolve(name)
    else:
        found = folder_paths.get_full_path(MODEL_FOLDER, name)
        if found is None:
            raise InputError(f"There is no file {name!r} in models/{MODEL_FOLDER}; choose one that the list offers.")
        path = Path(found)
    patcher = _patcher(path, path.stat().st_mtime_ns)
    model_management.load_models_gpu([patcher])
    return EVIFiller(patcher.model, reference, crop_side, precision)


def managed_filler(method: str, reference: Reference) -> Filler:
    """A method by its name; its network, if it has one, on the device that ComfyUI chooses."""
    return evi_filler(reference) if method == EVIFiller.name else make_filler(method, reference)


@lru_cache(maxsize=2)
def _patcher(path: Path, changed: int) -> ModelPatcher:
    """The network in the form in which ComfyUI moves it between devices. changed: the file's time."""
    return ModelPatcher(
        evi_hrnet.load(path), model_management.get_torch_device(), model_management.unet_offload_device()
    )
