"""Train Personal: the model of one person from a video of theirs, inside ComfyUI."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import folder_paths
import torch
from comfy import model_management
from comfy.utils import ProgressBar
from comfy_api.input import VideoInput
from comfy_api.latest import io
from PIL import Image

from ..personal.person import RECIPES
from .frames import image_of
from .networks import personal_target
from .schema import known
from .shown import shown
from .sockets import SEARCH_ALIASES, PersonalModelSocket
from .video_source import encoded

PREVIEW = 768  # pixels of the live picture's longer side
PREPARING = 0.1  # of the bar


class TrainPersonal(io.ComfyNode):
    """VIDEO to HMD_PERSONAL_MODEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return known(
            io.Schema,
            node_id="HMD_TrainPersonal",
            display_name="Train Personal",
            category="HMD Removal/Personal",
            description=(
                "Learns one person's face from a minute or two of their video without the headset: look into the "
                "camera, talk, blink, turn the head slowly. Takes a minute or two, and writes "
                "models/hmd_removal/personal/NAME.safetensors: where their features are behind a headset, and twenty "
                "pictures of them."
            ),
            search_aliases=[*SEARCH_ALIASES, "TrainPersonal", "my face", "enrolment", "fine-tune", "person-specific"],
            inputs=[
                io.Video.Input("video", tooltip="The person without a headset, alone, in good light; from Load Video."),
                io.Video.Input("second_video", optional=True, tooltip="The same person on another day."),
                io.String.Input("name", default="me", tooltip="Name of the model's file."),
                io.Float.Input(
                    "minutes",
                    default=45.0,
                    min=0.1,
                    max=1440.0,
                    step=0.1,
                    tooltip="How long the recipe paper trains. The recipe fast takes a minute or two.",
                ),
                io.Combo.Input(
                    "recipe",
                    options=list(RECIPES),
                    default="fast",
                    tooltip=(
                        "fast: learns where this person's features are. paper: draws the face anew, as the paper does; "
                        "needs hours with a GPU. Cancelled, its best so far stays, and the next run goes on from there."
                    ),
                ),
            ],
            outputs=[
                PersonalModelSocket.Output(
                    "model", display_name="model", tooltip="For trained_model of Personal Deocclude."
                ),
                io.Image.Output(
                    "preview",
                    display_name="preview",
                    tooltip=(
                        "On footage that was held back. fast: eyes and brows as they are in white, as they would be "
                        "placed for anybody in red, as for this person in green. paper: covered, warp, model, model "
                        "everywhere, truth."
                    ),
                ),
                io.Image.Output(
                    "enrolment", display_name="enrolment", tooltip="The directions in which the face was seen."
                ),
                io.String.Output("report", display_name="report", tooltip="What was reached, and what is missing."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        video: VideoInput,
        name: str,
        minutes: float,
        recipe: str,
        second_video: VideoInput | None = None,
    ) -> io.NodeOutput:
        from ..personal.enrolment import Enrolment
        from ..personal.enrolment_sheet import enrolment_sheet
        from ..personal.person import described, recipe_named, train_person
        from ..personal.reached import Reached

        target = personal_target(name)
        work = Path(folder_paths.get_output_directory()) / "hmd_removal" / f"{target.stem}_training"
        bar = ProgressBar(1000)  # every update also looks whether the user has cancelled

        def prepared(what: str, done: int, most: int) -> None:
            bar.update_absolute(round(PREPARING * 1000 * done / max(most, 1)), 1000)

        def learnt(done: float, preview: tuple | None = None) -> None:
            bar.update_absolute(round(1000 * (PREPARING + (1 - PREPARING) * done)), 1000, preview)

        model_management.unload_all_models()
        # ComfyUI runs nodes in inference mode, in which nothing can be learnt.
        with ExitStack() as stack, torch.inference_mode(False), torch.enable_grad():
            clips = [stack.enter_context(encoded(v)) for v in (video, second_video) if v is not None]
            run = train_person(
                clips,
                target,
                work,
                recipe_named(recipe),
                model_management.get_torch_device(),
                minutes=minutes,
                workers=0,  # processes of its own would start ComfyUI once more where they are not forked
                progress=prepared,
                tick=learnt,
            )
            for news in run:
                if isinstance(news, Enrolment):
                    enrolment = news
                    continue
                last = news
                done = news.done if isinstance(news, Reached) else 1.0
                learnt(done, ("JPEG", Image.fromarray(news.sheet), PREVIEW))
        shutil.rmtree(work)  # the footage behind headsets takes gigabytes, and is of no use any more
        report = described(enrolment, last, target)
        pictures = image_of(last.sheet), image_of(enrolment_sheet(enrolment))
        return io.NodeOutput(target, *pictures, report, ui=shown(report))
