"""Detect Headset: the headset that is worn in the footage, as a mask."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..tracking.track import FaceTrack
from .frames import image_of, pictures
from .progress import counted
from .schema import known
from .shown import frames_shown, shown
from .sockets import SEARCH_ALIASES
from .widgets import face_track_input, grow_input, image_input, preset_input, preset_name, shift_inputs, straps_input


class DetectHeadset(io.ComfyNode):
    """IMAGE and FACE_TRACK to the MASK of the headset on that face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DetectHeadset",
            display_name="Detect Headset",
            category="HMD Removal/Mask",
            description=(
                "Finds the headset that a person wears and gives its mask, sharp, steady and a little generous. Where "
                "it is a little off, correct it here; a mask from any other node does as well everywhere."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "DetectHeadset",
                "segment headset",
                "goggles mask",
                "device mask",
                "auto mask",
            ],
            inputs=[image_input(), face_track_input(), preset_input(), grow_input(), *shift_inputs(), straps_input()],
            outputs=[
                io.Mask.Output(
                    "mask",
                    display_name="mask",
                    tooltip="White where the headset is, one mask for each frame; empty in frames without one.",
                ),
                io.Image.Output(
                    "preview", display_name="preview", tooltip="The frames with the mask in orange, and its outline."
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="In how many frames a headset was found, and how large."
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        face_track: FaceTrack,
        preset: str,
        grow: float,
        shift_x: float = 0.0,
        shift_y: float = 0.0,
        straps: bool = True,
    ) -> io.NodeOutput:
        from ..headset.sources import DetectedHeadset
        from ..tracking.preview import describe_masks, draw_mask

        face_track.require_clip(len(image), tuple(image.shape[1:3]))
        headset = DetectedHeadset(preset_name(preset), grow, (shift_x, shift_y), straps)
        frames = counted(pictures(image), len(image))
        masks, preview = torch.empty(image.shape[:3]), torch.empty(*image.shape[:3], 3)
        for t, (frame, mask, *_) in enumerate(headset.mask(zip(frames, face_track, strict=True))):
            masks[t], preview[t] = torch.from_numpy(mask), image_of(draw_mask(frame, mask))[0]
        report = describe_masks(masks.numpy())
        return io.NodeOutput(masks, preview, report, ui=shown(report, frames_shown(preview)))
