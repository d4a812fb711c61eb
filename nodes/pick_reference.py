"""Pick Reference Frame: the uncovered person, from a clip or from photos."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui

from .frames import image_of, pictures
from .progress import progress_bar
from .schema import known
from .sockets import SEARCH_ALIASES, ReferenceSocket

AUTOMATIC = -1


class PickReferenceFrame(io.ComfyNode):
    """IMAGE to HMD_REFERENCE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_PickReferenceFrame",
            display_name="Pick Reference Frame",
            category="HMD Removal/Reference",
            description=(
                "Chooses a few sharp frames with open eyes, one for each head pose, from a clip or photos of the "
                "person without a headset."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "PickReferenceFrame",
                "enrolment",
                "identity",
                "best frame",
                "keyframe",
                "reference photo",
            ],
            inputs=[
                io.Image.Input("image", tooltip="The person without a headset: the frames of a clip, or photos."),
                io.Combo.Input(
                    "kind",
                    options=["clip", "photos"],
                    default="clip",
                    tooltip="clip: consecutive frames of one video. photos: pictures that have nothing to do with "
                    "each other, or a single one.",
                ),
                io.Int.Input(
                    "count",
                    default=5,
                    min=1,
                    max=20,
                    tooltip="How many frames to choose at most. More poses help where the head turns.",
                ),
                io.Int.Input(
                    "frame",
                    default=AUTOMATIC,
                    min=AUTOMATIC,
                    max=2**31 - 1,
                    tooltip="Take just this frame, counted from 0; -1 chooses by itself.",
                ),
            ],
            outputs=[
                ReferenceSocket.Output(
                    "reference", display_name="reference", tooltip="The chosen frames with their landmarks."
                ),
                io.Image.Output(
                    "preview",
                    display_name="preview",
                    tooltip="The chosen frames side by side, with what they were chosen for.",
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="Pose, open eyes and sharpness of every chosen frame."
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, image: torch.Tensor, kind: str, count: int, frame: int) -> io.NodeOutput:
        from ..tracking.enrol import reference_from_frames
        from ..tracking.preview import describe_scores, reference_sheet

        reference, scores, chosen = reference_from_frames(
            list(pictures(image)),
            still=kind == "photos",
            count=count,
            frame=None if frame == AUTOMATIC else frame,
            progress=progress_bar(),
        )
        sheet = image_of(reference_sheet(reference, [scores[t] for t in chosen]))
        return io.NodeOutput(reference, sheet, describe_scores(scores, chosen), ui=ui.PreviewImage(sheet))
