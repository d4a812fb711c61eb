"""Inpaint Baseline: the methods that the others are measured against, for graphs that show them side by side."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..restore.filler import Filler
from ..restore.registry import COMPARED, make_filler
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .networks import compared_filler, own_weights
from .progress import progress_bar
from .schema import known
from .sockets import SEARCH_ALIASES, ReferenceSocket
from .widgets import covered_face_inputs, hidden_landmarks_input

WITHOUT_NETWORK = ("telea", "static", "warp")
NO_FILE = "none"


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
            search_aliases=[*SEARCH_ALIASES, "compare", "benchmark", "telea", "lgtsm", "combcn", "lafin"],
            inputs=[
                *covered_face_inputs(),
                io.Combo.Input(
                    "method",
                    options=[*WITHOUT_NETWORK, *COMPARED],
                    default=WITHOUT_NETWORK[0],
                    tooltip=(
                        "telea: OpenCV's inpainting, which knows nothing of faces. static: the reference pasted as it "
                        "is. warp: as Warp Reference does. lgtsm, combcn, lafin: networks of other papers, for which "
                        "weights must be chosen; they draw the face without a reference."
                    ),
                ),
                io.Combo.Input(
                    "weights",
                    options=[NO_FILE, *own_weights()],
                    default=NO_FILE,
                    tooltip=(
                        "For lgtsm, combcn and lafin: a file that you trained and put into ComfyUI's "
                        "models/hmd_removal."
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
        weights: str,
        landmarks: str,
        reference: Reference | None = None,
    ) -> io.NodeOutput:
        from ..restore.clip import deocclude_clip

        restored = deocclude_clip(
            image[..., :3].cpu(),
            mask.cpu(),
            face_track,
            reference,
            method=_filler(method, weights, reference),
            landmarks=landmarks,
            progress=progress_bar(),
        )
        return io.NodeOutput(restored)


def _filler(method: str, weights: str, reference: Reference | None) -> Filler:
    if method not in COMPARED:
        return make_filler(method, reference)
    if weights == NO_FILE:
        raise InputError(
            f"The method {method!r} needs weights, which do not come with the pack: train them with hmd-removal train "
            "compared, put the file into ComfyUI's models/hmd_removal, and choose it."
        )
    return compared_filler(method, weights)
