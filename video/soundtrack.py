"""Carrying the sound of one file over into an MP4 whose pictures are made anew."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import islice

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from .audio import continuous_samples
from .source import UNDECODABLE, Source, describe, open_source, time_origin

log = logging.getLogger(__name__)

# Decoders of the codecs that MP4 holds and players know. PCM and Vorbis fit into MP4 on paper, but browsers
# stay mute.
_COPIED = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "flac", "alac"})
_SURVEYED_PACKETS = 64


class Soundtrack:
    """Feeds every sound track of a file into an MP4 that is being written.

    Packets are copied bit for bit where MP4 can hold the codec; other tracks (PCM, Vorbis, WMA, ...) become
    FLAC, which keeps every sample of up to 24 bits. A track that cannot be carried over is left out with a
    warning: bad sound never costs the pictures.

    Attributes:
        sample_rates: of the tracks that are carried over.

    Raises:
        InputError: the file cannot be opened (see open_source).
    """

    def __init__(self, source: Source, output: OutputContainer) -> None:
        self._name = describe(source)
        self._output = output
        self._dropped = 0
        self.sample_rates: list[int] = []
        tracks: list[Iterator[Packet]] = []
        with open_source(source) as container:
            indices = [stream.index for stream in container.streams.audio]
        with ExitStack() as stack:
            for index in indices:
                survey = _survey(source, index)
                if survey is None:
                    log.warning("%s: sound track %d cannot be decoded and is left out.", self._name, index)
                    continue
                container = stack.enter_context(open_source(source))
                stream = container.streams[index]
                if survey.fits_mp4:
                    tracks.append(_copied(container, stream, output.add_stream_from_template(stream), survey))
                elif _flac_takes(stream):
                    log.info("%s: its %s sound is stored as FLAC.", self._name, stream.codec_context.name)
                    tracks.append(_as_flac(container, stream, _add_flac(output, stream), self._name))
                else:
                    log.warning("%s: FLAC cannot hold sound track %d, it is left out.", self._name, index)
                    continue
                self.sample_rates.append(stream.codec_context.sample_rate)
            self._packets = heapq.merge(*tracks, key=_time)
            self._waiting = next(self._packets, None)
            self._stack = stack.pop_all()

    def feed(self, until: Fraction | None = None) -> None:
        """Write all sound that starts up to `until` seconds; None writes everything that is left."""
        while self._waiting is not None and (until is None or _time(self._waiting) <= until):
            try:
                self._output.mux(self._waiting)
            except UNDECODABLE:  # MP4 refuses this packet
                self._dropped += 1
            self._waiting = next(self._packets, None)
        if self._waiting is None and self._dropped:
            log.warning("%s: %d damaged packets of sound are left out.", self._name, self._dropped)
            self._dropped = 0

    def close(self) -> None:
        """Close the files the sound comes from."""
        self._packets = iter(())
        self._stack.close()


def _time(packet: Packet) -> Fraction:
    return packet.pts * packet.time_base


@dataclass(frozen=True)
class _Survey:
    """What the first packets of a track tell.

    Attributes:
        first_sample: where the first packet starts, in samples on the container's clock, exact even where the
            container's clock is not; priming samples, which the decoder drops, lie before its first frame.
        packet_samples: samples in a usual packet.
        fits_mp4: MP4 takes the packets as they are.
    """

    first_sample: int
    packet_samples: int
    fits_mp4: bool


def _survey(source: Source, index: int) -> _Survey | None:
    """Look at the start of a track; None if nothing of it can be decoded."""
    with open_source(source) as container:
        stream = container.streams[index]
        if stream.codec_context is None:
            return None
        packets: list[Packet] = []
        frames: list[AudioFrame] = []
        silent_packets = 0
        for packet in islice(_packets(container, stream), _SURVEYED_PACKETS):
            packets.append(packet)
            try:
                frames += packet.decode()
            except UNDECODABLE:
                pass  # an undecodable packet counts like one that the decoder drops
            silent_packets += not frames
            if len(frames) > 1:
                break
        if not frames:
            return None
        usual = frames[-1].samples
        dropped = silent_packets * usual + max(0, usual - frames[0].samples)
        start = (frames[0].pts or 0) * frames[0].time_base * stream.codec_context.sample_rate
        fits = stream.codec_context.name in _COPIED and _mp4_takes(stream, packets)
        return _Survey(round(start) - dropped, usual, fits)


def _mp4_takes(stream: AudioStream, packets: list[Packet]) -> bool:
    try:
        with av.open(BytesIO(), "w", format="mp4") as trial:
            copy = trial.add_stream_from_template(stream)
            for packet in packets:
                packet.stream = copy
                trial.mux(packet)
    except (av.error.FFmpegError, ValueError):  # ValueError is PyAV's own "format does not support codec"
        return False
    return True


def _flac_takes(stream: AudioStream) -> bool:
    try:
        with av.open(BytesIO(), "w", format="mp4") as trial:
            _add_flac(trial, stream).codec_context.open()
    except av.error.FFmpegError:  # more than 8 channels, for example
        return False
    return True


def _copied(container: InputContainer, stream: AudioStream, copy: AudioStream, survey: _Survey) -> Iterator[Packet]:
    """A track's own packets, timed in samples from the source's zero."""
    rate = stream.codec_context.sample_rate
    samples_per_tick = stream.time_base * rate
    shift = round(time_origin(container) * rate)
    expected: int | None = None
    for packet in _packets(container, stream):
        start, length = packet.pts, packet.duration
        if samples_per_tick != 1:
            # Milliseconds and the like: count samples instead, and follow the container's clock only where it
            # really jumps.
            start, length = round(start * samples_per_tick), round(length * samples_per_tick)
            tolerance = 2 * samples_per_tick
            if expected is None:
                start = survey.first_sample
            elif abs(start - expected) <= tolerance:
                start = expected
            if abs(length - survey.packet_samples) <= tolerance:
                length = survey.packet_samples
        if expected is not None and start < expected - length:
            continue  # MP4 cannot go back in time
        expected = start + survey.packet_samples
        packet.stream = copy
        packet.pts = packet.dts = start - shift
        packet.duration, packet.time_base = length, Fraction(1, rate)
        yield packet


def _packets(container: InputContainer, stream: AudioStream) -> Iterator[Packet]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except UNDECODABLE:  # the container is damaged from here on
            return
        if packet is None:
            return
        if packet.size and packet.pts is not None:
            yield packet


def _add_flac(output: OutputContainer, stream: AudioStream) -> AudioStream:
    decoder = stream.codec_context
    flac = output.add_stream("flac", rate=decoder.sample_rate)
    flac.codec_context.layout = decoder.layout
    # 8 and 16 bits are kept as 16, everything else (24, 32, float) as 24 bits.
    flac.codec_context.format = "s16" if decoder.format.name in {"u8", "u8p", "s16", "s16p"} else "s32"
    return flac


def _as_flac(container: InputContainer, stream: AudioStream, flac: AudioStream, name: str) -> Iterator[Packet]:
    """A track decoded and compressed without loss."""
    rate, layout = stream.codec_context.sample_rate, stream.codec_context.layout
    sample_format = flac.codec_context.format.name
    zero = time_origin(container)
    for position, samples in continuous_samples(container, stream, sample_format, zero, name):
        interleaved = samples.T.reshape(1, -1)
        frame = AudioFrame.from_ndarray(interleaved, format=sample_format, layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
        yield from flac.encode(frame)
    yield from flac.encode(None)
