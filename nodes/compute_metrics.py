"""Compute Metrics: how close a result comes to the truth."""

from __future__ import annotations

import json
from pathlib import Path

import folder_paths
import numpy as np
import torch
from comfy.model_management import get_torch_device
from comfy_api.latest import io, ui

from ..errors import InputError
from ..tracking.track import FaceTrack, FrameStatus
from .frames import image_of
from .progress import progress_bar
from .schema import known
from .shown import shown
from .sockets import SEARCH_ALIASES, FaceTrackSocket


class ComputeMetrics(io.ComfyNode):
    """Result and truth to numbers: shown, plotted, and written as JSON to the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_ComputeMetrics",
            display_name="Compute Metrics",
            category="HMD Removal/Metrics",
            description=(
                "Compares a result with the truth, frame by frame: MSE, PSNR, SSIM, LPIPS, identity, flicker and "
                "seam, for the whole frame and for the hole. What cannot be computed is named with the reason."
            ),
            search_aliases=[
                *SEARCH_ALIASES,
                "ComputeMetrics",
                "psnr",
                "ssim",
                "lpips",
                "evaluate",
                "quality",
                "benchmark",
                "compare",
            ],
            inputs=[
                io.Image.Input("result", tooltip="The frames to judge."),
                io.Image.Input("truth", tooltip="The same frames as they should be."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="White where the result was filled in. Without it there are no metrics of the hole.",
                ),
                FaceTrackSocket.Input(
                    "face_track",
                    optional=True,
                    tooltip="The face in the truth's frames. Without it the identity is not compared.",
                ),
                io.Boolean.Input(
                    "networks",
                    default=True,
                    tooltip="Compute LPIPS and identity too, which need model files and most of the time.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="metrics",
                    tooltip="Beginning of the JSON file's name in ComfyUI's output folder; may name a subfolder.",
                ),
            ],
            outputs=[
                io.String.Output("table", display_name="table", tooltip="Mean and worst frame of every metric."),
                io.String.Output(
                    "json", display_name="JSON", tooltip="Means and the values of every frame, as in the file."
                ),
                io.Image.Output("plot", display_name="plot", tooltip="Every metric as a curve over the frames."),
                io.Float.Output("psnr", display_name="PSNR", tooltip="Mean PSNR of the whole frame in dB."),
                io.Float.Output(
                    "hole_psnr",
                    display_name="PSNR of the hole",
                    tooltip="Mean PSNR inside the mask in dB; NaN without a mask.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        result: torch.Tensor,
        truth: torch.Tensor,
        networks: bool,
        filename_prefix: str,
        mask: torch.Tensor | None = None,
        face_track: FaceTrack | None = None,
    ) -> io.NodeOutput:
        from ..metrics.plot import plot_report
        from ..metrics.report import compute_metrics, write_json

        file, subfolder = _json_file(filename_prefix)
        points = None
        if face_track is not None:
            face_track.require_clip(len(truth), tuple(truth.shape[1:3]))
            missing = face_track.status == FrameStatus.MISSING
            points = np.where(missing[:, None, None], np.nan, face_track.points)
        report = compute_metrics(
            result,
            truth,
            mask,
            points=points,
            networks=networks,
            device=get_torch_device(),
            progress=progress_bar(),
        )
        write_json(file, report)
        table, plot = report.table(), image_of(plot_report(report))
        ui_of_node = {
            "text": (table,),
            "files": [ui.SavedResult(file.name, subfolder, io.FolderType.output)],
            **shown(report.listed(), ui.PreviewImage(plot)),
        }
        return io.NodeOutput(
            table,
            json.dumps(report.to_json()),
            plot,
            report.mean["psnr"],
            report.mean.get("hole_psnr", float("nan")),
            ui=ui_of_node,
        )


def _json_file(prefix: str) -> tuple[Path, str]:
    """A file that does not exist yet, and its folder below the output folder."""
    output = Path(folder_paths.get_output_directory())
    if not (output / prefix).resolve().is_relative_to(output.resolve()):
        raise InputError(f"The filename_prefix must stay inside ComfyUI's output folder, but {prefix!r} leaves it.")
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, str(output))
    return Path(folder) / f"{name}_{counter:05}_.json", subfolder
