"""Draw HMD Mask: a drawn headset that follows the head, and its mask."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..headset.draw import HEADSETS, HeadsetArtist
from ..headset.draw import preset as headset_of
from ..tracking.track import FaceTrack
from .progress import counted
from .schema import known
from .sockets import SEARCH_ALIASES
from .widgets import DEVICES, face_track_input, grow_input, image_input


class DrawHMDMask(io.ComfyNode):
    """IMAGE and FACE_TRACK to the frames with a headset drawn on them, and its MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DrawHMDMask",
            display_name="Draw HMD Mask",
            category="HMD Removal/Try out",
            description=(
                "Draws a headset that turns with the head: on uncovered video to try a method out, or only as a mask, "
                "where Detect Headset does not find a real one."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "DrawHMDMask",
                "face mask",
                "simulate headset",
                "occlusion mask",
                "goggles",
            ],
            inputs=[
                image_input(),
                face_track_input(),
                io.Combo.Input(
                    "preset", options=list(HEADSETS), default="quest", tooltip=f"The headset to draw. {DEVICES}"
                ),
                grow_input(),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    control_after_generate=False,
                    tooltip="Decides the grain of the drawn headset.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "covered",
                    display_name="image with headset",
                    tooltip="The frames with the headset drawn on them; every other pixel is unchanged.",
                ),
                io.Mask.Output(
                    "mask",
                    display_name="mask",
                    tooltip="White where the headset is, one mask for each frame; empty in frames without a face.",
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
        seed: int,
        **removed: Any,  # shape, which older graphs may have connected
    ) -> io.NodeOutput:
        face_track.require_clip(len(image), tuple(image.shape[1:3]))
        artist = HeadsetArtist(headset_of(preset), grow=grow, seed=seed)
        image = image[..., :3].cpu()
        covered, masks = torch.empty(image.shape), torch.empty(image.shape[:3])
        for t, frame in enumerate(counted(image, len(image))):
            drawn, mask = artist.draw(frame.contiguous().numpy(), face_track[t])
            covered[t], masks[t] = torch.from_numpy(drawn), torch.from_numpy(mask)
        return io.NodeOutput(covered, masks)
