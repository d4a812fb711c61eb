"""Load Tracking: what a headset, phone or VR program recorded of eyes and face."""

from __future__ import annotations

from typing import Any

import numpy as np
from comfy_api.latest import io, ui

from ..driving.eye_tracking import EyeTracking, TrackingData
from ..errors import InputError
from .frames import image_of
from .paths import State, listed_tracking, state_of, tracking_file
from .schema import known
from .shown import shown
from .sockets import SEARCH_ALIASES, TrackingSocket

AUTOMATIC, BY_OFFSET = "automatic", "by offset"


class LoadTracking(io.ComfyNode):
    """A file to HMD_TRACKING."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_LoadTracking",
            display_name="Load Tracking",
            category="HMD Removal/Load",
            description=(
                "Reads eye and face tracking data, so that the restored eyes blink and look as the wearer's did: Live "
                "Link Face, ARKit or MediaPipe blendshapes, Quest, VRCFaceTracking as recorded by hmd-removal "
                "record-tracking, Vive (SRanipal), Pico, Varjo, Tobii, or a plain CSV. What a file is, its contents "
                "tell."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "LoadTracking",
                "eye tracking",
                "face tracking",
                "blink",
                "gaze",
                "live link face",
                "arkit",
            ],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=listed_tracking(),
                    tooltip="A recording in ComfyUI's input folder. Copy it there and reload the page.",
                ),
                known(
                    io.String.Input,
                    "path",
                    default="",
                    optional=True,
                    placeholder="path of a recording (instead of the one above)",
                    tooltip=(
                        "Path of a recording in ComfyUI's input, output or temp folder or a folder below. If given, it "
                        "is used instead of the file above."
                    ),
                    advanced=True,
                ),
                io.Combo.Input(
                    "timing",
                    options=[AUTOMATIC, BY_OFFSET],
                    default=AUTOMATIC,
                    tooltip=(
                        "automatic: by timecode or date where recording and video have both, and by the mouth: the jaw "
                        "in the data against the mouth that is seen. by offset: as set below."
                    ),
                ),
                io.Float.Input(
                    "offset",
                    default=0.0,
                    min=-86400.0,
                    max=86400.0,
                    step=0.01,
                    tooltip=(
                        "Seconds of the video at which the recording begins; negative where it began before. Only for "
                        "timing by offset."
                    ),
                ),
                io.Boolean.Input(
                    "mirror",
                    default=False,
                    tooltip="Change left and right: for data of a program that mirrors, or a video that is mirrored.",
                ),
            ],
            outputs=[
                TrackingSocket.Output(
                    "tracking", display_name="tracking", tooltip="The recording, for nodes that restore faces."
                ),
                io.Image.Output(
                    "preview",
                    display_name="preview",
                    tooltip="Lids, gaze, brows and mouth over time, as they will be used: fitted to the wearer.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="What the file is, how long, what it holds, how many blinks, and whether it has a clock.",
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, file: str = "", path: str = "") -> bool | str:
        try:
            tracking_file(path or file)
        except InputError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str = "", path: str = "", **others: Any) -> State | None:
        return state_of(tracking_file(path or file))

    @classmethod
    def execute(cls, file: str, timing: str, offset: float, mirror: bool, path: str = "") -> io.NodeOutput:
        from ..driving.person import own_range, to_person
        from ..driving.readers import described, read_tracking
        from ..metrics.curves import plot_curves

        name = tracking_file(path or file)
        recording = read_tracking(name)
        recording = recording.mirrored() if mirror else recording
        data = TrackingData(recording, offset if timing == BY_OFFSET else None)
        fitted = to_person(recording.tracking, own_range(recording.tracking))
        times = fitted.times + (data.offset or 0.0)
        report = described(recording)
        plot = image_of(plot_curves(times, _panels(fitted), name.name))
        return io.NodeOutput(data, plot, report, ui=shown(report, ui.PreviewImage(plot)))


def _panels(tracking: EyeTracking) -> list:
    """What the preview shows of a recording."""
    from ..metrics.curves import Panel
    from ..metrics.plot import HOLE, INK, OTHER

    def of_both(values: np.ndarray) -> list[tuple[str, np.ndarray, str]]:
        return [("right eye", values[:, 0], HOLE), ("left eye", values[:, 1], OTHER)]

    degrees = np.degrees(tracking.gaze)
    inner, outer, lowered = np.moveaxis(tracking.brows, 2, 0)
    raised = np.where(np.isfinite(outer), (inner + outer) / 2, inner) - lowered
    return [
        Panel("Lids", "0 shut, 1 usual", of_both(tracking.openness)),
        Panel("Gaze to the wearer's right", "degrees", of_both(degrees[..., 0])),
        Panel("Gaze down", "degrees", of_both(degrees[..., 1])),
        Panel("Brows raised", "or lowered, below 0", of_both(raised)),
        Panel("Mouth open", "0 to 1", [("jaw", tracking.jaw[:, 0], INK)]),
    ]
