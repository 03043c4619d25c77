import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from followers import object_at
from glee.data.readers.mask_folders import read_index_picture
from glee.draw import draw_instances
from glee.evaluation.burst_json import read_burst_truth
from glee.evaluation.mot import read_mot_tracks
from glee.evaluation.track_json import read_track_predictions
from glee.evaluation.video_json import (
    read_tube_annotations,
    read_tube_predictions,
    read_video_catalog,
)
from glee.ops.masks import decode_rle
from glee.results import Instances, Timings, VideoFrame
from glee.tracking.snapshot import Snapshot
from glee.video.file import VideoFile
from glee.video.recording import FORMATS, Recording, is_unfinished
from glee.video.source import FrameRange, SourceInfo
from glee.video.trails import Trails, draw_tracks
from glee.video.writers.annotated import to_frame
from glee.video.writers.journal import read_lines
from glee.video.writers.palette import davis_palette
from video_files import drawn_frame, write_video

SIZE = (48, 64)
RATE = Fraction(30000, 1001)
INFO = SourceInfo(name="video 'street.mp4'", title="street", frame_rate=RATE)


def drawn(index: int, size: tuple[int, int] = SIZE) -> VideoFrame:
    """Return a frame with objects 1 to index + 1, at most 4 of them."""
    return VideoFrame(
        index=index,
        timestamp=index / RATE,
        instances=object_at(range(1, min(index, 3) + 2), ("bar", "line"), size),
        image=drawn_frame(index, size),
        timings=Timings(decode=0, wait=0, network=0),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of six frames, in all formats."""
    out = tmp_path_factory.mktemp("run")
    with Recording(out, FORMATS, INFO, settings={}) as recording:
        for index in range(6):
            recording.write(drawn(index))
    return out


def pictures_of(path: Path) -> list[Fraction]:
    return [frame.timestamp for frame in VideoFile(path).read(FrameRange())]


def test_json_lines_give_every_frame_back(folder: Path) -> None:
    lines = list(read_lines(folder / "tracks.jsonl"))

    assert [line["frame"] for line in lines] == list(range(6))
    assert [Fraction(line["time"]) for line in lines] == [i / RATE for i in range(6)]
    found = Instances.from_json(lines[2])
    expected = drawn(2).instances
    assert found.track_ids is not None
    assert found.track_ids.tolist() == [1, 2, 3]
    assert found.masks is not None
    assert expected.masks is not None
    assert torch.equal(found.masks, expected.masks)


def test_mot_text_is_read_by_our_reader(folder: Path) -> None:
    tracks = read_mot_tracks(folder / "mot.txt")

    assert tracks.frames.tolist() == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6]
    assert tracks.ids[:6].tolist() == [1, 1, 2, 1, 2, 3]
    assert tracks.xywh[2].tolist() == [20, 0, 10, 10]


def test_mots_text_holds_masks_that_do_not_overlap(tmp_path: Path) -> None:
    frame = drawn(1)
    assert frame.instances.masks is not None
    frame.instances.masks[1] |= frame.instances.masks[0]  # equal scores: the first one wins
    with Recording(tmp_path, ["mots"], INFO, settings={}) as recording:
        recording.write(frame)

    rows = [line.split(" ") for line in (tmp_path / "mots.txt").read_text().splitlines()]

    assert [row[:5] for row in rows] == [["2", "1", "1", "48", "64"], ["2", "2", "1", "48", "64"]]
    masks = decode_rle([{"size": [48, 64], "counts": row[5]} for row in rows], SIZE)
    assert masks.sum(dim=(1, 2)).tolist() == [100, 100]
    assert not (masks[0] & masks[1]).any()


def test_youtube_vis_results_have_an_entry_for_each_frame(folder: Path) -> None:
    data_set = json.loads((folder / "coco_video.json").read_text())
    results = json.loads((folder / "ytvis.json").read_text())
    catalog = read_video_catalog(data_set)

    predictions = read_tube_predictions(results, catalog)
    annotations = read_tube_annotations(data_set, catalog)

    assert catalog.unit_lengths.tolist() == [6]
    assert predictions.scores.tolist() == [0.75] * 4
    assert annotations.areas.tolist() == [100] * 4
    assert [one["segmentations"][:4].count(None) for one in results] == [0, 1, 2, 3]
    assert results[1]["bboxes"][1] == [20, 0, 10, 10]
    assert data_set["videos"][0]["file_names"][1] == "00001.jpg"


def test_tao_results_are_read_with_their_frames(folder: Path) -> None:
    results = json.loads((folder / "tao.json").read_text())
    data = {
        "videos": [{"id": 1, "height": 48, "width": 64}],
        "images": [{"id": i + 1, "video_id": 1} for i in range(6)],
        "categories": [{"id": 1}, {"id": 2}],
    }

    predictions = read_track_predictions(results, data, read_video_catalog(data))

    assert len(results) == 1 + 2 + 3 + 4 + 4 + 4
    assert predictions.scores.tolist() == [0.75] * 4


def test_burst_json_is_read_by_our_reader(folder: Path) -> None:
    video = read_burst_truth(json.loads((folder / "burst.json").read_text()))[0]

    assert video.name == "glee/street"
    assert list(video.frames) == [f"{i:05d}.jpg" for i in range(6)]
    assert video.frames["00002.jpg"].ids.tolist() == [1, 2, 3]
    assert video.frames["00002.jpg"].scores.tolist() == [0.75] * 3


def test_index_pictures_hold_the_numbers_of_tracks(folder: Path) -> None:
    picture = read_index_picture(folder / "masks" / "00002.png")

    assert picture[5, [5, 15, 25, 35, 45]].tolist() == [0, 1, 2, 3, 0]
    with Image.open(folder / "masks" / "00002.png") as image:
        assert image.mode == "P"


def test_the_palette_is_that_of_davis() -> None:
    colors = davis_palette()

    # The first colours of DAVIS 2017's annotations.
    assert list(colors[:15]) == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128]


def test_tracks_that_a_palette_cannot_number_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = drawn(1).instances
    assert found.track_ids is not None
    found.track_ids[1] = 256
    frame = VideoFrame(
        index=0,
        timestamp=Fraction(0),
        instances=found,
        image=drawn_frame(0),
        timings=Timings(decode=0, wait=0, network=0),
    )
    with Recording(tmp_path, ["png"], INFO, settings={}) as recording:
        recording.write(frame)

    assert np.unique(read_index_picture(tmp_path / "masks" / "00000.png")).tolist() == [0, 1]
    assert "255 tracks" in capsys.readouterr().err


def test_the_annotated_video_has_the_times_of_the_frames(folder: Path) -> None:
    assert pictures_of(folder / "annotated.mp4") == [i / RATE for i in range(6)]
    assert not (folder / "annotated.ts").exists()
    with av.open(str(folder / "annotated.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_trails_run_below_the_names() -> None:
    found, trails = object_at([4], ("bar",), SIZE), Trails()
    before = replace(found, boxes=torch.tensor([[36.0, 7, 46, 17]]))
    trails.draw(Image.new("RGB", SIZE[::-1]), before)

    picture = np.asarray(draw_tracks(drawn_frame(0), found, trails))

    named = np.asarray(draw_instances(drawn_frame(0), found))
    nameless = np.asarray(draw_instances(drawn_frame(0), found, names=False, scores=False))
    plate = (named != nameless).any(axis=2)
    assert np.array_equal(picture[plate], named[plate])
    assert (picture != named).any()


@pytest.mark.parametrize(("shift", "drawn"), [(8, True), (12, False)])
def test_a_trail_begins_anew_where_its_object_jumps_by_more_than_its_size(
    shift: int, drawn: bool
) -> None:
    trails, picture = Trails(), Image.new("RGB", SIZE[::-1])
    here = replace(object_at([4], ("bar",), SIZE), boxes=torch.tensor([[10.0, 10, 20, 20]]))

    trails.draw(picture, here)
    trails.draw(picture, replace(here, boxes=here.boxes + torch.tensor([shift, 0, shift, 0])))

    assert np.asarray(picture).any() == drawn


def test_trails_that_are_restored_are_forgotten_when_others_are() -> None:
    here, nothing = object_at([4], ("bar",), SIZE), object_at([], ("bar",), SIZE)
    near = replace(here, boxes=here.boxes + 5)
    whole = Trails()
    for found in [here] + [nothing] * 30:
        whole.draw(Image.new("RGB", SIZE[::-1]), found)

    restored = Trails(json.loads(json.dumps(whole.state())))
    pictures = []
    for trails in (whole, restored):
        picture = Image.new("RGB", SIZE[::-1])
        for found in [nothing] * 15 + [near]:
            trails.draw(picture, found)
        pictures.append(np.asarray(picture))

    assert np.array_equal(*pictures)
    assert not pictures[0].any()


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [Fraction(0), Fraction(1, 25), Fraction(1, 2), Fraction(2)]
    with Recording(tmp_path, ["video"], INFO, settings={}) as recording:
        for index, timestamp in enumerate(times):
            frame = drawn(index)
            recording.write(
                VideoFrame(
                    index=index,
                    timestamp=timestamp,
                    instances=frame.instances,
                    image=frame.image,
                    timings=frame.timings,
                )
            )

    assert pictures_of(tmp_path / "annotated.mp4") == times


def test_odd_sizes_grow_by_a_pixel(tmp_path: Path) -> None:
    with Recording(tmp_path, ["video"], INFO, settings={}) as recording:
        recording.write(drawn(0, (47, 63 + 1)))

    frame = next(iter(VideoFile(tmp_path / "annotated.mp4").read(FrameRange())))

    assert frame.image.shape == (48, 64, 3)


@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_what_is_encoded_is_the_picture_with_its_last_pixels_repeated(
    size: tuple[int, int],
) -> None:
    pixels = drawn_frame(15, size)  # its bar is at the right

    frame = to_frame(Image.fromarray(pixels)).to_ndarray(format="rgb24")

    rows, columns = (np.arange(48).clip(max=size[0] - 1), np.arange(64).clip(max=size[1] - 1))
    assert np.array_equal(frame, pixels[rows[:, None], columns])


def with_sound(path: Path, codec: str) -> Path:
    """Write a video of one second with a tone."""
    with av.open(path, "w") as out:
        video = out.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream(codec, rate=16000, layout="mono")
        wave = (8000 * np.sin(np.arange(16000) / 8)).astype(np.int16)[None]
        tone = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        tone.sample_rate, tone.pts, tone.time_base = 16000, 0, Fraction(1, 16000)
        for index in range(24):
            frame = av.VideoFrame.from_ndarray(drawn_frame(index), format="rgb24")
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        out.mux(sound.encode(tone))
        out.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(("codec", "kept"), [("aac", "aac"), ("pcm_s16le", "aac")])
def test_the_sound_is_kept(tmp_path: Path, codec: str, kept: str) -> None:
    path = with_sound(tmp_path / "loud.mkv", codec)
    source = VideoFile(path)
    with Recording(tmp_path / "out", ["video"], source.info, settings={}) as recording:
        for frame in source.read(FrameRange()):
            recording.write(
                VideoFrame(
                    index=frame.index,
                    timestamp=frame.timestamp,
                    instances=object_at([1], ("bar",), SIZE),
                    image=frame.image,
                    timings=Timings(decode=0, wait=0, network=0),
                )
            )

    with av.open(str(tmp_path / "out" / "annotated.mp4")) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == kept
        heard = np.concatenate([f.to_ndarray()[0] for f in container.decode(sound)])
    assert abs(len(heard) / 16000 - 1) < 0.15
    assert np.abs(heard).max() > 0.15


def test_masks_are_needed_where_a_format_holds_them(tmp_path: Path) -> None:
    frame = drawn(0)
    boxes = Instances(
        boxes=frame.instances.boxes,
        scores=frame.instances.scores,
        labels=frame.instances.labels,
        names=frame.instances.names,
        image_size=SIZE,
        track_ids=frame.instances.track_ids,
    )
    unmasked = VideoFrame(
        index=0,
        timestamp=Fraction(0),
        instances=boxes,
        image=frame.image,
        timings=frame.timings,
    )
    recording = Recording(tmp_path, ["mots", "burst", "mot"], INFO, settings={})
    recording.write(unmasked)

    with pytest.raises(ValueError, match="MOTS text holds masks, but there are none"):
        recording.close()
    assert len((tmp_path / "mot.txt").read_text().splitlines()) == 1
    assert is_unfinished(tmp_path)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown format 'avi'; choose from video, jsonl, mot"):
        Recording(tmp_path, ["avi"], INFO, settings={})


def test_a_slow_writer_slows_the_caller_down(tmp_path: Path) -> None:
    gate = threading.Event()
    handed = []
    recording = Recording(
        tmp_path, ["mot"], INFO, settings={}, written=lambda frame: gate.wait(10) and None
    )

    def hand_over() -> None:
        for index in range(8):
            recording.write(drawn(index))
            handed.append(index)

    caller = threading.Thread(target=hand_over)
    caller.start()
    caller.join(timeout=0.5)
    waiting = len(handed)
    gate.set()
    caller.join(timeout=10)
    recording.close()

    assert waiting <= 4  # one is written, two wait, one is about to be
    assert len(handed) == 8


KILLED = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_video_recording import FORMATS, INFO, Recording, Snapshot, drawn, torch
torch.set_num_threads(1)
recording = Recording(Path({out!r}), FORMATS, INFO, settings={{}},
                      written=lambda frame: print(frame.index, flush=True))
for index in range(100_000):
    recording.write(drawn(index), Snapshot({{"last": index}}, {{"x": torch.ones(3)}}))
"""


def record_until_killed(out: Path, frames: int, seconds: float) -> int:
    """Record in another process, kill it without warning, and return the last frame it told of.

    frames   it has told of so many
    seconds  after that
    """
    root = Path(__file__).parent.parent
    code = KILLED.format(paths=[str(root / "src"), str(root / "tests")], out=str(out))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(frames)]
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        return int([*told, *process.stdout.read().split()][-1])


def test_a_kill_leaves_every_written_frame_readable_and_the_run_goes_on(tmp_path: Path) -> None:
    last = record_until_killed(tmp_path, random.randrange(4, 20), random.uniform(0, 0.1))

    lines = [line["frame"] for line in read_lines(tmp_path / "tracks.jsonl")]
    assert lines[: last + 1] == list(range(last + 1))
    assert pictures_of_stream(tmp_path) >= last + 1
    assert read_mot_tracks(tmp_path / "mot.txt").frames.max() >= last + 1
    mots = (tmp_path / "mots.txt").read_text().splitlines()
    assert int(mots[-1].split()[0]) >= last + 1
    for index in range(last + 1):
        read_index_picture(tmp_path / "masks" / f"{index:05d}.png")
    for name in ("ytvis", "coco_video", "tao", "burst"):
        assert json.loads((tmp_path / f"{name}.json").read_text())

    frames = last + 20
    with Recording(tmp_path, FORMATS, INFO, settings={}, resume=True) as recording:
        assert recording.state is not None
        start = recording.state.values["last"] + 1
        for index in range(start, frames):
            recording.write(drawn(index))

    assert 0 < start <= last + 3
    lines = [line["frame"] for line in read_lines(tmp_path / "tracks.jsonl")]
    assert lines == list(range(frames))
    times = [float(time) for time in pictures_of(tmp_path / "annotated.mp4")]
    assert times == pytest.approx([float(i / RATE) for i in range(frames)], abs=1e-4)
    tracks = read_mot_tracks(tmp_path / "mot.txt")
    assert np.unique(tracks.frames).tolist() == list(range(1, frames + 1))
    for track in json.loads((tmp_path / "ytvis.json").read_text()):
        assert len(track["segmentations"]) == frames
    assert not (tmp_path / "resume.safetensors").exists()


def pictures_of_stream(folder: Path) -> int:
    """Return how many frames the stream of an interrupted run shows."""
    with av.open(str(folder / "annotated.ts")) as container:
        return len(list(container.decode(video=0)))


def test_another_run_cannot_go_on_with_the_files(tmp_path: Path) -> None:
    first = Recording(tmp_path, ["mot"], INFO, settings={"prompts": "bar"})
    first.write(drawn(0), Snapshot({}, {}))
    first.close(finished=False)

    with pytest.raises(ValueError, match='differs in prompts: it had "bar", now "line"'):
        Recording(tmp_path, ["mot"], INFO, settings={"prompts": "line"}, resume=True)
    with pytest.raises(ValueError, match="differs in formats"):
        Recording(tmp_path, ["mots"], INFO, settings={"prompts": "bar"}, resume=True)


def test_a_complete_run_has_nothing_to_resume(folder: Path) -> None:
    with pytest.raises(ValueError, match="is complete; there is nothing to resume"):
        Recording(folder, FORMATS, INFO, settings={}, resume=True)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    first = Recording(tmp_path, ["mot"], INFO, settings={})
    first.close(finished=False)
    (tmp_path / "resume.safetensors").write_bytes(b"not tensors")

    with pytest.raises(ValueError, match=r"resume\.safetensors is no state of a run"):
        Recording(tmp_path, ["mot"], INFO, settings={}, resume=True)


def test_a_video_of_a_stopped_run_is_there_and_can_still_go_on(tmp_path: Path) -> None:
    first = Recording(tmp_path, ["video"], INFO, settings={})
    for index in range(4):
        first.write(drawn(index), Snapshot({"last": index}, {}))
    first.close(finished=False)
    assert len(pictures_of(tmp_path / "annotated.mp4")) == 4

    with Recording(tmp_path, ["video"], INFO, settings={}, resume=True) as second:
        assert second.state is not None
        assert second.state.values == {"last": 3}
        for index in range(4, 6):
            second.write(drawn(index))

    assert pictures_of(tmp_path / "annotated.mp4") == [i / RATE for i in range(6)]


def test_reading_a_written_video_again_gives_the_same_frames_as_pictures(folder: Path) -> None:
    frames = list(VideoFile(folder / "annotated.mp4").read(FrameRange()))

    # The bar that was drawn is where it was, below the objects at the top.
    columns = [int(f.image[30:, :, 1].mean(axis=0).argmax()) // 4 for f in frames]
    assert columns == list(range(6))


def test_a_file_of_a_run_is_written_video_free_of_tracks(tmp_path: Path) -> None:
    with Recording(tmp_path, FORMATS, INFO, settings={}) as recording:
        recording.write(
            VideoFrame(
                index=0,
                timestamp=Fraction(0),
                instances=object_at([], ("bar",), SIZE),
                image=drawn_frame(0),
                timings=Timings(decode=0, wait=0, network=0),
            )
        )

    assert json.loads((tmp_path / "ytvis.json").read_text()) == []
    assert json.loads((tmp_path / "tao.json").read_text()) == []
    assert (tmp_path / "mot.txt").read_text() == ""


def test_a_recording_without_frames_leaves_empty_reports(tmp_path: Path) -> None:
    Recording(tmp_path, FORMATS, INFO, settings={}).close()

    assert not (tmp_path / "annotated.mp4").exists()
    assert json.loads((tmp_path / "ytvis.json").read_text()) == []
    assert write_video(tmp_path / "other.mp4", [drawn_frame(0)]).is_file()
