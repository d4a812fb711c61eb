"""Inpaint Baseline: the methods that the others are measured against, for graphs that show them side by side."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .filling import filled, require_choice
from .schema import known
from .sockets import SEARCH_ALIASES
from .widgets import covered_clip_inputs, landmarks_input, reference_input, restored_output

METHODS = ("telea", "static", "warp")


class InpaintBaseline(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and, for some methods, HMD_REFERENCE to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_InpaintBaseline",
            display_name="Inpaint Baseline (for comparison)",
            category="HMD Removal/Compare",
            description=(
                "For comparison: fills the masked part of the face with a simple method, which a better one has to "
                "beat. Pixels outside the mask and a narrow feather stay bit for bit as they were."
            ),
            search_aliases=[*SEARCH_ALIASES, "InpaintBaseline", "compare", "benchmark", "telea"],
            inputs=[
                *covered_clip_inputs(),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=METHODS[0],
                    tooltip=(
                        "telea: OpenCV's inpainting, which knows nothing of faces. static: the reference pasted as it "
                        "is. warp: as Warp Reference does."
                    ),
                ),
                landmarks_input(),
                reference_input("For static and warp.", optional=True),
            ],
            outputs=[restored_output()],
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
        **removed: Any,  # weights, which older graphs may have connected
    ) -> io.NodeOutput:
        require_choice("method", method, METHODS, "networks of other papers are compared by hmd-removal lab")
        return filled(image, mask, face_track, reference, landmarks, method=method)
