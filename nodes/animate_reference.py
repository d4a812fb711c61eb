"""Animate Reference: a picture of a person that moves as they do."""

from __future__ import annotations

from fractions import Fraction

import torch
from comfy_api.latest import io

from ..driving.eye_tracking import TrackingData
from ..restore.engine import EYES
from ..telepresence.animate import EYE_SOURCES
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .filling import require_choice, wanted_eyes
from .memory import require_memory
from .progress import progress_bar
from .schema import known
from .shown import shown
from .sockets import SEARCH_ALIASES
from .widgets import face_track_input, fps_input, image_input, reference_input, tracking_input


class AnimateReference(io.ComfyNode):
    """IMAGE, FACE_TRACK and HMD_REFERENCE to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_AnimateReference",
            display_name="Animate Reference",
            category="HMD Removal/Telepresence",
            description=(
                "Moves one picture of a person, head and shoulders, as the person in the frames moves, with a headset "
                "or without. All that is taken from the frames is a few kilobytes a second, as a meeting could send "
                "them; the report says how many. In the first second look as the picture does."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "AnimateReference",
                "talking head",
                "reenactment",
                "live portrait",
                "driven picture",
                "avatar",
                "telepresence",
            ],
            inputs=[
                image_input(),
                face_track_input(),
                reference_input("Its first picture is moved; another one may lend the inside of an open mouth."),
                tracking_input(),
                io.Combo.Input(
                    "eyes",
                    options=list(EYE_SOURCES),
                    default=EYE_SOURCES[0],
                    tooltip=(
                        "What the eyes do where tracking is not connected. driver: what those in the frames do; behind "
                        "a headset they stay as in the picture. natural: blinks and small shifts of the gaze are made "
                        "up, as people have them."
                    ),
                ),
                fps_input(),
            ],
            outputs=[
                io.Image.Output(
                    "animated", display_name="image", tooltip="The moved picture, one for each of the frames."
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="How many bytes the motion takes, in all and a second."
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        face_track: FaceTrack,
        reference: Reference,
        tracking: TrackingData | None = None,
        eyes: str = EYE_SOURCES[0],
        fps: float = 25.0,
    ) -> io.NodeOutput:
        from ..telepresence.animate import LARGEST, animated, from_usual, to_drive
        from ..telepresence.animate_points import described

        require_choice("eyes", eyes, EYE_SOURCES, "choose one of these")
        face_track.require_clip(len(image), tuple(image.shape[1:3]))
        wanted = wanted_eyes(image, face_track, tracking, EYES[0] if eyes == EYE_SOURCES[0] else eyes, fps)
        if tracking is not None:
            wanted = from_usual(wanted)
        # Of a photo of many megapixels, memory for each frame's copy would soon be more than a machine has.
        reference, progress = to_drive(reference, min(LARGEST, max(image.shape[1:3]))), progress_bar()
        height, width = reference.images[0].shape[:2]
        require_memory(len(image), width, height, "use a smaller photo, or fewer frames")
        out, size = torch.empty(len(image), *reference.images[0].shape), 0
        faces = (face_track[t] for t in range(len(image)))
        for t, (picture, packet) in enumerate(animated(faces, reference, fps, wanted)):
            out[t] = torch.from_numpy(picture).float() / 255
            size += packet
            progress(t + 1, len(image))
        report = f"{described(len(image), size, Fraction(fps))}."
        return io.NodeOutput(out, report, ui=shown(report))
