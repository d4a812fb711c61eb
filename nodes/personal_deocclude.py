"""Personal Deocclude: the hole filled by a network that knows one person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from comfy_api.latest import io

from ..driving.eye_tracking import TrackingData
from ..errors import InputError
from ..restore.engine import EYES
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .filling import filled, wanted_eyes
from .networks import own_file, own_state, personal_models
from .paths import State
from .schema import known
from .sockets import SEARCH_ALIASES, PersonalModelSocket
from .widgets import (
    covered_clip_inputs,
    eyes_input,
    fps_input,
    landmarks_input,
    precision_input,
    reference_input,
    restored_output,
    tracking_input,
)

CONNECTED = "connected model"


class PersonalDeocclude(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and a personal model to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_PersonalDeocclude",
            display_name="Personal Deocclude",
            category="HMD Removal/Inpaint",
            description=(
                "Fills the masked part of the face with the model of one person, trained by Train Personal on a minute "
                "or two of their own video. The model brings the pictures of the person that it needs. Pixels outside "
                "the mask and a narrow feather stay bit for bit as they were."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "PersonalDeocclude",
                "my face",
                "person-specific",
                "remove headset",
                "restore face",
            ],
            inputs=[
                *covered_clip_inputs(),
                io.Combo.Input(
                    "model",
                    options=[CONNECTED, *personal_models()],
                    tooltip=(
                        f"A file in ComfyUI's models/hmd_removal/personal; '{CONNECTED}' takes what is plugged into "
                        "trained_model."
                    ),
                ),
                landmarks_input(),
                PersonalModelSocket.Input(
                    "trained_model", optional=True, tooltip="The model that Train Personal has just made."
                ),
                reference_input("Used beside the model's own pictures, if light or hair have changed.", optional=True),
                precision_input(),
                known(
                    io.Boolean.Input,
                    "anyone",
                    default=False,
                    tooltip="Go on where the face in the frames is not the person whose model this is.",
                    advanced=True,
                ),
                tracking_input(),
                eyes_input(),
                fps_input(),
            ],
            outputs=[restored_output()],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str, **others: Any) -> State | None:
        return own_state(model)

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        mask: torch.Tensor,
        face_track: FaceTrack,
        model: str,
        landmarks: str,
        trained_model: Path | None = None,
        reference: Reference | None = None,
        precision: str = "auto",
        anyone: bool = False,
        tracking: TrackingData | None = None,
        eyes: str = EYES[0],
        fps: float = 25.0,
        **removed: Any,  # crop_size, steadiness and whole, which older graphs may have connected
    ) -> io.NodeOutput:
        return filled(
            image,
            mask,
            face_track,
            reference,
            landmarks,
            wanted_eyes(image, face_track, tracking, eyes, fps),
            method="personal",
            fps=fps,
            personal=_chosen(model, trained_model),
            precision=precision,
            anyone=anyone,
        )


def _chosen(model: str, trained: Path | None) -> Path:
    if model != CONNECTED:
        return own_file(model)
    if trained is None:
        raise InputError(
            f"With '{CONNECTED}' trained_model must be plugged in, but it is not: connect Train Personal, or choose "
            "a file."
        )
    return trained
