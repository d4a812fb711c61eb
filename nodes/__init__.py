"""The ComfyUI nodes: schema, tooltips and a few lines each that call the packages beside this one."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import ComfyExtension, io

from .. import weights

MODEL_FOLDER = "hmd_removal"


class HMDRemovalExtension(ComfyExtension):
    """What ComfyUI loads."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .animate_reference import AnimateReference
        from .compute_metrics import ComputeMetrics
        from .deocclude_video import DeoccludeVideo
        from .detect import DetectFaceLandmarks
        from .detect_headset import DetectHeadset
        from .draw_mask import DrawHMDMask
        from .evi_hrnet_inpaint import EVIHRnetInpaint
        from .face_mesh import FaceMesh
        from .inpaint_baseline import InpaintBaseline
        from .load_tracking import LoadTracking
        from .load_video import LoadVideoFrames
        from .personal_deocclude import PersonalDeocclude
        from .pick_reference import PickReferenceFrame
        from .train_personal import TrainPersonal
        from .warp_reference import WarpReference

        return [
            LoadVideoFrames,
            LoadTracking,
            DetectFaceLandmarks,
            DetectHeadset,
            DrawHMDMask,
            PickReferenceFrame,
            EVIHRnetInpaint,
            PersonalDeocclude,
            TrainPersonal,
            WarpReference,
            InpaintBaseline,
            ComputeMetrics,
            DeoccludeVideo,
            AnimateReference,
            FaceMesh,
        ]


def _register_model_folder() -> None:
    """Look for weights in models/hmd_removal and wherever extra_model_paths.yaml puts that name."""
    folder_paths.add_model_folder_path(MODEL_FOLDER, str(Path(folder_paths.models_dir) / MODEL_FOLDER))
    for folder in folder_paths.get_folder_paths(MODEL_FOLDER):
        weights.register_folder(folder)


_register_model_folder()
