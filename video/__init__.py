"""Video in and out: streaming, exact frame counts and timestamps, sound carried over. PyAV only."""

from .audio import Audio, read_audio
from .info import VideoInfo
from .reader import Frame, VideoReader, probe
from .writer import LOSSLESS, QUALITIES, SMALL, VideoWriter

__all__ = [
    "LOSSLESS",
    "QUALITIES",
    "SMALL",
    "Audio",
    "Frame",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "probe",
    "read_audio",
]
