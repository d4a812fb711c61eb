"""Widgets that several nodes have: how the face is found, and where the headset sits.

They are optional, so that workflows saved before a node had them still run.
"""

from __future__ import annotations

from comfy_api.latest import io

from ..faces.covered_detector import MODES


def detector_inputs() -> list[io.Input]:
    """Widgets `detector` and `face_box`; faces.visible.box_of reads the latter."""
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
