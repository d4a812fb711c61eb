"""Widgets that several nodes have: how the face is found, and where the headset sits.

Those that nodes got later are optional, so that workflows saved before still run.
"""

from __future__ import annotations

from comfy_api.latest import io

from ..models.device import PRECISIONS
from ..tracking.covered import MODES
from .schema import known
from .sockets import FaceTrackSocket, ReferenceSocket


def detector_inputs() -> list[io.Input]:
    """Widgets `detector` and `face_box`; tracking.follow.box_of reads the latter."""
    return [
        io.Combo.Input(
            "detector",
            options=list(MODES),
            default=MODES[0],
            optional=True,
            tooltip=(
                "uncovered: MediaPipe, the most precise one for a face with nothing over the eyes. covered: finds and "
                "follows heads behind a headset too. auto: looks at the first frames and decides."
            ),
        ),
        io.String.Input(
            "face_box",
            default="",
            optional=True,
            tooltip=(
                "Where the head is in the first frame, should it not be found by itself: x, y, width, height in "
                "pixels, from the upper left corner. Hair and chin may be in it or not. Leave it empty otherwise."
            ),
        ),
    ]


def covered_clip_inputs() -> list[io.Input]:
    """The sockets `image`, `mask`, `face_track` and `reference` of a node that fills a clip in."""
    return [
        *covered_face_inputs(),
        ReferenceSocket.Input("reference", tooltip="The same person without the headset, from Pick Reference Frame."),
    ]


def covered_face_inputs() -> list[io.Input]:
    """The same without `reference`."""
    return [
        io.Image.Input("image", tooltip="The frames with the covered face."),
        io.Mask.Input(
            "mask", tooltip="White where the face is to be filled in: one mask for all frames, or one for each."
        ),
        FaceTrackSocket.Input("face_track", tooltip="The face in these frames, from Detect Face Landmarks."),
    ]


def crop_size_input() -> io.Input:
    """Widget `crop_size`."""
    return known(
        io.Int.Input,
        "crop_size",
        default=0,
        min=0,
        max=1024,
        step=32,
        tooltip=(
            "Side in pixels of the square around the head that is worked on. 0: as large as it is in the first frame, "
            "so that no detail is lost; less is faster."
        ),
        advanced=True,
    )


def precision_input() -> io.Input:
    """Widget `precision`."""
    return known(
        io.Combo.Input,
        "precision",
        options=list(PRECISIONS),
        default="auto",
        tooltip="What the network calculates in. auto: bfloat16 where the device is faster in it.",
        advanced=True,
    )


def hidden_landmarks_input() -> io.Input:
    """Widget `landmarks`: what is taken for the points under the mask."""
    from ..restore.clip import LANDMARKS

    return io.Combo.Input(
        "landmarks",
        options=list(LANDMARKS),
        default="visible",
        tooltip=(
            "visible: landmarks under the mask are worked out from those in sight; right for every real video. oracle: "
            "the track's own landmarks under the mask are used, for experiments where the face was detected before a "
            "headset was drawn on it."
        ),
    )


def shift_inputs(note: str = "") -> list[io.Input]:
    """Widgets `shift_x` and `shift_y`, centimetres on the head. note: where they have an effect."""
    return [
        io.Float.Input(
            f"shift_{axis}",
            default=0.0,
            min=-5.0,
            max=5.0,
            step=0.1,
            optional=True,
            tooltip=f"Centimetres on the head to move the mask {way}{note}; negative moves it the other way.",
        )
        for axis, way in (("x", "to the right in the picture"), ("y", "down"))
    ]
