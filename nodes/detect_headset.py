"""Detect Headset: the headset that is worn in the footage, as a mask."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..headset.draw import HEADSETS
from ..tracking.track import FaceTrack
from .frames import image_of, pictures
from .progress import counted
from .schema import known
from .sockets import SEARCH_ALIASES, FaceTrackSocket
from .widgets import shift_inputs

AUTOMATIC = "auto"


class DetectHeadset(io.ComfyNode):
    """IMAGE and FACE_TRACK to the MASK of the headset on that face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DetectHeadset",
            display_name="DetectHeadset",
            category="HMD Removal/Mask",
            description=(
                "Finds the headset that a person wears and gives its mask, sharp, steady and a little generous. Where "
                "it is a little off, correct it here; a mask from any other node does as well everywhere."
            ),
            search_aliases=[*SEARCH_ALIASES, "segment headset", "goggles mask", "device mask", "auto mask"],
            inputs=[
                io.Image.Input("image", tooltip="The frames of one clip with the headset, in order."),
                FaceTrackSocket.Input(
                    "face_track",
                    tooltip=(
                        "The face in these frames, from Detect Face Landmarks with its detector at 'covered' or 'auto'."
                    ),
                ),
                io.Combo.Input(
                    "preset",
                    options=[AUTOMATIC, *HEADSETS],
                    default=AUTOMATIC,
                    tooltip=(
                        "The device, if one of these is near to it: its outline then steadies the mask. auto fits an "
                        "outline of any size to what is seen."
                    ),
                ),
                io.Float.Input(
                    "grow",
                    default=0.0,
                    min=-2.0,
                    max=5.0,
                    step=0.1,
                    tooltip="Centimetres on the head by which to widen the mask all around; negative makes it smaller.",
                ),
                *shift_inputs(),
            ],
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
    ) -> io.NodeOutput:
        from ..headset.sources import DetectedHeadset
        from ..tracking.preview import describe_masks, draw_mask

        face_track.require_clip(len(image), tuple(image.shape[1:3]))
        if all(device is None for device in face_track.devices):
            raise InputError(
                "The face track is that of an uncovered face: if a headset covers it, set detector to 'covered' in "
                "Detect Face Landmarks."
            )
        headset = DetectedHeadset(None if preset == AUTOMATIC else preset, grow, (shift_x, shift_y))
        frames = counted(pictures(image), len(image))
        masks, preview = torch.empty(image.shape[:3]), torch.empty(*image.shape[:3], 3)
        for t, found in enumerate(headset.mask(zip(frames, face_track, strict=True))):
            masks[t], preview[t] = torch.from_numpy(found.mask), image_of(draw_mask(found.pixels, found.mask))[0]
        return io.NodeOutput(masks, preview, describe_masks(masks.numpy()))
