"""The method "personal": a model of one person fills the crops, frame by frame."""

from pathlib import Path

import torch

from ..errors import InputError
from ..models.personal_deocclusion import SIDE, PersonalConfig, PersonalDeocclusion
from .evi_filler import fast_in_bfloat16
from .filler import Window

WINDOW = 8  # frames that share one pass; the result does not depend on it


class PersonalFiller:
    """Fills holes with a model of the person (models.personal_deocclusion). It needs no reference.

    network: see load_personal. It draws crops of 256 pixels, whatever the size of the face.
    """

    name = "personal"
    needs_alignment = False
    needs_memory = False
    window = WINDOW
    crop_side = SIDE

    def __init__(self, network: PersonalDeocclusion):
        self._net = network

    def fill(self, window: Window, state: None) -> tuple[torch.Tensor, None]:
        device = next(self._net.parameters()).device
        frames, masks = (x.to(device, memory_format=torch.channels_last) for x in (window.crops, window.masks))
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=fast_in_bfloat16(device)):
            drawn = self._net(frames, masks)
        return drawn.float().clamp(0, 1).cpu(), None


def load_personal(path: Path) -> PersonalDeocclusion:
    """The network of a file that `hmd-removal train personal` wrote, on the GPU if there is one, in evaluation mode.

    Raises InputError when there is no such file, or it holds another network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            config = PersonalConfig.from_metadata(file.metadata() or {})
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise InputError(f"Expected a personal model in {path}, which cannot be read: {error}.") from error
    net = PersonalDeocclusion(config)
    net.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in state.items()})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
