"""Warp Reference: the hole filled with the person's own re-posed reference."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..faces.reference import Reference
from ..faces.track import FaceTrack
from .progress import progress_bar
from .schema import known
from .sockets import SEARCH_ALIASES, FaceTrackSocket, ReferenceSocket


class WarpReference(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and HMD_REFERENCE to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..deocclusion.clip import LANDMARKS

        return known(
            io.Schema,
            node_id="HMD_WarpReference",
            display_name="WarpReference",
            category="HMD Removal/Inpaint",
            description=(
                "Fills the masked part of the face with the reference, turned and shaped to the head in every frame, "
                "matched in colour and blended in. Pixels outside the mask and a narrow feather stay bit for bit as "
                "they were. Needs no model."
            ),
            search_aliases=[*SEARCH_ALIASES, "reenact", "face warp", "remove headset", "restore face"],
            inputs=[
                io.Image.Input("image", tooltip="The frames with the covered face."),
                io.Mask.Input(
                    "mask", tooltip="White where the face is to be filled in: one mask for all frames, or one for each."
                ),
                FaceTrackSocket.Input("face_track", tooltip="The face in these frames, from Detect Face Landmarks."),
                ReferenceSocket.Input(
                    "reference", tooltip="The same person without the headset, from Pick Reference Frame."
                ),
                io.Combo.Input(
                    "landmarks",
                    options=list(LANDMARKS),
                    default="visible",
                    tooltip=(
                        "visible: landmarks under the mask are worked out from those in sight; right for every real "
                        "video. oracle: the track's own landmarks under the mask are used, for experiments where the "
                        "face was detected before a headset was drawn on it."
                    ),
                ),
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
        landmarks: str,
    ) -> io.NodeOutput:
        from ..deocclusion.clip import deocclude_clip

        restored = deocclude_clip(
            image[..., :3].cpu(),
            mask.cpu(),
            face_track,
            reference,
            method="warp",
            landmarks=landmarks,
            progress=progress_bar(),
        )
        return io.NodeOutput(restored)
