"""Warp Reference: the hole filled with the person's own re-posed reference."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..driving.eye_tracking import TrackingData
from ..restore.engine import EYES
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .filling import filled, wanted_eyes
from .schema import known
from .sockets import SEARCH_ALIASES
from .widgets import (
    covered_clip_inputs,
    eyes_input,
    fps_input,
    landmarks_input,
    reference_input,
    restored_output,
    tracking_input,
)


class WarpReference(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and HMD_REFERENCE to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_WarpReference",
            display_name="Warp Reference",
            category="HMD Removal/Inpaint",
            description=(
                "Fills the masked part of the face with the reference, turned and shaped to the head in every frame, "
                "matched in colour and blended in. Pixels outside the mask and a narrow feather stay bit for bit as "
                "they were. Needs no model."
            ),
            search_aliases=[*SEARCH_ALIASES, "WarpReference", "reenact", "face warp", "remove headset", "restore face"],
            inputs=[
                *covered_clip_inputs(),
                reference_input(),
                landmarks_input(),
                tracking_input(),
                eyes_input(),
                fps_input(),
            ],
            outputs=[restored_output()],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        mask: torch.Tensor,
        face_track: FaceTrack,
        reference: Reference,
        landmarks: str,
        tracking: TrackingData | None = None,
        eyes: str = EYES[0],
        fps: float = 25.0,
    ) -> io.NodeOutput:
        wanted = wanted_eyes(image, face_track, tracking, eyes, fps)
        return filled(image, mask, face_track, reference, landmarks, wanted, method="warp", fps=fps)
