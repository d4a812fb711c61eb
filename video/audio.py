"""Reading a video's sound."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from .source import UNDECODABLE, Source, describe, moving_pictures, open_source, time_origin

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_GAP = Fraction(1, 20)  # seconds; smaller jumps of the timestamps are rounding, larger ones are missing sound


@dataclass(frozen=True)
class Audio:
    """Sound as ComfyUI's AUDIO holds it.

    Attributes:
        waveform: torch (1,C,N) float32; full scale is [-1,1], which lossy codecs may overshoot a little.
        sample_rate: samples per second.
    """

    waveform: torch.Tensor
    sample_rate: int


def read_audio(source: Source, start_time: float = 0.0, duration: float | None = None) -> Audio | None:
    """Decode the first sound track that has a decoder, whole or in part, exact to the sample.

    Args:
        source: a video or sound file.
        start_time: seconds on the clock of `Frame.time`, which starts with the video's first frame (in a
            file without pictures: with the file). Where the sound starts later, silence comes first; what
            lies before is left out.
        duration: seconds to read; None for all. Less is returned where the sound ends earlier.

    Returns:
        The sound, or None if there is none; a track that cannot be decoded is logged as a warning.

    Raises:
        InputError: the file is missing, empty, cut off or no media file.
    """
    import torch

    with open_source(source) as container:
        tracks = container.streams.audio
        track = next((track for track in tracks if track.codec_context is not None), None)
        if track is None:
            if tracks:
                log.warning("%s: there is no decoder for its sound; it is read as silent.", describe(source))
            return None
        rate = track.codec_context.sample_rate
        first = round(Fraction(start_time) * rate)
        end = None if duration is None else first + round(Fraction(duration) * rate)
        parts = []
        zero = _clock_zero(container)
        for position, samples in continuous_samples(container, track, "flt", zero, describe(source)):
            if not parts and position > first:
                samples = np.pad(samples, ((0, 0), (position - first, 0)))
                position = first
            stop = None if end is None else max(0, end - position)
            parts.append(samples[:, max(0, first - position) : stop])
            if end is not None and position + samples.shape[1] >= end:
                break
    waveform = np.concatenate(parts, axis=1) if parts else np.empty((0, 0), np.float32)
    if not waveform.size:
        log.warning("%s: none of its sound could be read from %s s on.", describe(source), start_time)
        return None
    return Audio(torch.from_numpy(np.ascontiguousarray(waveform))[None], rate)


def _clock_zero(container: InputContainer) -> Fraction:
    pictures = moving_pictures(container)
    if not pictures or pictures[0].start_time is None:
        return time_origin(container)
    return pictures[0].start_time * pictures[0].time_base


def continuous_samples(
    container: InputContainer, track: AudioStream, sample_format: str, zero: Fraction, name: str
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode a track without holes: missing sound becomes silence, so that nothing after it moves.

    Args:
        container, track: an opened file and one of its sound tracks.
        sample_format: FFmpeg's name of an interleaved format; PyAV crashes on planar frames of more than 8
            channels.
        zero: seconds on the container's clock where sample 0 lies.
        name: of the file, for warnings.

    Yields:
        (position, samples): the number of the first sample and a (C,n) array; positions follow on without
        gaps.
    """
    rate, layout = track.codec_context.sample_rate, track.codec_context.layout
    resampler = av.AudioResampler(sample_format, layout, rate)
    position: int | None = None
    for frame in _decode(container, track, name):
        start = position if frame.pts is None else round((frame.pts * frame.time_base - zero) * rate)
        if position is None:
            position = start or 0
        missing = (start or 0) - position
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray().reshape(-1, layout.nb_channels).T
            if missing > _GAP * rate:
                samples = np.pad(samples, ((0, 0), (missing, 0)))
                missing = 0
            yield position, samples
            position += samples.shape[1]


def _decode(container: InputContainer, track: AudioStream, name: str) -> Iterator[AudioFrame]:
    damaged = 0
    packets = container.demux(track)
    try:
        while (packet := next(packets, None)) is not None:
            try:
                yield from packet.decode()
            except UNDECODABLE:
                damaged += 1
    except UNDECODABLE:  # the container is damaged from here on
        damaged += 1
    if damaged:
        log.warning("%s: %d damaged pieces of sound could not be decoded and are left out.", name, damaged)
