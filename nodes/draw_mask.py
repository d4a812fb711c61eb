"""Draw HMD Mask: a headset, real or simulated, as a mask that follows the head."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..headset.draw import HEADSETS, SHAPES, HeadsetArtist
from ..headset.draw import preset as headset_of
from ..tracking.track import FaceTrack
from .progress import counted
from .schema import known
from .sockets import SEARCH_ALIASES, FaceTrackSocket


class DrawHMDMask(io.ComfyNode):
    """IMAGE and FACE_TRACK to the frames with a headset drawn on them, and its MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DrawHMDMask",
            display_name="DrawHMDMask",
            category="HMD Removal/Mask",
            description=(
                "Draws a headset that turns with the head: on uncovered video to try a method out, or only as a mask "
                "to place by hand where Detect Headset does not find a real one."
            ),
            search_aliases=[*SEARCH_ALIASES, "face mask", "simulate headset", "occlusion mask", "goggles"],
            inputs=[
                io.Image.Input("image", tooltip="The frames to draw on."),
                FaceTrackSocket.Input("face_track", tooltip="The face in these frames, from Detect Face Landmarks."),
                io.Combo.Input(
                    "preset",
                    options=list(HEADSETS),
                    default="quest",
                    tooltip=(
                        "The headset: band is a bar over the eyes, as in research papers; quest, psvr, visionpro and "
                        "index look like those devices and are as large; phone is a holder for one, and glasses are "
                        "smart glasses that hide little more than the eyes."
                    ),
                ),
                io.Combo.Input(
                    "shape",
                    options=list(SHAPES),
                    default="box",
                    tooltip=(
                        "box follows every turn of the head, flat is a rectangle that only moves, scales and tilts, "
                        "freeform is a blob of brush strokes around the eyes."
                    ),
                ),
                io.Float.Input(
                    "grow",
                    default=0.0,
                    min=-2.0,
                    max=5.0,
                    step=0.1,
                    tooltip="Margin around the headset in centimetres on the head; negative makes it smaller.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    control_after_generate=False,
                    tooltip="Decides the brush strokes of the freeform shape, and the grain of a drawn headset.",
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
        cls, image: torch.Tensor, face_track: FaceTrack, preset: str, shape: str, grow: float, seed: int
    ) -> io.NodeOutput:
        face_track.require_clip(len(image), tuple(image.shape[1:3]))
        artist = HeadsetArtist(headset_of(preset), shape=shape, grow=grow, seed=seed)
        image = image[..., :3].cpu()
        covered, masks = torch.empty(image.shape), torch.empty(image.shape[:3])
        for t, frame in enumerate(counted(image, len(image))):
            drawn, mask = artist.draw(frame.contiguous().numpy(), face_track[t])
            covered[t], masks[t] = torch.from_numpy(drawn), torch.from_numpy(mask)
        return io.NodeOutput(covered, masks)
