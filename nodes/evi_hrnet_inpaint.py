"""EVI-HRnet Inpaint: the hole filled by the network from the person's reference."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..driving.eye_tracking import TrackingData
from ..restore.engine import EYES
from ..restore.registry import EVI_WEIGHTS
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .filling import filled, wanted_eyes
from .networks import evi_state, evi_weights, own_file
from .paths import State
from .schema import known
from .sockets import SEARCH_ALIASES
from .widgets import (
    covered_clip_inputs,
    eyes_input,
    fps_input,
    landmarks_input,
    precision_input,
    reference_input,
    restored_output,
    tracking_input,
)


class EVIHRnetInpaint(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and HMD_REFERENCE to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_EVIHRnetInpaint",
            display_name="EVI-HRnet Inpaint",
            category="HMD Removal/Inpaint",
            description=(
                "Fills the masked part of the face as Warp Reference does, and makes it fit: a network moves and tints "
                "the reference and draws over what is not there today, and what earlier frames showed in the same "
                "place is shown where that fits better. Pixels outside the mask and a narrow feather stay bit for bit "
                "as they were."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "EVIHRnetInpaint",
                "video inpainting",
                "remove headset",
                "restore face",
                "neural",
            ],
            inputs=[
                *covered_clip_inputs(),
                reference_input(),
                io.Combo.Input(
                    "weights",
                    options=evi_weights(),
                    tooltip="The pack's own, or a file that you trained and put into ComfyUI's models/hmd_removal.",
                ),
                landmarks_input(),
                precision_input(),
                tracking_input(),
                eyes_input(),
                fps_input(),
            ],
            outputs=[restored_output()],
        )

    @classmethod
    def fingerprint_inputs(cls, weights: str, **others: Any) -> State | None:
        return evi_state(weights)

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        mask: torch.Tensor,
        face_track: FaceTrack,
        reference: Reference,
        weights: str,
        landmarks: str,
        precision: str = "auto",
        tracking: TrackingData | None = None,
        eyes: str = EYES[0],
        fps: float = 25.0,
        **removed: Any,  # crop_size, which older graphs may have connected
    ) -> io.NodeOutput:
        return filled(
            image,
            mask,
            face_track,
            reference,
            landmarks,
            wanted_eyes(image, face_track, tracking, eyes, fps),
            method="evi-hrnet",
            fps=fps,
            weights=None if weights == EVI_WEIGHTS else own_file(weights),
            precision=precision,
        )
