"""The method "evi-hrnet": the network fills the crops, window by window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from einops import rearrange

from ..errors import InputError
from ..faces.contour import contour_image
from ..faces.reference import Reference
from ..faces.registration import Evidence
from ..models.evi_hrnet import EVIHRnet, State, load
from .filler import Window
from .methods import fitted_reference, reference_crop

WINDOW = 8  # frames that share one pass; the result does not depend on it
PRECISIONS = ("auto", "float32", "bfloat16")
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class EVIState:
    """What has to be remembered of a clip. features: the network's; evidence: of where the reference belongs."""

    features: State
    evidence: Evidence | None


class EVIFiller:
    """Fills holes with EVI-HRnet.

    network: see models.evi_hrnet.load; it stays on its device, and may be moved to another one between windows.
    crop_side: of the crops; None for the size of the face where the network corrects the aligned reference, which keeps
    the details of a large picture, and for the network's own size where it draws every pixel. precision: "auto" is
    bfloat16 where the device calculates faster in it. Points that are out of sight are drawn as guesses, where the
    landmarks leave them. A window that does not fit into the device's memory is halved, down to single frames.

    Raises InputError for an unknown precision.
    """

    name = "evi-hrnet"
    needs_alignment = True
    window = WINDOW

    def __init__(
        self, network: EVIHRnet, reference: Reference, crop_side: int | None = None, precision: Precision = "auto"
    ):
        if precision not in PRECISIONS:
            raise InputError(f"Expected a precision out of {', '.join(PRECISIONS)}, got {precision!r}.")
        self._draws = network.config.variant == "paper"
        self.needs_memory = not self._draws
        self.crop_side = crop_side or (network.config.side if self._draws else None)
        self._net, self._reference, self._precision = network, reference, precision

    def fill(self, window: Window, state: EVIState | None) -> tuple[torch.Tensor, EVIState]:
        try:
            return self._fill(window, state)
        except torch.OutOfMemoryError:
            length = len(window.crops)
            if length == 1:
                raise
        first, state = self.fill(window.part(0, length // 2), state)
        second, state = self.fill(window.part(length // 2, length), state)
        return torch.cat([first, second]), state

    def _fill(self, window: Window, state: EVIState | None) -> tuple[torch.Tensor, EVIState]:
        side, large = self._net.config.side, window.crops.shape[-1]
        device = next(self._net.parameters()).device
        if self._draws:
            still = torch.from_numpy(reference_crop(self._reference, large)).permute(2, 0, 1).float() / 255
            reference = still.expand_as(window.crops)
            evidence = None
        else:
            reference, evidence = fitted_reference(window, None if state is None else state.evidence)
        points = (window.points[..., :2] + 0.5) * (side / large) - 0.5
        lines = [contour_image(p, side, known) for p, known in zip(points, window.visibility, strict=True)]
        hole = (resized(window.masks, side) > 0).float()
        small = [
            resized(window.crops, side),
            hole,
            torch.from_numpy(np.stack(lines))[:, None],
            resized(reference, side),
        ]
        if not self._draws:
            memory = torch.cat([window.remembered * window.in_memory, window.in_memory.float()], 1)
            small.append(known_whole(resized(memory, side)))
        clip = [x.to(device)[None] for x in small]
        past = None if state is None else state.features
        precision = torch.bfloat16 if self._in_bfloat16(device) else torch.float32
        with torch.inference_mode(), torch.autocast(device.type, precision, enabled=precision != torch.float32):
            if self._draws:
                filled, features = self._net(*clip, state=past)
            else:
                correction, features = self._net.correct(*clip, past)
                filled = correction.of(reference.to(device)[None], memory.to(device)[None])
        filled = filled[0].float().clamp(0, 1).cpu()
        return resized(filled, large), EVIState(features, evidence)

    def _in_bfloat16(self, device: torch.device) -> bool:
        return fast_in_bfloat16(device) if self._precision == "auto" else self._precision == "bfloat16"


def fast_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # older torch does not say
        return False
    able = torch.cpu.get_capabilities()
    return able.get("amx_bf16", False) or able.get("avx512_bf16", False)


def known_whole(memory: torch.Tensor) -> torch.Tensor:
    """A shrunk (..., 4, S, S) memory without the pixels of which only a part is known."""
    return memory * (memory[..., 3:, :, :] > 1 - 1e-3)


def resized(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """(T, C, S, S) float32 to (T, C, side, side), averaged where they shrink, as what the networks are trained on."""
    before = pictures.shape[-1]
    if side == before:
        return pictures
    how = cv2.INTER_AREA if side < before else cv2.INTER_LINEAR
    images = rearrange(pictures, "t c h w -> t h w c").numpy()
    small = np.stack([cv2.resize(image, (side, side), interpolation=how) for image in images])
    return rearrange(torch.from_numpy(small.reshape(*small.shape[:3], -1)), "t h w c -> t c h w")


def load_network(weights: Path) -> EVIHRnet:
    """The network of a file, on the GPU if there is one. Raises InputError for a file of another network."""
    return load(weights).to("cuda" if torch.cuda.is_available() else "cpu")
