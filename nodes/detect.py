"""Detect Face Landmarks: one person's face followed through the frames."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..tracking.follow import Wearer, box_of, track_clip
from ..tracking.heads import MODES
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack, FrameStatus
from .frames import image_of, pictures
from .networks import NOBODY, own_file, own_state, personal_models
from .paths import State
from .progress import counted
from .schema import known
from .shown import frames_shown, shown
from .sockets import SEARCH_ALIASES, FaceTrackSocket
from .widgets import face_box_input, face_input, image_input, on_missing_input, reference_input


class DetectFaceLandmarks(io.ComfyNode):
    """IMAGE, and what covers the face in it, to FACE_TRACK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DetectFaceLandmarks",
            display_name="Detect Face Landmarks",
            category="HMD Removal/Detect",
            description=(
                "Finds 478 landmarks and the head pose of one person in every frame, also behind a headset. There it "
                "says which landmarks are hidden and how uncertain each of them is."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "DetectFaceLandmarks",
                "face mesh",
                "mediapipe",
                "face tracking",
                "head pose",
                "landmarks",
            ],
            inputs=[
                image_input(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "White where something covers the face: one mask for all frames, or one for each. Landmarks "
                        "under it are marked as hidden. Not needed to find a face behind a headset."
                    ),
                ),
                reference_input(
                    "With it the landmarks behind a headset are calibrated to this very face.", optional=True
                ),
                face_input(),
                on_missing_input(),
                io.Boolean.Input(
                    "draw_preview",
                    default=True,
                    tooltip=(
                        "Draw the landmarks on a copy of the frames, and show them on the node. Off, the preview is "
                        "the frames as they came, which saves memory."
                    ),
                ),
                io.Combo.Input(
                    "detector",
                    options=list(MODES),
                    default=MODES[0],
                    optional=True,
                    tooltip=(
                        "auto: decides in every frame by what is seen of the eyes. uncovered: MediaPipe, the most "
                        "precise one for a face with nothing over the eyes. covered: the one for faces behind a "
                        "headset, in every frame."
                    ),
                ),
                face_box_input(),
                io.Combo.Input(
                    "personal_model",
                    options=[NOBODY, *personal_models()],
                    default=NOBODY,
                    optional=True,
                    tooltip=(
                        "A file of Train Personal, in ComfyUI's models/hmd_removal/personal: it knows where this "
                        "person's features are behind a headset. In place of a reference."
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
                        "interpolated. Circles show how uncertain some of them are. Frames without a face say so."
                    ),
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip=(
                        "How many frames have a face, which ones are interpolated or without, and in how many the "
                        "eyes are covered."
                    ),
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, personal_model: str = NOBODY, **others: Any) -> State | None:
        return None if personal_model == NOBODY else own_state(personal_model)

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
        personal_model: str = NOBODY,
    ) -> io.NodeOutput:
        from ..restore.engine import fitting_masks
        from ..restore.personal import read_reference
        from ..tracking.preview import draw_face

        if personal_model != NOBODY:
            reference = read_reference(own_file(personal_model))
        masks = None if mask is None else fitting_masks(image, mask.cpu()).numpy()
        track = track_clip(
            counted(pictures(image), len(image)),
            tuple(image.shape[1:3]),
            Wearer(face, on_missing, detector, box_of(face_box)),
            masks=masks,
            reference=reference,
        )
        if masks is not None:
            track = track.covered_by(masks)
        preview, look = image, None
        if draw_preview:
            preview = torch.empty(*image.shape[:3], 3)
            for t, picture in enumerate(pictures(image)):
                preview[t] = image_of(draw_face(picture, track[t], t))[0]
            look = frames_shown(preview)
        report = f"{track.summary()} {_covered(track)}"
        return io.NodeOutput(track, preview, report, ui=shown(report, look))


def _covered(track: FaceTrack) -> str:
    """In how many frames the landmarks are those of a covered face, which are never quite certain, in words."""
    count = int((track.deviation.any(1) & (track.status != FrameStatus.MISSING)).sum())
    return f"The eyes are covered in {count} of {len(track)} frames."
