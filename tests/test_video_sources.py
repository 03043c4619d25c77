import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glee.video.file import VideoFile
from glee.video.live import LiveSource, open_camera
from glee.video.pictures import ArrayFrames, FrameFolder
from glee.video.pyav import VideoError
from glee.video.reader import open_source
from glee.video.source import FrameRange, SourceFrame
from video_files import bar_of, drawn_frame, write_video

ALL = FrameRange()
FRAMES = [drawn_frame(i) for i in range(16)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 frames of 48 x 64 pixels in two groups of pictures, with frames that are reordered."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", FRAMES, group="8")


def read(source: VideoFile | FrameFolder | ArrayFrames, **wanted: int) -> list[SourceFrame]:
    return list(source.read(FrameRange(**wanted)))


def test_a_file_gives_all_its_frames_in_order_with_exact_timestamps(clip: Path) -> None:
    frames = read(VideoFile(clip))

    assert [bar_of(frame.image) for frame in frames] == list(range(16))
    assert [frame.index for frame in frames] == list(range(16))
    assert [frame.timestamp for frame in frames] == [Fraction(i, 24) for i in range(16)]
    assert frames[0].image.shape == (48, 64, 3)


def test_only_wanted_frames_come_and_keep_their_numbers(clip: Path) -> None:
    wanted = FrameRange(start=2, every=5, always=frozenset({8}))

    frames = list(VideoFile(clip).read(wanted))

    assert [frame.index for frame in frames] == [2, 7, 8, 12]
    assert [bar_of(frame.image) for frame in frames] == [2, 7, 8, 12]


def test_frames_behind_one_go_on_in_the_same_steps(clip: Path) -> None:
    frames = list(VideoFile(clip).read(FrameRange(start=2, every=5, after=7)))

    assert [frame.index for frame in frames] == [12]


def test_a_file_is_read_backward_frame_by_frame(clip: Path) -> None:
    frames = list(VideoFile(clip).read(FrameRange(start=14, every=2, backward=True)))

    assert [frame.index for frame in frames] == [14, 12, 10, 8, 6, 4, 2, 0]
    assert [bar_of(frame.image) for frame in frames] == [14, 12, 10, 8, 6, 4, 2, 0]
    assert frames[0].timestamp == Fraction(14, 24)


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 40, 41, 500, 1234]
    path = write_video(tmp_path / "vfr.mkv", FRAMES[:5], times=times)

    frames = read(VideoFile(path))

    assert [frame.timestamp for frame in frames] == [Fraction(time, 1000) for time in times]


def test_times_count_from_the_first_frame_whatever_the_file_begins_with(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.ts", FRAMES[:4])  # these begin at 1.4 s

    assert [frame.timestamp for frame in read(VideoFile(path))] == [
        Fraction(i, 24) for i in range(4)
    ]


@pytest.mark.parametrize(("rotation", "corner"), [(90, (63, 0)), (180, (47, 63)), (270, (0, 47))])
def test_a_rotated_video_is_turned_upright(
    tmp_path: Path, rotation: int, corner: tuple[int, int]
) -> None:
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    picture[:24, :24] = 255  # the top left corner, which turns counter-clockwise
    path = write_video(tmp_path / "turned.mp4", [picture] * 2, rotation=str(rotation))

    image = read(VideoFile(path))[0].image

    assert image.shape[:2] == ((48, 64) if rotation == 180 else (64, 48))
    y, x = corner
    assert image[y, x, 0] > 200
    assert (image[..., 0] > 128).sum() == 24 * 24


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv444p10le"])
def test_ten_bits_become_eight(tmp_path: Path, pixels: str) -> None:
    path = write_video(tmp_path / "ten.mp4", FRAMES[:3], pixels=pixels)

    frames = read(VideoFile(path))

    assert [bar_of(frame.image) for frame in frames] == [0, 1, 2]
    assert abs(int(frames[1].image[5, 40].max()) - 20) <= 3


@pytest.mark.parametrize(("codec", "pixels"), [("ffv1", "yuv420p"), ("libx264", "yuv444p")])
def test_odd_sizes_keep_every_pixel(tmp_path: Path, codec: str, pixels: str) -> None:
    picture = np.full((47, 63, 3), 20, dtype=np.uint8)
    picture[:, -1] = 240
    path = write_video(tmp_path / "odd.mkv", [picture], codec=codec, pixels=pixels)

    image = read(VideoFile(path))[0].image

    assert image.shape == (47, 63, 3)
    assert image[10, 62].min() > 150
    assert image[10, 50].max() < 60


def damaged(clip: Path, path: Path, keep: float) -> list[SourceFrame]:
    """Read a copy that ends early, and return the frames before the error."""
    content = clip.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    frames: list[SourceFrame] = []
    with pytest.raises(VideoError, match=r"damaged|cut off") as stopped:
        frames.extend(_collect(VideoFile(path), frames))
    assert stopped.value.timestamp == pytest.approx(float(frames[-1].timestamp))
    assert f"{float(frames[-1].timestamp):.3f} s" in str(stopped.value)
    return frames


def _collect(source: VideoFile, into: list[SourceFrame]) -> list[SourceFrame]:
    for frame in source.read(ALL):
        into.append(frame)  # kept when the loop is left by an error
    return []


@pytest.mark.parametrize("keep", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_truncated_video_gives_the_frames_before_and_says_where_it_stopped(
    tmp_path: Path, keep: float, kind: str
) -> None:
    noisy = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(40)]
    whole = write_video(tmp_path / f"whole.{kind}", noisy, tune="zerolatency")

    frames = damaged(whole, tmp_path / f"cut.{kind}", keep)

    assert 16 <= len(frames) < 40
    assert [frame.index for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize("kind", ["mp4", "ts"])
def test_altered_bytes_stop_a_video_at_their_frame(tmp_path: Path, kind: str) -> None:
    noisy = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8) for i in range(40)]
    path = write_video(tmp_path / f"bad.{kind}", noisy, tune="zerolatency")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = np.random.default_rng(0).bytes(600)
    path.write_bytes(content)

    frames: list[SourceFrame] = []
    with pytest.raises(VideoError, match="damaged"):
        _collect(VideoFile(path), frames)
    going_on = read(VideoFile(path, skip_damage=True))

    assert 10 < len(frames) < 30
    assert len(going_on) > len(frames)


def test_a_change_of_resolution_is_refused_where_it_happens(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.h264", FRAMES[:6])
    second = write_video(tmp_path / "b.h264", [drawn_frame(i, (64, 96)) for i in range(6)])
    path = tmp_path / "both.h264"
    path.write_bytes(first.read_bytes() + second.read_bytes())

    frames: list[SourceFrame] = []
    with pytest.raises(VideoError, match=r"changes from 64x48 to 96x64 pixels at"):
        _collect(VideoFile(path), frames)

    assert len(frames) == 6


def test_a_video_without_frames_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.ts", FRAMES[:4])
    content = path.read_bytes()
    # Headers, but no packet of the video: its stream has the number 0x100.
    packets = [content[i : i + 188] for i in range(0, len(content), 188)]
    headers = [one for one in packets if ((one[1] & 0x1F) << 8 | one[2]) != 0x100]
    path.write_bytes(b"".join(headers * 10))

    with pytest.raises(VideoError, match=r"no frames|cannot be opened"):
        read(VideoFile(path))


def test_an_unknown_codec_is_named(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "unknown.mp4"
    path.write_bytes(clip.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))

    with pytest.raises(VideoError, match="codec that is not known here"):
        VideoFile(path)


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)

    with pytest.raises(VideoError, match=r"cannot be opened: .* it is no video, or is damaged"):
        VideoFile(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import wave  # noqa: PLC0415

    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))

    with pytest.raises(VideoError, match="no video in it"):
        VideoFile(tmp_path / "sound.wav")


def test_a_missing_file_is_named_with_the_folder_that_was_searched() -> None:
    with pytest.raises(FileNotFoundError, match=r"video 'nowhere\.mp4' not found; looked in"):
        open_source("nowhere.mp4")


def test_a_folder_is_read_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    for index in range(12):
        Image.fromarray(drawn_frame(index)).save(tmp_path / f"frame_{index}.png")
    (tmp_path / "notes.txt").write_text("no picture")

    source = open_source(tmp_path, frame_rate=10)
    frames = list(source.read(ALL))

    assert [bar_of(frame.image) for frame in frames] == list(range(12))
    assert frames[3].timestamp == Fraction(3, 10)
    assert source.info.stems[10] == "frame_10"


def test_a_damaged_picture_ends_a_folder_with_its_time(tmp_path: Path) -> None:
    for index in range(3):
        Image.fromarray(drawn_frame(index)).save(tmp_path / f"{index}.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])

    frames = open_source(tmp_path).read(ALL)

    assert [next(frames).index, next(frames).index] == [0, 1]
    with pytest.raises(VideoError, match=r"frame 2 \(0\.083 s\): image file .* damaged"):
        next(frames)


def test_pictures_of_another_size_end_a_folder(tmp_path: Path) -> None:
    Image.fromarray(drawn_frame(0)).save(tmp_path / "0.png")
    Image.fromarray(drawn_frame(1, (32, 64))).save(tmp_path / "1.png")

    with pytest.raises(VideoError, match="changes from 64x48 to 64x32 pixels"):
        list(open_source(tmp_path).read(ALL))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no picture"):
        open_source(tmp_path)


def test_an_iterator_is_read_one_picture_at_a_time() -> None:
    made: list[int] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for index in range(3):
            made.append(index)
            yield drawn_frame(index)

    frames = open_source(pictures()).read(ALL)

    assert bar_of(next(frames).image) == 0
    assert made == [0]
    assert [frame.index for frame in frames] == [1, 2]


def test_a_list_can_be_read_backward_but_an_iterator_cannot() -> None:
    backward = FrameRange(start=3, backward=True)

    assert [f.index for f in open_source(FRAMES).read(backward)] == [3, 2, 1, 0]
    with pytest.raises(ValueError, match="iterator cannot be read backward"):
        open_source(iter(FRAMES)).read(backward)


def test_an_iterator_without_pictures_says_so() -> None:
    with pytest.raises(VideoError, match="has no frames"):
        list(open_source(iter(())).read(ALL))


@pytest.mark.parametrize("source", [1.5, None, True])
def test_other_sources_are_refused(source: object) -> None:
    with pytest.raises(TypeError, match="source must be a path"):
        open_source(source)  # type: ignore[arg-type]


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(VideoError, match=r"camera 97 (not found|cannot be opened)"):
        open_camera(97)


def fake_camera(frames: int, *, rate: int = 1000, silent_seconds: float = 5) -> LiveSource:
    """A device of FFmpeg that draws so many pictures, and then delivers no more."""
    picture = f"testsrc=size=64x48:rate={rate},trim=end_frame={frames}"
    return LiveSource(
        picture, name="camera 0", form="lavfi", endless=True, silent_seconds=silent_seconds
    )


def test_an_unplugged_camera_gives_its_frames_and_then_an_error() -> None:
    frames = fake_camera(2).read(ALL)

    assert [next(frames).index, next(frames).index] == [0, 1]
    with pytest.raises(VideoError, match=r"camera 0 was lost: .*unplugged.* after the frame at"):
        next(frames)


def test_a_slow_consumer_of_a_camera_gets_the_newest_frames_and_the_number_lost() -> None:
    source = fake_camera(50)
    frames = source.read(ALL)
    assert source._thread is not None
    source._thread.join(timeout=10)  # nobody has fetched a frame

    first, second = next(frames), next(frames)

    assert [first.index, second.index] == [48, 49]
    assert [first.dropped, second.dropped] == [48, 0]


def test_a_silent_stream_is_given_up() -> None:
    source = fake_camera(1, silent_seconds=0.2)
    source._fill = lambda frames: None  # type: ignore[method-assign]  # a device that hangs

    with pytest.raises(VideoError, match=r"no frame came for 0\.2 s; it stopped before the first"):
        next(source.read(ALL))


def test_a_live_source_refuses_to_go_back() -> None:
    with pytest.raises(ValueError, match="live and cannot be read backward"):
        fake_camera(1).read(FrameRange(start=3, backward=True))


class Folder(SimpleHTTPRequestHandler):
    """Serves the files of a folder."""

    def log_message(self, *words: object) -> None:
        pass


class Camera(Folder):
    """Serves files as a camera does, which cannot tell how long they will be."""

    def send_header(self, keyword: str, value: str) -> None:
        if keyword.lower() != "content-length":
            super().send_header(keyword, value)


@contextmanager
def served(folder: Path, handler: type[Folder]) -> Iterator[str]:
    """Serve a folder, and return its address."""
    handle = partial(handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_a_file_is_read_by_http(clip: Path) -> None:
    with served(clip.parent, Folder) as address:
        frames = list(open_source(f"{address}/clip.mp4").read(ALL))
        with pytest.raises((VideoError, FileNotFoundError), match="absent"):
            open_source(f"{address}/absent.mp4")

    assert [bar_of(frame.image) for frame in frames] == list(range(16))


def test_a_transport_stream_by_http_is_live(tmp_path: Path) -> None:
    write_video(tmp_path / "street.ts", FRAMES)

    with served(tmp_path, Folder) as address:
        source = open_source(f"{address}/street.ts")
        frames = list(source.read(ALL))

    assert source.info.live
    assert len(frames) + sum(frame.dropped for frame in frames) == 16
    assert [bar_of(frame.image) for frame in frames] == [frame.index for frame in frames]


def test_a_stream_whose_server_goes_away_gives_its_frames_and_then_an_error(tmp_path: Path) -> None:
    write_video(tmp_path / "street.ts", FRAMES)
    frames = []

    with served(tmp_path, Camera) as address, pytest.raises(VideoError, match="was lost") as error:
        frames.extend(open_source(f"{address}/street.ts").read(ALL))

    assert error.value.timestamp == float(frames[-1].timestamp)


def test_an_address_that_nobody_serves_is_an_error() -> None:
    with pytest.raises(VideoError, match=r"rtsp://127\.0\.0\.1:9/.*cannot be opened"):
        open_source("rtsp://127.0.0.1:9/street")
