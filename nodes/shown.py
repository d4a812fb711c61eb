"""What a node shows on itself: a text below its widgets, and what it made to look at."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import torch
from comfy_api.latest import io, ui

from ..video import SMALL, VideoWriter
from .frames import pictures
from .video_source import temporary_video

SHOWN_TEXT = "shown_text"
LONGEST_SIDE = 640  # pixels of a preview: more than a node is wide
RATE = Fraction(25)  # frames a second of a preview, since IMAGE knows no rate


def shown(text: str, look: ui.PreviewVideo | ui.PreviewImage | None = None) -> dict[str, Any]:
    """The ui of a node that shows a text, which web/js/shown.js draws, and perhaps something to look at.

    ComfyUI itself draws the `text` of its own Preview Any alone, and what goes by send_progress_text is gone, in newer
    front ends, when the run ends.
    """
    return {SHOWN_TEXT: (text,)} | ({} if look is None else look.as_dict())


def video_shown(file: Path) -> ui.PreviewVideo:
    """The ui of a node that shows a `temporary_video` as it is."""
    return ui.PreviewVideo([ui.SavedResult(file.name, "", io.FolderType.temp)])


def frames_shown(images: torch.Tensor) -> ui.PreviewVideo | ui.PreviewImage:
    """The ui of a node that shows an IMAGE (T, H, W, 3) on the CPU: a small video, or a picture where it is one."""
    if len(images) == 1:
        return ui.PreviewImage(images)
    height, width = images.shape[1:3]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    # Browsers want even sizes.
    height, width = (max(2, 2 * round(scale * side / 2)) for side in (height, width))
    small = (  # shrunk first, since rounding large pictures takes longer than encoding small ones
        torch.from_numpy(cv2.resize(image.numpy(), (width, height), interpolation=cv2.INTER_AREA)) for image in images
    )
    with VideoWriter(temporary_video(), width=width, height=height, fps=RATE, quality=SMALL) as writer:
        for number, picture in enumerate(pictures(small)):
            writer.write(picture, number)
    return video_shown(writer.path)
