"""The video with its objects drawn on it: H.264 with the times and the sound of the original."""

import heapq
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glee.files import replacing
from glee.video.pyav import import_av
from glee.video.source import SourceInfo
from glee.video.trails import Trails, draw_tracks
from glee.video.writers.record import Position, Record
from glee.video.writers.sound import Sound, first_frame_time

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

CLOCK = Fraction(1, 90_000)  # of MPEG transport streams, exact for all usual frame rates
KEY_SECONDS = 2  # between pictures from which playing can start
# "superfast" takes two thirds of the time of "veryfast", for files up to a quarter larger, a bit
# sharper. Coding without arithmetic takes 20 to 30 % off that for files a tenth larger, and shows
# the same pixels.
QUALITY = {"preset": "superfast", "crf": "21", "tune": "zerolatency", "coder": "cavlc"}

# A packet of a transport stream that means nothing. Some of them let players recognise a file of
# very few and small frames.
NULL_PACKET = bytes([0x47, 0x1F, 0xFF, 0x10]) + bytes([0xFF]) * 184
NUM_NULL_PACKETS = 10


class AnnotatedVideo:
    """A video of the frames with boxes, masks, names and trails.

    While it runs, frames go to a transport stream (.ts) beside the file, which players can open at
    any time; every frame is in it as soon as it was written. Closing turns it into the MP4 file,
    with the sound of the original, without encoding anything again.

    Sizes that are odd grow by a pixel: H.264 has only even ones.
    """

    def __init__(self, path: Path, info: SourceInfo, position: Position | None = None) -> None:
        self._path, self._info = path, info
        self._stream_path = path.with_suffix(".ts")
        begin: Position = {"first": None, "last": None, "backward": False, "trails": {}}
        self._position: Position = begin | (position or {})
        self._trails = Trails(self._position["trails"])
        self._stack = ExitStack()
        self._encoder: VideoCodecContext | None = None
        self._out: tuple[OutputContainer, VideoStream] | None = None
        if position is None:
            self._stream_path.unlink(missing_ok=True)
            self._stream_path.with_suffix(".part.ts").unlink(missing_ok=True)

    def write(self, record: Record) -> None:
        """Draw a frame and add it to the transport stream."""
        frame = record.frame
        found, mask_boxes = frame.instances, record.mask_boxes
        image = to_frame(draw_tracks(frame.image, found, self._trails, mask_boxes))
        encoder, (container, stream) = self._opened(image.width, image.height)
        ticks = round(frame.timestamp / CLOCK)
        if self._position["first"] is None:
            self._position["first"] = str(frame.timestamp)
        # Backward, and where times of a broken file repeat, frames follow each other.
        last = self._position["last"]
        start = round(Fraction(self._position["first"]) / CLOCK)
        step = round(1 / (self._info.frame_rate * CLOCK))
        pts = abs(ticks - start)
        self._position["backward"] |= ticks < start
        if last is not None and pts <= last:
            pts = last + step
        image.pts, image.time_base = pts, CLOCK
        for packet in encoder.encode(image):
            packet.stream = stream
            container.mux(packet)
        self._position["last"] = pts

    def position(self) -> Position:
        """Return the times of the first and the last frame, the direction, and the trails."""
        return self._position | {"trails": self._trails.state()}

    def close(self, *, finished: bool) -> None:
        """Make the MP4 file, if there is any frame; the stream stays if it is not finished."""
        self._stack.close()
        if self._stream_path.is_file() and self._position["last"] is not None:
            with replacing(self._path) as beside:
                self._finish(beside)
            if finished:
                self._stream_path.unlink()

    def _opened(
        self, width: int, height: int
    ) -> tuple["VideoCodecContext", tuple["OutputContainer", "VideoStream"]]:
        """Return the encoder and where its packets go, opened with the first frame."""
        if self._encoder is None or self._out is None:
            self._encoder = new_encoder(width, height, self._info.frame_rate)
            kept = self._stream_path.with_suffix(".part.ts")
            # It is there already if an earlier run was stopped while it took over frames.
            if self._position["last"] is not None and not kept.is_file():
                self._stream_path.replace(kept)
            self._out = self._open_stream(width, height)
            if kept.is_file():
                self._copy(kept)
                kept.unlink()
        return self._encoder, self._out

    def _open_stream(self, width: int, height: int) -> tuple["OutputContainer", "VideoStream"]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._stack.enter_context(self._stream_path.open("wb", buffering=0))
        file.write(NULL_PACKET * NUM_NULL_PACKETS)
        options = {"flush_packets": "1"}
        container = import_av().open(file, "w", format="mpegts", options=options)
        self._stack.callback(container.close)
        stream = container.add_mux_stream("h264", width=width, height=height)
        stream.time_base = CLOCK
        return container, stream

    def _copy(self, path: Path) -> None:
        """Take over the frames of an interrupted run, up to where it goes on."""
        assert self._out is not None
        container, stream = self._out
        with import_av().open(str(path), format="mpegts") as old:
            for packet in old.demux(video=0):
                if packet.pts is None or packet.pts > self._position["last"]:
                    continue
                packet.stream = stream
                container.mux(packet)

    def _finish(self, path: Path) -> None:
        av = import_av()
        options = {"movflags": "faststart"}
        with (
            av.open(str(self._stream_path), format="mpegts") as stream,
            av.open(str(path), "w", format="mp4", options=options) as target,
            ExitStack() as stack,
        ):
            shown = target.add_stream_from_template(stream.streams.video[0])
            parts = [_timed(stream.demux(video=0), shown, self._info.frame_rate)]
            if sound := self._sound(target, stack):
                parts.append(sound.packets())
            for _, packet in heapq.merge(*parts, key=lambda part: part[0]):
                target.mux(packet)

    def _sound(self, target: "OutputContainer", stack: ExitStack) -> Sound | None:
        """Return the sound of the original, None if it has none."""
        if self._info.path is None or self._info.live or self._position["backward"]:
            return None
        source = stack.enter_context(import_av().open(self._info.path))
        if not source.streams.audio or source.streams.audio[0].codec_context is None:
            return None
        start = first_frame_time(self._info.path) + Fraction(self._position["first"])
        stop = start + self._position["last"] * CLOCK + 1 / self._info.frame_rate
        return Sound(source, target, start=start, stop=stop)


def interrupted_at(stream: Path, first: str) -> Position:
    """Return the position of an interrupted video from its transport stream.

    first  time of its first frame
    """
    with import_av().open(str(stream), format="mpegts") as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    return {"first": first, "last": max(times)}


def new_encoder(width: int, height: int, frame_rate: Fraction) -> Any:
    """Return an encoder of H.264 that gives each frame at once."""
    av = import_av()
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = CLOCK, frame_rate
    encoder.gop_size = max(1, round(KEY_SECONDS * frame_rate))
    encoder.options = dict(QUALITY)
    encoder.thread_count = 1  # more would share out each frame, and need more time in all
    return encoder


def to_frame(picture: Image.Image) -> "av.VideoFrame":
    """Return a picture in RGB as a frame to encode; odd sides grow by a pixel.

    With four bytes a pixel, as Pillow holds it, so that none is moved on the way; the fourth is
    not read.
    """
    pixels = np.frombuffer(picture.tobytes("raw", "RGBX"), dtype=np.uint8)
    image = _even(pixels.reshape(picture.height, picture.width, len("RGBX")))
    return import_av().VideoFrame.from_numpy_buffer(image, format="rgba")


def _timed(
    packets: Iterator["av.Packet[Any]"], stream: "VideoStream", frame_rate: Fraction
) -> Iterator[tuple[float, "av.Packet[Any]"]]:
    """Yield packets with their times in seconds; each lasts until the next."""
    waiting: av.Packet[Any] | None = None
    for packet in packets:
        if packet.pts is None:  # what tells the decoder of the end
            continue
        if waiting is not None and waiting.pts is not None:
            waiting.duration = packet.pts - waiting.pts
            yield _due(waiting, stream)
        waiting = packet
    if waiting is not None:
        waiting.duration = round(1 / (frame_rate * CLOCK))
        yield _due(waiting, stream)


def _due(packet: "av.Packet[Any]", stream: "VideoStream") -> tuple[float, "av.Packet[Any]"]:
    time = float((packet.pts or 0) * packet.time_base)
    packet.stream = stream
    return time, packet


def _even(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column of a picture [H, W, C] whose sides are odd."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return image
