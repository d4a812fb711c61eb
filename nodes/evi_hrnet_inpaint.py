"""EVI-HRnet Inpaint: the hole filled by the network from the person's reference."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .networks import evi_filler, evi_weights
from .progress import progress_bar
from .schema import known
from .sockets import SEARCH_ALIASES
from .widgets import covered_clip_inputs, crop_size_input, hidden_landmarks_input, precision_input


class EVIHRnetInpaint(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and HMD_REFERENCE to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_EVIHRnetInpaint",
            display_name="EVIHRnetInpaint",
            category="HMD Removal/Inpaint",
            description=(
                "Fills the masked part of the face with EVI-HRnet: the reference is turned to the head and put right "
                "where it does not meet its surroundings, frame after frame; and what earlier frames, or the "
                "reference itself, showed where the headset is now is recalled where that fits better. Pixels outside "
                "the mask and a narrow feather stay bit for bit as they were."
            ),
            search_aliases=[*SEARCH_ALIASES, "video inpainting", "remove headset", "restore face", "neural"],
            inputs=[
                *covered_clip_inputs(),
                io.Combo.Input(
                    "weights",
                    options=evi_weights(),
                    tooltip="The pack's own, or a file that you trained and put into ComfyUI's models/hmd_removal.",
                ),
                hidden_landmarks_input(),
                crop_size_input(),
                precision_input(),
            ],
            outputs=[io.Image.Output("restored", display_name="image", tooltip="The frames with the face filled in.")],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        mask: torch.Tensor,
        face_track: FaceTrack,
        reference: Reference,
        weights: str,
        landmarks: str,
        crop_size: int = 0,
        precision: str = "auto",
    ) -> io.NodeOutput:
        from ..restore.clip import deocclude_clip

        progress = progress_bar()
        filler = evi_filler(reference, name=weights, crop_side=crop_size or None, precision=precision)
        frames = image[..., :3].cpu()
        restored = deocclude_clip(
            frames, mask.cpu(), face_track, reference, method=filler, landmarks=landmarks, progress=progress
        )
        return io.NodeOutput(restored)
