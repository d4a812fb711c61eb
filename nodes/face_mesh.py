"""Face Mesh: the frames' face in 3-D, as a GLB file."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import numpy as np
import torch
from comfy_api.latest import io

from ..errors import InputError
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .frames import pictures
from .progress import progress_bar
from .schema import known
from .shown import shown
from .sockets import SEARCH_ALIASES, FaceTrackSocket
from .widgets import image_input, reference_input

BEST = -1


class FaceMesh(io.ComfyNode):
    """IMAGE and FACE_TRACK to a GLB file in ComfyUI's output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_FaceMesh",
            display_name="Face Mesh",
            category="HMD Removal/Telepresence",
            description=(
                "Makes a textured 3-D face of an uncovered or restored face, still or moving as in the clip, and saves "
                "it as GLB in ComfyUI's output folder. Preview 3D shows it."
            ),
            search_aliases=[*SEARCH_ALIASES, "FaceMesh", "3d face", "avatar", "glb", "gltf", "morph targets"],
            inputs=[
                image_input(),
                FaceTrackSocket.Input(
                    "face_track",
                    tooltip="The face in these frames, from Detect Face Landmarks: of restored frames, made of those.",
                ),
                reference_input("For what the frames do not show of the face.", optional=True),
                io.Boolean.Input(
                    "animated",
                    default=True,
                    tooltip="On: the face and the head move as in the clip. Off: one frame, looking ahead.",
                ),
                io.Int.Input(
                    "frame",
                    default=BEST,
                    min=BEST,
                    max=2**31 - 1,
                    tooltip="Where animated is off: the frame to show, counted from 0; -1 takes the best one.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.001,
                    tooltip="Frames a second, from Load Video Frames.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="3d/face",
                    tooltip="Of the file in ComfyUI's output folder; a number is added.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "model_file", display_name="model file", tooltip="The GLB file, as Preview 3D takes it."
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="In how many frames the face moves, and the file's size."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        face_track: FaceTrack,
        animated: bool,
        frame: int,
        fps: float,
        filename_prefix: str,
        reference: Reference | None = None,
    ) -> io.NodeOutput:
        from ..telepresence.face_glb import write_animated, write_still
        from ..telepresence.face_texture import looked_at

        face_track.require_clip(len(image), tuple(image.shape[1:3]))
        if not animated and frame >= len(image):
            raise InputError(f"Expected a frame from 0 to {len(image) - 1}, or {BEST} for the best, got {frame}.")
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        file = Path(folder) / f"{name}_{number:05}_.glb"
        first = None if animated or frame == BEST else frame
        numbers = looked_at(face_track, first)
        frames = list(pictures(image[t] for t in numbers))
        if animated:
            times = np.arange(len(image)) / fps
            said = write_animated(file, frames, numbers, face_track, times, reference, progress_bar())
        else:
            said = write_still(file, frames, numbers, face_track, reference, first, progress_bar())
        report = f"{said} {file.stat().st_size / 1e3:.0f} kB."
        saved = {"filename": file.name, "subfolder": subfolder, "type": "output"}
        path = Path(subfolder, file.name).as_posix()
        return io.NodeOutput(path, report, ui=shown(report) | {"3d": [saved]})
