"""Inpaint Baseline: the methods that the others are measured against, for graphs that show them side by side."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..faces.reference import Reference
from ..faces.track import FaceTrack
from .progress import progress_bar
from .schema import known
from .sockets import SEARCH_ALIASES, ReferenceSocket
from .widgets import covered_face_inputs, hidden_landmarks_input

BASELINES = ("telea", "static", "warp")


class InpaintBaseline(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and, for some methods, HMD_REFERENCE to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_InpaintBaseline",
            display_name="InpaintBaseline",
            category="HMD Removal/Inpaint",
            description=(
                "Fills the masked part of the face with a simple method, or with a network of another paper, to "
                "compare the others with. Pixels outside the mask and a narrow feather stay bit for bit as they were."
            ),
            search_aliases=[*SEARCH_ALIASES, "compare", "benchmark", "telea", "lgtsm", "combcn", "lafin", "side by side"],
            inputs=[
                *covered_face_inputs(),
                io.Combo.Input(
                    "method",
                    options=list(BASELINES),
                    default=BASELINES[0],
                    tooltip=(
                        "telea: OpenCV's inpainting, which knows nothing of faces. static: the reference pasted as it "
                        "is. warp: as Warp Reference does."
                    ),
                ),
                hidden_landmarks_input(),
                ReferenceSocket.Input(
                    "reference",
                    optional=True,
                    tooltip="For static and warp: the same person without the headset, from Pick Reference Frame.",
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
        method: str,
        landmarks: str,
        reference: Reference | None = None,
    ) -> io.NodeOutput:
        from ..deocclusion.clip import deocclude_clip

        restored = deocclude_clip(
            image[..., :3].cpu(),
            mask.cpu(),
            face_track,
            reference,
            method=method,
            landmarks=landmarks,
            progress=progress_bar(),
        )
        return io.NodeOutput(restored)
