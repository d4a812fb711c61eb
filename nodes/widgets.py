"""Sockets and widgets that several nodes have, each written once.

Those that nodes got later are optional, so that workflows saved before still run.
"""

from __future__ import annotations

from comfy_api.latest import io

from ..headset.draw import HEADSETS
from ..models.device import PRECISIONS
from ..restore.engine import EYES, LANDMARKS
from ..tracking.follow import MAX_GAP, ON_MISSING
from .schema import known
from .sockets import FaceTrackSocket, ReferenceSocket, TrackingSocket

AUTOMATIC = "auto"  # of `preset`
DEVICES = (
    "band is a bar over the eyes, as in research papers; quest, psvr, visionpro and index are as large as those "
    "devices; phone is a holder for one; glasses are smart glasses, which hide little more than the eyes."
)


def image_input() -> io.Input:
    """Socket `image`."""
    return io.Image.Input("image", tooltip="The frames of one clip, in order.")


def face_track_input() -> io.Input:
    """Socket `face_track`."""
    return FaceTrackSocket.Input("face_track", tooltip="The face in these frames, from Detect Face Landmarks.")


def reference_input(note: str = "", *, optional: bool = False) -> io.Input:
    """Socket `reference`. note: a sentence on what it is for in this node."""
    return ReferenceSocket.Input(
        "reference",
        optional=optional,
        tooltip=f"The same person without the headset, from Pick Reference Frame. {note}".strip(),
    )


def covered_clip_inputs() -> list[io.Input]:
    """Sockets `image`, `mask` and `face_track` of a node that fills a clip in."""
    return [
        image_input(),
        io.Mask.Input(
            "mask", tooltip="White where the face is to be filled in: one mask for all frames, or one for each."
        ),
        face_track_input(),
    ]


def restored_output() -> io.Output:
    """What such a node gives."""
    return io.Image.Output("restored", display_name="image", tooltip="The frames with the face filled in.")


def landmarks_input() -> io.Input:
    """Widget `landmarks`: what is taken for the points under the mask."""
    return known(
        io.Combo.Input,
        "landmarks",
        options=list(LANDMARKS),
        default=LANDMARKS[0],
        tooltip=(
            "visible: landmarks under the mask are worked out from those in sight. That is right for every real video. "
            "oracle: the track's own landmarks under the mask are used. That is for experiments, where the face was "
            "detected before a headset was drawn on it."
        ),
        advanced=True,
    )


def tracking_input() -> io.Input:
    """Socket `tracking`."""
    return TrackingSocket.Input(
        "tracking",
        optional=True,
        tooltip="Eye and face tracking data, from Load Tracking: the restored eyes blink and look as the wearer's did.",
    )


def eyes_input() -> io.Input:
    """Widget `eyes`: what they do without tracking data."""
    return io.Combo.Input(
        "eyes",
        options=list(EYES),
        default=EYES[0],
        optional=True,
        tooltip=(
            "What the eyes do where tracking is not connected. reference: they stay as they are there. natural: blinks "
            "and small shifts of the gaze are made up, as people have them."
        ),
    )


def fps_input() -> io.Input:
    """Widget `fps` of nodes that are given frames, which do not know it."""
    return known(
        io.Float.Input,
        "fps",
        default=25.0,
        min=1.0,
        max=240.0,
        step=0.001,
        optional=True,
        tooltip=(
            "Frames a second, by which motion is smoothed and eyes move: connect Load Video Frames' fps where it is "
            "another."
        ),
        advanced=True,
    )


def precision_input() -> io.Input:
    """Widget `precision`."""
    return known(
        io.Combo.Input,
        "precision",
        options=list(PRECISIONS),
        default=PRECISIONS[0],
        tooltip="What the network calculates in. auto: bfloat16 where the device is faster in it.",
        advanced=True,
    )


def face_input(**options: bool) -> io.Input:
    """Widget `face`. options: `optional`, `advanced`."""
    return known(
        io.Int.Input,
        "face",
        default=0,
        min=0,
        max=9,
        tooltip=(
            "Whom to follow where several people are in the picture, by the size of their faces in the first frame "
            "that shows so many: 0 the largest, 1 the next largest and so on. With a mask: whoever is behind it."
        ),
        **options,
    )


def on_missing_input(*, optional: bool = False) -> io.Input:
    """Widget `on_missing`."""
    return io.Combo.Input(
        "on_missing",
        options=list(ON_MISSING),
        default=ON_MISSING[0],
        optional=optional,
        tooltip=(
            f"Frames without a face: interpolate between their neighbours (gaps up to {MAX_GAP} seconds), hold the "
            "last position, leave them untouched, or stop with an error."
        ),
    )


def face_box_input() -> io.Input:
    """Widget `face_box`; tracking.follow.box_of reads it."""
    return io.String.Input(
        "face_box",
        default="",
        optional=True,
        tooltip=(
            "Where the head is in the first frame, should it not be found by itself: x, y, width, height in pixels, "
            "from the upper left corner. Hair and chin may be in it or not. Leave it empty otherwise."
        ),
    )


def preset_input() -> io.Input:
    """Widget `preset` of a headset that is looked for; `preset_name` reads it."""
    return io.Combo.Input(
        "preset",
        options=[AUTOMATIC, *HEADSETS],
        default=AUTOMATIC,
        tooltip=(
            f"The device, if one of these is near to it: its outline then steadies the mask. {AUTOMATIC}: an outline "
            f"of any size is fitted to what is seen. {DEVICES}"
        ),
    )


def preset_name(preset: str) -> str | None:
    """The device's name, None for `AUTOMATIC`."""
    return None if preset == AUTOMATIC else preset


def grow_input() -> io.Input:
    """Widget `grow`, in centimetres."""
    return io.Float.Input(
        "grow",
        default=0.0,
        min=-2.0,
        max=5.0,
        step=0.1,
        tooltip="Margin around the headset in centimetres on the head. Negative makes it smaller.",
    )


def shift_inputs(**options: bool) -> list[io.Input]:
    """Widgets `shift_x` and `shift_y`, in centimetres. options: `advanced`."""
    return [
        known(
            io.Float.Input,
            f"shift_{axis}",
            default=0.0,
            min=-5.0,
            max=5.0,
            step=0.1,
            optional=True,
            tooltip=f"Centimetres on the head to move the mask {way}. Negative moves it the other way.",
            **options,
        )
        for axis, way in (("x", "to the right in the picture"), ("y", "down"))
    ]


def straps_input(**options: bool) -> io.Input:
    """Widget `straps`. options: `advanced`."""
    return known(
        io.Boolean.Input,
        "straps",
        default=True,
        optional=True,
        tooltip="Whether straps and head bands are part of the mask. Off: the headset's body alone is.",
        **options,
    )
