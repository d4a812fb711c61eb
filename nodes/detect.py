"""Detect Face Landmarks: one person's face followed through the frames."""

from __future__ import annotations

from itertools import repeat

import torch
from comfy_api.latest import io

from ..faces.reference import Reference
from ..faces.track import MAX_GAP, ON_MISSING, detect_track
from .frames import image_of, pictures
from .progress import counted
from .schema import known
from .sockets import SEARCH_ALIASES, FaceTrackSocket, ReferenceSocket


class DetectFaceLandmarks(io.ComfyNode):
    """IMAGE, and what covers the face in it, to FACE_TRACK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DetectFaceLandmarks",
            display_name="DetectFaceLandmarks",
            category="HMD Removal/Detect",
            description=(
                "Finds 478 landmarks, expression and head pose of one person in every frame. Where something covers "
                "the face, connect a mask of it and a reference of the person: the landmarks get far better."
            ),
            search_aliases=[*SEARCH_ALIASES, "face mesh", "mediapipe", "face tracking", "head pose", "landmarks"],
            inputs=[
                io.Image.Input("image", tooltip="The frames of one clip, in order."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "White where something covers the face: one mask for all frames, or one for each. Landmarks "
                        "under it are marked as hidden. Leave it open for an uncovered face."
                    ),
                ),
                ReferenceSocket.Input(
                    "reference",
                    optional=True,
                    tooltip="The uncovered person, from Pick Reference Frame. Helps where a mask is connected.",
                ),
                io.Int.Input(
                    "face",
                    default=0,
                    min=0,
                    max=9,
                    tooltip=(
                        "Whom to follow where several people are in the picture, by the size of their faces in the "
                        "first frame: 0 the largest, 1 the next largest and so on."
                    ),
                ),
                io.Combo.Input(
                    "on_missing",
                    options=list(ON_MISSING),
                    default="interpolate",
                    tooltip=(
                        f"Frames without a face: interpolate between their neighbours (gaps up to {MAX_GAP} frames), "
                        "hold the last position, leave them untouched, or stop with an error."
                    ),
                ),
                io.Boolean.Input(
                    "draw_preview",
                    default=True,
                    tooltip=(
                        "Draw the landmarks on a copy of the frames. Off, the preview is the frames as they came, "
                        "which saves memory."
                    ),
                ),
            ],
            outputs=[
                FaceTrackSocket.Output(
                    "face_track", display_name="face track", tooltip="The face in every frame, without gaps."
                ),
                io.Image.Output(
                    "preview",
                    display_name="preview",
                    tooltip=(
                        "The frames with landmarks: green where seen, orange where hidden, blue in frames that are "
                        "interpolated. Frames without a face say so."
                    ),
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="How many frames have a face, and which ones are interpolated or without.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        face: int,
        on_missing: str,
        draw_preview: bool,
        mask: torch.Tensor | None = None,
        reference: Reference | None = None,
    ) -> io.NodeOutput:
        from ..deocclusion.clip import fitting_masks
        from ..faces.covered import ReferenceGuidedDetector
        from ..faces.detector import MediaPipeDetector
        from ..faces.preview import draw_face

        masks = None if mask is None else fitting_masks(image, mask.cpu()).numpy()
        with MediaPipeDetector() as detector:
            track = detect_track(
                counted(pictures(image), len(image)),
                tuple(image.shape[1:3]),
                repeat(None) if masks is None else masks,
                face=face,
                on_missing=on_missing,
                detector=detector if reference is None else ReferenceGuidedDetector(detector, reference),
            )
        if masks is not None:
            track = track.covered_by(masks)
        preview = image
        if draw_preview:
            preview = torch.empty(*image.shape[:3], 3)
            for t, picture in enumerate(pictures(image)):
                preview[t] = image_of(draw_face(picture, track[t], t))[0]
        return io.NodeOutput(track, preview, track.summary())
