"""Animated WebP, which FFmpeg does not decode, as a video in memory."""

import importlib.util
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING

import av
import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from PIL import Image

HEAD = 21  # bytes by which it is told
SHORTEST = 10  # milliseconds that a picture is shown, where the file gives less


def is_animated_webp(head: bytes) -> bool:
    """Whether a file is one, by its first HEAD bytes: the animation flag of the chunk VP8X (RFC 9649)."""
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) >= HEAD and bool(head[20] & 0x02)


def unpacked(content: bytes, name: str) -> BytesIO:
    """The animation as Matroska with every pixel kept, and each picture shown as long as it was.

    name: how messages call the file. Raises InputError where Pillow is missing, or cannot read it.
    """
    if importlib.util.find_spec("PIL") is None:
        raise InputError(f"{name} is an animated WebP, which is read with the package pillow: install it, or use MP4.")
    from PIL import Image

    try:
        with Image.open(BytesIO(content)) as animation:
            return _matroska(animation)
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for damaged files
        raise InputError(f"The animated WebP {name} cannot be read ({error}): convert it to MP4.") from error


def _matroska(animation: "Image.Image") -> BytesIO:
    video, time = BytesIO(), 0
    with av.open(video, "w", format="matroska") as output:
        stream = output.add_stream("ffv1", rate=25, time_base=Fraction(1, 1000))
        stream.width, stream.height = animation.size
        stream.pix_fmt = "bgra" if animation.mode == "RGBA" else "bgr0"
        for number in range(animation.n_frames):
            animation.seek(number)
            picture = av.VideoFrame.from_ndarray(np.array(animation.convert("RGBA")), format="rgba")
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            output.mux(stream.encode(picture))
            time += max(int(animation.info.get("duration", 0)), SHORTEST)
        output.mux(stream.encode(None))
    video.seek(0)
    return video
