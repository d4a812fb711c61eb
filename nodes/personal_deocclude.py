"""Personal Deocclude: the hole filled by a network that knows one person."""

from __future__ import annotations

from pathlib import Path

import torch
from comfy_api.latest import io

from ..errors import InputError
from ..restore.personal import STEADINESS, Use
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .networks import own_file, personal_filler, personal_models
from .progress import progress_bar
from .schema import known
from .sockets import SEARCH_ALIASES, PersonalModelSocket, ReferenceSocket
from .widgets import covered_face_inputs, crop_size_input, hidden_landmarks_input, precision_input

CONNECTED = "connected model"


class PersonalDeocclude(io.ComfyNode):
    """IMAGE, MASK, FACE_TRACK and a personal model to IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_PersonalDeocclude",
            display_name="PersonalDeocclude",
            category="HMD Removal/Inpaint",
            description=(
                "Fills the masked part of the face with the model of one person, trained by Train Personal on a minute "
                "or two of their own video. The model brings the pictures of the person that it needs. Pixels outside "
                "the mask and a narrow feather stay bit for bit as they were."
            ),
            search_aliases=[*SEARCH_ALIASES, "my face", "person-specific", "remove headset", "restore face"],
            inputs=[
                *covered_face_inputs(),
                io.Combo.Input(
                    "model",
                    options=[CONNECTED, *personal_models()],
                    tooltip=(
                        f"A file in ComfyUI's models/hmd_removal/personal; '{CONNECTED}' takes what is plugged into "
                        "trained_model."
                    ),
                ),
                hidden_landmarks_input(),
                PersonalModelSocket.Input(
                    "trained_model", optional=True, tooltip="The model that Train Personal has just made."
                ),
                ReferenceSocket.Input(
                    "reference",
                    optional=True,
                    tooltip=(
                        "Newer pictures of the same person, from Pick Reference Frame, as of the day of this video. "
                        "Without them the model's own are used."
                    ),
                ),
                crop_size_input(),
                precision_input(),
                known(
                    io.Boolean.Input,
                    "anyone",
                    default=False,
                    tooltip="Go on where the face in the frames is not the person whose model this is.",
                    advanced=True,
                ),
                known(
                    io.Float.Input,
                    "steadiness",
                    default=STEADINESS,
                    min=0.0,
                    max=0.95,
                    step=0.05,
                    optional=True,
                    tooltip="How much what the model makes of the frame before counts in the next one. 0: nothing.",
                    advanced=True,
                ),
                known(
                    io.Boolean.Input,
                    "whole",
                    default=False,
                    optional=True,
                    tooltip=(
                        "Put in all that the model draws of the head, as its paper does, and not what is under the "
                        "mask alone. To look at what it has learnt."
                    ),
                    advanced=True,
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
        model: str,
        landmarks: str,
        trained_model: Path | None = None,
        reference: Reference | None = None,
        crop_size: int = 0,
        precision: str = "auto",
        anyone: bool = False,
        steadiness: float = STEADINESS,
        whole: bool = False,
    ) -> io.NodeOutput:
        from ..restore.clip import deocclude_clip

        progress = progress_bar()
        path = _chosen(model, trained_model)
        use = Use(anyone, steadiness, whole)
        filler = personal_filler(path, crop_side=crop_size or None, precision=precision, use=use)
        restored = deocclude_clip(
            image[..., :3].cpu(),
            mask.cpu(),
            face_track,
            filler.model.reference if reference is None else reference,
            method=filler,
            landmarks=landmarks,
            progress=progress,
        )
        return io.NodeOutput(restored)


def _chosen(model: str, trained: Path | None) -> Path:
    if model != CONNECTED:
        return own_file(model)
    if trained is None:
        raise InputError(
            f"With '{CONNECTED}' trained_model must be plugged in, but it is not: connect Train Personal, or choose "
            "a file."
        )
    return trained
