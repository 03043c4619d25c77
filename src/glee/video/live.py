"""Live sources: cameras, and streams from a network; what is not fetched in time is lost."""

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from glee.video.file import Clock, open_container, to_pixels, video_stream
from glee.video.pyav import VideoError, import_av, reason
from glee.video.source import DEFAULT_RATE, FrameRange, SizeGuard, SourceFrame, SourceInfo

if TYPE_CHECKING:
    import av

KEPT = 2  # frames that wait to be fetched
SILENT_SECONDS = 20.0  # after which a source is given up
CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation"}


class LiveSource:
    """The frames of a camera or of a network stream, the newest ones.

    A thread reads them as they come. If the consumer is slower, the oldest ones are dropped; each
    frame says how many were lost just before it.

    address         what FFmpeg opens: a URL, or a device
    name            what messages call it
    form            format of the device, None for a URL
    endless         whether it is a fault if the source ends, as with a camera
    silent_seconds  a source without frames for so long is given up

    Raises VideoError if it cannot be opened.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str,
        form: str | None = None,
        endless: bool = False,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        # By TCP no packet of a frame is lost on the way, which by UDP is usual.
        options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
        self._container = open_container(address, format=form, options=options)
        self._stream = video_stream(self._container, name)
        rate = self._stream.average_rate or self._stream.guessed_rate or DEFAULT_RATE
        self._info = SourceInfo(name=name, frame_rate=rate, live=True)
        self._endless, self._silent = endless, silent_seconds
        self._waiting: deque[tuple[int, av.VideoFrame, float]] = deque()
        self._lost = 0
        self._changed = threading.Condition()
        self._error: Exception | None = None
        self._ended = self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> SourceInfo:
        """Facts about the source."""
        return self._info

    def close(self) -> None:
        """Stop reading; no more frames come."""
        with self._changed:
            self._closed = self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=1)
        if self._thread is None or not self._thread.is_alive():
            self._container.close()  # else when the thread, stuck in a device, comes back

    def read(self, frames: FrameRange) -> Iterator[SourceFrame]:
        """Yield the newest frames from now on; see `Source`.

        Raises ValueError for backward frames, and when it is read twice.
        """
        if frames.backward:
            raise ValueError(f"{self.info.name} is live and cannot be read backward")
        if self._thread is not None:
            raise ValueError(f"{self.info.name} is live and can be read once")
        self._thread = threading.Thread(target=self._fill, args=(frames,), daemon=True)
        self._thread.start()
        return self._fetch()

    def _fill(self, frames: FrameRange) -> None:
        """Decode in a thread of its own, and keep the newest frames."""
        error: Exception | None = None
        began = time.perf_counter()
        try:
            for index, decoded in enumerate(self._decode()):
                if self._closed:
                    break
                if frames.wants(index):
                    with self._changed:
                        seconds = time.perf_counter() - began
                        self._waiting.append((index, decoded, seconds))
                        if len(self._waiting) > KEPT:
                            self._waiting.popleft()
                            self._lost += 1
                        self._changed.notify_all()
                    began = time.perf_counter()
        except import_av().FFmpegError as failure:
            error = failure
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _decode(self) -> Iterator["av.VideoFrame"]:
        """Yield frames; what was lost on the way here is left out."""
        invalid = import_av().InvalidDataError
        for packet in self._container.demux(self._stream):
            with suppress(invalid):
                yield from packet.decode()

    def _fetch(self) -> Iterator[SourceFrame]:
        clock, guard = Clock(self.info), SizeGuard(self.info.name)
        while True:
            with self._changed:
                there = self._changed.wait_for(
                    lambda: self._waiting or self._ended, timeout=self._silent
                )
                if not there:
                    self._stop(clock, f"no frame came for {self._silent:g} s")
                if not self._waiting:
                    break
                index, decoded, seconds = self._waiting.popleft()
                dropped, self._lost = self._lost, 0
            timestamp, image = clock.time(decoded, index), to_pixels(decoded)
            guard.check(image, timestamp)
            yield SourceFrame(
                index=index, timestamp=timestamp, image=image, seconds=seconds, dropped=dropped
            )
        self._explain_end(clock)

    def _explain_end(self, clock: Clock) -> None:
        """Raise VideoError unless the source was closed, or has ended as it may."""
        if self._closed:
            return
        if isinstance(self._error, import_av().FFmpegError):
            self._stop(clock, reason(self._error))
        if self._endless:
            self._stop(clock, "it delivers no more frames; is it unplugged?")
        clock.require_whole(None)

    def _stop(self, clock: Clock, why: str) -> None:
        raise VideoError(f"{self.info.name} was lost: {why}; {clock.describe()}", clock.last)


def open_camera(number: int) -> LiveSource:
    """Open a camera of this machine by its number, from 0.

    Raises VideoError if there is none of this number.
    """
    name = f"camera {number}"
    if sys.platform == "win32":
        devices = import_av().enumerate_input_devices("dshow")
        cameras = [device.name for device in devices if "video" in device.media_types]
        if number >= len(cameras):
            raise VideoError(f"{name} not found; there are {len(cameras)} cameras")
        return LiveSource(f"video={cameras[number]}", name=name, form="dshow", endless=True)
    address = str(number) if sys.platform == "darwin" else f"/dev/video{number}"
    form = CAMERA_FORMATS.get(sys.platform, "v4l2")
    try:
        return LiveSource(address, name=name, form=form, endless=True)
    except FileNotFoundError as error:
        raise VideoError(f"{name} not found: there is no {address}") from error
    except VideoError as error:
        raise VideoError(f"{name} cannot be opened: {error}") from error
