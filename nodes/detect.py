"""Detect Face Landmarks: one person's face followed through the frames."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..tracking.covered import MODES
from ..tracking.follow import Wearer, box_of, visible_track
from ..tracking.reference import Reference
from ..tracking.track import MAX_GAP, ON_MISSING
from .frames import image_of, pictures
from .progress import counted
from .schema import known
from .sockets import SEARCH_ALIASES, FaceTrackSocket, ReferenceSocket
from .widgets import detector_inputs


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
                "Finds 478 landmarks and the head pose of one person in every frame, also behind a headset, where it "
                "tells which landmarks are hidden and how uncertain each of them is."
            ),
            search_aliases=[*SEARCH_ALIASES, "face mesh", "mediapipe", "face tracking", "head pose", "landmarks"],
            inputs=[
                io.Image.Input("image", tooltip="The frames of one clip, in order."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "White where something covers the face: one mask for all frames, or one for each. Landmarks "
                        "under it are marked as hidden. Not needed to find a face behind a headset."
                    ),
                ),
                ReferenceSocket.Input(
                    "reference",
                    optional=True,
                    tooltip=(
                        "The uncovered person, from Pick Reference Frame. Together with a mask it guides the search, "
                        "unless detector is 'covered'."
                    ),
                ),
                io.Int.Input(
                    "face",
                    default=0,
                    min=0,
                    max=9,
                    tooltip=(
                        "Whom to follow where several people are in the picture, by the size of their faces in the "
                        "first frame: 0 the largest, 1 the next largest and so on. With a mask: whoever is behind it."
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
                *detector_inputs(),
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
                        "interpolated. Circles show how uncertain some of them are. Frames without a face say so."
                    ),
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip=(
                        "How many frames have a face, which ones are interpolated or without, and which detector "
                        "looked."
                    ),
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
        detector: str = MODES[0],
        face_box: str = "",
    ) -> io.NodeOutput:
        from ..restore.clip import fitting_masks
        from ..tracking.preview import draw_face

        masks = None if mask is None else fitting_masks(image, mask.cpu()).numpy()
        track, looked = visible_track(
            counted(pictures(image), len(image)),
            tuple(image.shape[1:3]),
            Wearer(face, on_missing, detector, box_of(face_box)),
            masks=masks,
            reference=reference,
        )
        if masks is not None:
            track = track.covered_by(masks)
        preview = image
        if draw_preview:
            preview = torch.empty(*image.shape[:3], 3)
            for t, picture in enumerate(pictures(image)):
                preview[t] = image_of(draw_face(picture, track[t], t))[0]
        return io.NodeOutput(track, preview, f"{track.summary()} Detector: {looked}.")
