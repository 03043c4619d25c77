"""The sound of a video, cut and shifted to fit another video."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from glee.video.pyav import import_av

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

COPIED = ("aac", "ac3", "alac", "eac3", "flac", "mp3", "opus")  # codecs that MP4 files hold


class Sound:
    """The first sound of a video file, to be added to a file that is being written.

    start  what becomes 0, in seconds of the video's own clock
    stop   where it ends
    """

    def __init__(
        self,
        source: "InputContainer",
        target: "OutputContainer",
        *,
        start: Fraction,
        stop: Fraction,
    ) -> None:
        self._source, self._start, self._stop = source, start, stop
        self._from: AudioStream = source.streams.audio[0]
        self._copied = self._from.codec_context.name in COPIED
        self._to: AudioStream
        if self._copied:
            self._to = target.add_stream_from_template(self._from)
        else:
            rate = self._from.codec_context.sample_rate
            self._to = target.add_stream("aac", rate=rate)

    def packets(self) -> Iterator[tuple[float, "av.Packet[Any]"]]:
        """Yield packets for the file, each with its time in seconds."""
        for packet in self._copy() if self._copied else self._encode():
            time = packet.pts if packet.dts is None else packet.dts
            packet.stream = self._to
            yield float((time or 0) * packet.time_base), packet

    def _copy(self) -> Iterator["av.Packet[Any]"]:
        for packet in self._source.demux(self._from):
            if packet.pts is None or packet.dts is None:
                continue
            time = packet.pts * packet.time_base
            if self._start <= time < self._stop:
                shift = round(self._start / packet.time_base)
                packet.pts -= shift
                packet.dts -= shift
                yield packet

    def _encode(self) -> Iterator["av.Packet[Any]"]:
        for frame in self._source.decode(self._from):
            if frame.pts is None or frame.time_base is None:
                continue
            time = frame.pts * frame.time_base
            if self._start <= time < self._stop:
                frame.pts -= round(self._start / frame.time_base)
                yield from self._to.encode(frame)
        yield from self._to.encode(None)


def first_frame_time(path: str) -> Fraction:
    """Return when the first frame of a video is shown, by the video's own clock, in seconds."""
    with import_av().open(path) as container:
        for frame in container.decode(video=0):
            if frame.pts is not None and frame.time_base is not None:
                return Fraction(frame.pts * frame.time_base)
    return Fraction(0)
