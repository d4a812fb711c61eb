"""Deocclude Video: the whole chain from video file to video file, for clips of any length."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import torch
from comfy_api.input import VideoInput
from comfy_api.input_impl import VideoFromFile
from comfy_api.latest import io

from ..errors import InputError
from ..headset.draw import HEADSETS, HeadsetArtist
from ..headset.draw import preset as headset_of
from ..headset.sources import DetectedHeadset, GivenMask, MaskSource, PlacedHeadset, SimulatedHeadset
from ..restore.clip import LANDMARKS
from ..restore.registry import METHODS
from ..tracking.covered import MODES
from ..tracking.follow import box_of
from ..tracking.reference import Reference
from ..tracking.track import MAX_GAP, ON_MISSING
from .networks import managed_filler, own_file, personal_models
from .progress import progress_bar
from .schema import known
from .sockets import SEARCH_ALIASES, ReferenceSocket
from .video_source import encoded, temporary_video
from .widgets import detector_inputs, shift_inputs

MASK_SOURCES = GIVEN, PLACED, SIMULATED, DETECTED = (
    "given mask",
    "headset preset",
    "simulate headset",
    "detect headset",
)
AUTOMATIC, NOBODY = "auto", "none"


class DeoccludeVideo(io.ComfyNode):
    """VIDEO to VIDEO with memory that does not grow with the length."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_DeoccludeVideo",
            display_name="DeoccludeVideo",
            category="HMD Removal/Video",
            description=(
                "Removes the headset from a whole video in one step, piece by piece, so that hours of it need no more "
                "memory than seconds. Keeps every frame, its time and the sound. Save the result with Save Video, "
                "which does not encode it again."
            ),
            search_aliases=[*SEARCH_ALIASES, "long video", "remove headset", "video to video", "restore face"],
            inputs=[
                io.Video.Input("video", tooltip="The video with the headset, from Load Video."),
                ReferenceSocket.Input(
                    "reference", tooltip="The same person without the headset, from Pick Reference Frame."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=f"For '{GIVEN}': white on the headset; one mask for all frames, or one for each.",
                ),
                io.Video.Input(
                    "mask_video",
                    optional=True,
                    tooltip=f"For '{GIVEN}': a video that is white on the headset, as long as the video itself.",
                ),
                io.Combo.Input(
                    "mask_source",
                    options=list(MASK_SOURCES),
                    default=GIVEN,
                    tooltip=(
                        f"Where the headset is. {GIVEN}: as the mask or mask video says. {DETECTED}: where it is seen. "
                        f"{PLACED}: where a headset of the preset's size would sit on the detected face. {SIMULATED}: "
                        "a headset is drawn on an uncovered face and removed again, to try things out."
                    ),
                ),
                io.Combo.Input(
                    "preset",
                    options=[AUTOMATIC, *HEADSETS],
                    default=AUTOMATIC,
                    tooltip=(
                        f"The headset, where the mask is not given. {AUTOMATIC}: of the size that is seen; where it is "
                        f"not detected but drawn or placed, a quest."
                    ),
                ),
                io.Float.Input(
                    "grow",
                    default=0.0,
                    min=-2.0,
                    max=5.0,
                    step=0.1,
                    tooltip=(
                        "Margin around the headset in centimetres on the head, where the mask is not given; negative "
                        "makes it smaller."
                    ),
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=METHODS[0],
                    tooltip=(
                        "warp: the reference turned and shaped to the head. evi-hrnet: the network of EVI-HRnet "
                        "Inpaint on top, which also recalls what earlier frames showed. personal: the model of one "
                        "person, see personal_model. static and telea are simple baselines to compare with: the "
                        "reference pasted as it is, and filling in without knowing faces."
                    ),
                ),
                known(
                    io.Combo.Input,
                    "landmarks",
                    options=list(LANDMARKS),
                    default="visible",
                    tooltip=(
                        "visible: only what can be seen beside the headset is used. oracle: the landmarks of the "
                        f"uncovered face are used; for experiments with '{SIMULATED}' only."
                    ),
                    advanced=True,
                ),
                io.Int.Input(
                    "face",
                    default=0,
                    min=0,
                    max=9,
                    tooltip="Whom to follow among several people: 0 the largest face, 1 the next largest and so on.",
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
                *shift_inputs(", where it is not given"),
                *detector_inputs(),
                io.Combo.Input(
                    "personal_model",
                    options=[NOBODY, *personal_models()],
                    default=NOBODY,
                    optional=True,
                    tooltip="For the method personal: a file in ComfyUI's models/hmd_removal/personal.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "restored", display_name="video", tooltip="The video with the face filled in, encoded as MP4."
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="How many frames have a face, and which ones are interpolated or left as they were.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        video: VideoInput,
        reference: Reference,
        mask_source: str,
        preset: str,
        grow: float,
        method: str,
        landmarks: str,
        face: int,
        on_missing: str,
        mask: torch.Tensor | None = None,
        mask_video: VideoInput | None = None,
        shift_x: float = 0.0,
        shift_y: float = 0.0,
        detector: str = MODES[0],
        face_box: str = "",
        personal_model: str = NOBODY,
    ) -> io.NodeOutput:
        from ..restore.video import deocclude_video

        personal = None if personal_model == NOBODY else own_file(personal_model)
        if method == "personal" and personal is None:
            raise InputError(
                "The method 'personal' needs a personal_model: make one with Train Personal, and choose its file."
            )
        target = temporary_video()
        with ExitStack() as stack:
            mask_file = None if mask_video is None else stack.enter_context(encoded(mask_video))
            report = deocclude_video(
                stack.enter_context(encoded(video)),
                target,
                mask=_mask_source(mask_source, preset, grow, (shift_x, shift_y), mask, mask_file),
                reference=reference,
                method=managed_filler(method, reference, personal),
                landmarks=landmarks,
                face=face,
                on_missing=on_missing,
                detector=detector,
                face_box=box_of(face_box),
                progress=progress_bar(),
            )
        return io.NodeOutput(VideoFromFile(str(target)), report.summary)


def _mask_source(
    kind: str,
    preset: str,
    grow: float,
    shift: tuple[float, float],
    mask: torch.Tensor | None,
    mask_file: str | Path | BytesIO | None,
) -> MaskSource:
    if kind not in MASK_SOURCES:
        raise InputError(f"Expected a mask source out of {', '.join(MASK_SOURCES)}, got {kind!r}.")
    if kind == GIVEN:
        if (mask is None) == (mask_file is None):
            found = "neither is" if mask is None else "both are"
            raise InputError(
                f"With '{GIVEN}' either mask or mask_video must be connected, but {found}: connect one of them, "
                f"or choose another mask_source, such as '{DETECTED}'."
            )
        return GivenMask(mask_file if mask is None else mask.cpu().numpy())
    if kind == DETECTED:
        return DetectedHeadset(None if preset == AUTOMATIC else preset, grow, shift)
    headset = headset_of("quest" if preset == AUTOMATIC else preset)
    artist = HeadsetArtist(replace(headset, shift=shift), grow=grow)
    return SimulatedHeadset(artist) if kind == SIMULATED else PlacedHeadset(artist)
