"""Deocclude Video: the whole chain from video file to video file, for clips of any length."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from comfy import model_management
from comfy_api.input import VideoInput
from comfy_api.input_impl import VideoFromFile
from comfy_api.latest import io

from ..driving.eye_tracking import TrackingData
from ..errors import InputError
from ..headset.draw import HeadsetArtist
from ..headset.draw import preset as headset_of
from ..headset.sources import DetectedHeadset, GivenMask, MaskSource, SimulatedHeadset
from ..restore.engine import EYES
from ..restore.registry import METHODS, needs_reference
from ..tracking.enrol import own_reference, own_reference_remark
from ..tracking.follow import ON_MISSING, Wearer, box_of
from ..tracking.reference import Reference
from ..video import LOSSLESS, QUALITIES
from ..video.views import STEREO
from .filling import managed_filler, require_choice
from .networks import NOBODY, evi_state, own_file, own_state, personal_models
from .paths import State
from .progress import progress_bar
from .schema import known
from .shown import shown, video_shown
from .sockets import SEARCH_ALIASES, ReferenceSocket
from .video_source import encoded, temporary_video
from .widgets import (
    AUTOMATIC,
    eyes_input,
    face_box_input,
    face_input,
    grow_input,
    on_missing_input,
    preset_input,
    preset_name,
    reference_input,
    shift_inputs,
    straps_input,
    tracking_input,
)

MASK_SOURCES = DETECTED, GIVEN, SIMULATED = ("detect headset", "given mask", "simulate headset")


class DeoccludeVideo(io.ComfyNode):
    """VIDEO to VIDEO with memory that does not grow with the length."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DeoccludeVideo",
            display_name="Deocclude Video",
            category="HMD Removal/Video",
            description=(
                "Removes the headset from a whole video in one step, piece by piece, so that hours of it need no more "
                "memory than seconds. Keeps every frame, its time and the sound. Save the result with Save Video, "
                "which does not encode it again."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "DeoccludeVideo",
                "long video",
                "remove headset",
                "video to video",
                "restore face",
            ],
            inputs=[
                io.Video.Input("video", tooltip="The video with the headset, from Load Video."),
                reference_input(
                    "The methods evi-hrnet and warp need it, unless the video itself shows the face uncovered for a "
                    "while. personal has pictures of its own, and uses these beside them.",
                    optional=True,
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=f"For '{GIVEN}': white on the headset; one mask for all frames, or one for each.",
                ),
                io.Video.Input(
                    "mask_video",
                    optional=True,
                    tooltip=f"For '{GIVEN}': a video of the same length, white or of one colour on the headset.",
                ),
                io.Combo.Input(
                    "mask_source",
                    options=list(MASK_SOURCES),
                    default=DETECTED,
                    tooltip=(
                        f"Where the headset is. {DETECTED}: where it is seen. {GIVEN}: as the mask or mask video says; "
                        f"preset, grow and shift have no effect then. {SIMULATED}: a headset, a quest where preset is "
                        f"{AUTOMATIC}, is drawn on an uncovered face and removed again, to try things out."
                    ),
                ),
                preset_input(),
                grow_input(),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=METHODS[0],
                    tooltip=(
                        "warp: the reference turned and shaped to the head. evi-hrnet: warp, made to fit by a network, "
                        "and what earlier frames showed in the place of the headset. personal: the model of one "
                        "person, see personal_model."
                    ),
                ),
                io.Combo.Input(
                    "personal_model",
                    options=[NOBODY, *personal_models()],
                    default=NOBODY,
                    optional=True,
                    tooltip="For the method personal: a file in ComfyUI's models/hmd_removal/personal.",
                ),
                on_missing_input(optional=True),
                face_box_input(),
                io.Combo.Input(
                    "quality",
                    options=list(QUALITIES),
                    default=QUALITIES[0],
                    optional=True,
                    tooltip=(
                        "Of the file that is written. high: the encoder's changes are hardly visible. small: less than "
                        "half as large. lossless: every pixel is kept; the file is some twenty times as large, and "
                        "browsers do not play it."
                    ),
                ),
                face_input(optional=True, advanced=True),
                *shift_inputs(advanced=True),
                known(
                    io.Combo.Input,
                    "stereo",
                    options=list(STEREO),
                    default=STEREO[0],
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "flat: one view. The others: two views in each frame, of which each is filled; half: squeezed "
                        "to half their width or height."
                    ),
                ),
                straps_input(advanced=True),
                *(
                    ReferenceSocket.Input(
                        f"reference_{number}",
                        optional=True,
                        tooltip=(
                            f"For person {number} from the left, where several wear headsets: each is restored with a "
                            "reference of their own, reference being for the leftmost. Headsets have to be detected."
                        ),
                    )
                    for number in (2, 3)
                ),
                tracking_input(),
                eyes_input(),
                io.Float.Input(
                    "opacity",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="Of the headset over the restored face: 0 gone, 1 as filmed, between them half there.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "restored", display_name="video", tooltip="The video with the face filled in, encoded as MP4."
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip=(
                        "How many frames have a face, in which ones a headset was removed, and what was done to the "
                        "video on the way."
                    ),
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def fingerprint_inputs(cls, method: str, personal_model: str = NOBODY, **others: Any) -> State | None:
        if method == "personal":
            return own_state(personal_model)
        return evi_state() if method == "evi-hrnet" else None

    @classmethod
    def execute(
        cls,
        video: VideoInput,
        mask_source: str,
        preset: str,
        grow: float,
        method: str,
        reference: Reference | None = None,
        mask: torch.Tensor | None = None,
        mask_video: VideoInput | None = None,
        personal_model: str = NOBODY,
        on_missing: str = ON_MISSING[0],
        face_box: str = "",
        quality: str = QUALITIES[0],
        face: int = 0,
        shift_x: float = 0.0,
        shift_y: float = 0.0,
        stereo: str = STEREO[0],
        straps: bool = True,
        reference_2: Reference | None = None,
        reference_3: Reference | None = None,
        tracking: TrackingData | None = None,
        eyes: str = EYES[0],
        opacity: float = 0.0,
        **removed: Any,  # landmarks and detector, which older graphs may have connected
    ) -> io.NodeOutput:
        from ..restore.video import deocclude_video

        require_choice("eyes", eyes, EYES, "connect tracking for other eyes")
        require_choice("method", method, METHODS, "simple methods to compare with are in Inpaint Baseline")
        target = temporary_video()
        with ExitStack() as stack:
            source = stack.enter_context(encoded(video))
            mask_file = None if mask_video is None else stack.enter_context(encoded(mask_video))
            where = _mask_source(mask_source, preset_name(preset), grow, (shift_x, shift_y), straps, mask, mask_file)
            wearer = Wearer(face, on_missing, box=box_of(face_box))
            others = [one for one in (reference_2, reference_3) if one is not None]
            if others and reference is None:
                raise InputError("References of further people are connected, but not reference, the leftmost one's.")
            if reference_3 is not None and reference_2 is None:
                raise InputError("reference_3 is connected, but not reference_2: people count from left to right.")
            if others and (face or face_box):
                raise InputError("References of several people mean everyone: leave face at 0 and the head box empty.")
            taken: list[int] = []
            if reference is None and needs_reference(method) and mask_source == DETECTED:
                reference, taken = own_reference(source, stereo=stereo, progress=progress_bar())
            report = deocclude_video(
                source,
                target,
                mask=where,
                reference=[reference, *others] if others else reference,
                method=managed_filler(
                    method, reference, personal=None if personal_model == NOBODY else own_file(personal_model)
                ),
                wearer=wearer,
                quality=quality,
                stereo=stereo,
                device=model_management.get_torch_device(),
                tracking=tracking,
                eyes=eyes,
                opacity=opacity,
                progress=progress_bar(),
            )
        words = report.summary
        if taken:
            words += f" {own_reference_remark(taken)}"
        if mask_source != GIVEN and (mask is not None or mask_video is not None):
            words += f" The mask that is connected was not used, as mask_source is not '{GIVEN}'."
        # Browsers do not play lossless RGB.
        look = None if quality == LOSSLESS else video_shown(target)
        return io.NodeOutput(VideoFromFile(str(target)), words, ui=shown(words, look))


def _mask_source(
    kind: str,
    preset: str | None,
    grow: float,
    shift: tuple[float, float],
    straps: bool,
    mask: torch.Tensor | None,
    mask_file: str | Path | BytesIO | None,
) -> MaskSource:
    require_choice("mask_source", kind, MASK_SOURCES, f"without a mask, choose '{DETECTED}'")
    if kind == DETECTED:
        return DetectedHeadset(preset, grow, shift, straps)
    if kind == SIMULATED:
        return SimulatedHeadset(HeadsetArtist(replace(headset_of(preset or "quest"), shift=shift), grow=grow))
    if (mask is None) == (mask_file is None):
        found = "neither is" if mask is None else "both are"
        raise InputError(
            f"With '{GIVEN}' either mask or mask_video must be connected, but {found}: connect one of them, or choose "
            f"another mask_source, such as '{DETECTED}'."
        )
    return GivenMask(mask_file if mask is None else mask.cpu().numpy())
