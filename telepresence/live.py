"""The headset removed while it is filmed: the newest picture first, and none waits for a later one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import numpy as np

from ..headset.sources import Covered, DetectedHeadset, SimulatedHeadset
from ..restore.engine import Deoccluder, WantedEyes
from ..restore.filler import Filler, pictures_for
from ..restore.video import ahead, fill_covered
from ..tracking.follow import LARGEST_FACE, Wearer, beside
from ..tracking.reference import Reference
from .live_source import LiveSource, Picture
from .live_target import Target, open_target

SHOWN_EVERY = 5.0  # seconds from one line of figures to the next
LONGEST = 10_000  # milliseconds: later pictures count as this late


class Latencies:
    """How late pictures were, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self._counts = np.zeros(LONGEST + 1, np.int64)  # by milliseconds

    def __len__(self) -> int:
        return int(self._counts.sum())

    def add(self, seconds: float) -> None:
        self._counts[min(round(1000 * seconds), LONGEST)] += 1

    def percentile(self, percent: float) -> int:
        """Milliseconds that so many per cent of the pictures take at most; 0 without any."""
        return int(np.searchsorted(self._counts.cumsum(), len(self) * percent / 100))


@dataclass(frozen=True)
class LiveReport:
    """frames: that came out. rate: how many of them a second. median, p95: latency from capture to output,
    milliseconds. dropped: pictures that came while older ones were worked on. reconnected: how often the source came
    back."""

    frames: int
    rate: float
    median: int
    p95: int
    dropped: int
    reconnected: int

    @property
    def summary(self) -> str:
        """The figures in words."""
        return (
            f"{self.frames} frames, {self.rate:.1f} a second; latency {self.median} ms, p95 {self.p95} ms; "
            f"{self.dropped} dropped, {self.reconnected} reconnected."
        )


def go_live(
    source: LiveSource,
    out: str,
    *,
    mask: DetectedHeadset | SimulatedHeadset,
    reference: Reference | None,
    filler: Filler,
    wearer: Wearer = LARGEST_FACE,
    tracking: WantedEyes | None = None,
    seconds: float | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> LiveReport:
    """Restore what a source shows, as it comes, until a file ends, the window is closed, the user interrupts, or so
    many seconds after the first picture came out; what was written is whole in each case.

    out: see live_target. The others: as for restore.video.deocclude_video. say: told the figures, every few seconds.
    Raises InputError.
    """
    shown = pictures_for(filler, reference)
    wearer = replace(wearer, causal=True, required=False, fps=float(source.fps))
    engine = Deoccluder(filler, shown, None, float(source.fps), tracking=tracking)

    def covers(pictures: Iterator[Picture]) -> Iterator[Covered]:
        return mask.cover((picture.pixels for picture in pictures), wearer, shown)

    note = {"comment": f"The face under the headset was reconstructed by HMD Removal (method: {filler.name}; live)."}
    figures = _Figures(source, say)
    with ExitStack() as stack:
        size = source.width, source.height
        opened = open_target(out, size=size, fps=source.fps, sound=source.has_sound, metadata=note)
        target = stack.enter_context(opened)
        covered = stack.enter_context(closing(beside(source.pictures(), covers)))
        # Looking at a picture, filling the one before and showing the one before that keep several cores busy.
        upcoming = stack.enter_context(ahead(covered, 1))
        filled = stack.enter_context(ahead(_filled(upcoming, engine), 1, _served(target, source)))
        stack.callback(source.stop)
        try:
            for picture, pixels in filled:
                if target.closed:
                    break
                source.finished()
                target.show(pixels, picture.time, source.sounds())
                if not figures.frames and seconds is not None:
                    timer = threading.Timer(seconds, source.stop)  # it counts while no picture comes as well
                    timer.start()
                    stack.callback(timer.cancel)
                figures.add(picture)
        except KeyboardInterrupt:  # the usual way to end it, after which the file is to be whole
            pass
    return figures.report()


def _served(target: Target, source: LiveSource) -> Callable[[], None]:
    """What is done while no picture comes, as when the source is away: a window can still be closed."""

    def idle() -> None:
        target.idle()
        if target.closed:
            source.stop()

    return idle


def _filled(covered: Iterator[tuple[Picture, Covered]], engine: Deoccluder) -> Iterator[tuple[Picture, np.ndarray]]:
    for picture, cover in covered:
        (pixels,) = fill_covered(engine, [cover.pixels], [cover])
        yield picture, pixels


class _Figures:
    """What is said of a run, while it lasts and at its end. clock: seconds, on which pictures arrive."""

    def __init__(
        self, source: LiveSource, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._say, self._clock = source, say, clock
        self._all = Latencies()
        self._first = self._last = 0.0
        self._recent, self._since, self._dropped = Latencies(), 0.0, 0

    @property
    def frames(self) -> int:
        """How many have come out."""
        return len(self._all)

    def add(self, picture: Picture) -> None:
        """A picture that has just come out."""
        now = self._clock()
        if not len(self._all):
            self._first = self._since = now
        self._last = now
        self._all.add(now - picture.arrived)
        self._recent.add(now - picture.arrived)
        if now - self._since >= SHOWN_EVERY:
            self._say(self._of(self._recent, now - self._since, self._source.dropped - self._dropped).summary)
            self._recent, self._since, self._dropped = Latencies(), now, self._source.dropped

    def report(self) -> LiveReport:
        """Of the whole run."""
        return self._of(self._all, self._last - self._first, self._source.dropped)

    def _of(self, latencies: Latencies, seconds: float, dropped: int) -> LiveReport:
        frames, p50, p95 = len(latencies), latencies.percentile(50), latencies.percentile(95)
        later = frames - (frames == self.frames)  # the very first one begins the time and takes none
        rate = later / seconds if seconds else 0.0
        return LiveReport(frames, rate, p50, p95, dropped, self._source.reconnected)
