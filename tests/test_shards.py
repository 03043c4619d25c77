"""Shards: what is packed comes back the same, by ranges, from disk or from storage."""

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glee.cli.main import main
from glee.data.loading import FrameChoice, open_batch
from glee.data.mixture import Draw
from glee.data.scene import open_sample
from glee.data.schema import BadSampleError, Frame, ImageSource, Sample, Supervision
from glee.data.shards import read
from glee.data.shards.read import Folder, Shards, read_shards
from glee.data.shards.write import write_shards
from glee.data.transforms import MultiScale
from glee.ops.masks import Rle

LISTED = frozenset({"dog", "cat"})


@dataclass(frozen=True)
class Pictures:
    """Six samples, the last two of them clips of three frames; one has no file."""

    folder: Path
    names: tuple[str, ...] = ("dog", "cat", "naïve \n name")

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Sample:
        frames = [self.frame(10 * index + n) for n in range(3 if index > 3 else 1)]
        return Sample(
            key=f"sample {index}",
            frames=frames,
            expressions=("the left dog", "a dog") if index == 1 else (),
            supervision=Supervision(
                masks=index != 2,
                boxes=index != 2,
                exhaustive=None if index == 2 else LISTED,
                absent=frozenset({"cow"}),
                partial=frozenset({"cat"}) if index == 3 else frozenset(),
                machine_made=index == 4,
            ),
        )

    def frame(self, shade: int) -> Frame:
        path = self.folder / f"{shade}.png"
        if not path.exists():
            Image.new("RGB", (6, 8), (shade, 0, 255)).save(path)
        return Frame(
            image=path,
            size=(8, 6),
            boxes=np.array([[0.1, 0, 2, 1 / 3]], np.float32),
            names=("dog",),
            masks=None if shade == 20 else (Rle(size=[8, 6], counts="08X1"),),
            track_ids=(7,) if shade >= 40 else None,
        )


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    write_shards(Pictures(tmp_path / "images"), tmp_path / "out", shard_bytes=4000)
    return tmp_path / "out"


def same_frames(first: Frame, second: Frame) -> bool:
    assert isinstance(first.image, bytes)
    assert isinstance(second.image, Path)
    return (
        first.image == second.image.read_bytes()
        and np.array_equal(first.boxes, second.boxes)
        and (first.size, first.names) == (second.size, second.names)
        and (first.masks, first.track_ids) == (second.masks, second.track_ids)
    )


def test_all_samples_come_back_the_same(packed: Path) -> None:
    samples, before = read_shards(packed), Pictures(packed.parent / "images")

    assert len(samples.manifest.files) > 1
    assert [samples.names[n] for n in range(len(samples.names))] == list(before.names)
    for mine, theirs in zip(
        (samples[n] for n in range(6)), (before[n] for n in range(6)), strict=True
    ):
        assert (mine.key, mine.expressions) == (theirs.key, theirs.expressions)
        assert mine.supervision == theirs.supervision
        assert len(mine.frames) == len(theirs.frames)
        frames = range(len(theirs.frames))
        assert all(same_frames(mine.frames[n], theirs.frames[n]) for n in frames)
    assert samples.portrait().all()


def test_pictures_that_are_no_files_are_packed_too(tmp_path: Path) -> None:
    pixels = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)

    @dataclass(frozen=True)
    class One:
        image: ImageSource
        names: tuple[str, ...] = ()

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Sample:
            frame = Frame(
                image=self.image, size=(4, 6), boxes=np.zeros((0, 4), np.float32), names=()
            )
            return Sample(key="x", frames=(frame,))

    write_shards(One(pixels), tmp_path / "a")

    image = read_shards(tmp_path / "a")[0].frames[0].image
    assert isinstance(image, bytes)
    assert np.array_equal(np.array(Image.open(io.BytesIO(image))), pixels)


def test_other_programs_can_read_the_shards(packed: Path) -> None:
    members = dict[str, bytes]()
    for path in sorted(packed.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                members[member.name] = file.read()

    assert json.loads(members["000000001.json"])["expressions"] == ["the left dog", "a dog"]
    assert "000000001.png" in members
    assert [n for n in members if n.startswith("000000005")] == [
        "000000005.json",
        *(f"000000005.{n:05}.png" for n in range(3)),
    ]


def test_training_opens_batches_of_shards_as_of_files(packed: Path) -> None:
    augmentation, frames = MultiScale(shortest=(16,), crop=0), FrameChoice(count=2)
    sources = (read_shards(packed), Pictures(packed.parent / "images"))

    first, second = (
        open_batch(one, Draw(0, (4, 5), 3), augmentation, frames=frames) for one in sources
    )

    for mine, theirs in zip(first.clips, second.clips, strict=True):
        for own, other in zip(mine, theirs, strict=True):
            assert np.array_equal(own.pixels, other.pixels)
            assert own.boxes.equal(other.boxes)


def test_shards_are_read_from_object_storage(packed: Path) -> None:
    storage = fsspec.filesystem("memory")
    storage.put(str(packed), "/bucket/coco", recursive=True)

    remote, local = read_shards("memory://bucket/coco"), read_shards(packed)

    assert len(remote) == 6
    assert remote[5].frames[2].image == local[5].frames[2].image


@dataclass(frozen=True)
class Counting:
    """A folder that remembers what was read of shards."""

    inner: Folder
    asked: list[int]

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        if stop is not None:
            self.asked.append(stop - start)
        return self.inner.read(name, start, stop)


@pytest.mark.parametrize(("at_once", "requests"), [(2**22, 1), (0, 2)])
def test_a_small_sample_is_one_request_and_of_a_large_one_only_frames_asked_for_are_read(
    at_once: int, requests: int, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "AT_ONCE", at_once)
    plain = read_shards(packed)
    storage = Counting(Folder(packed), [])
    samples = Shards(storage, plain.manifest, plain.places, plain.sets, plain.names)

    samples[5].frames[1].decode_masks()

    assert len(storage.asked) == requests


def test_a_bad_sample_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    pictures = Pictures(tmp_path / "images")
    frame = pictures[2].frames[0].image
    assert isinstance(frame, Path)
    frame.write_bytes(b"no image")

    report = write_shards(pictures, tmp_path / "out")

    assert len(read_shards(tmp_path / "out")) == 5
    assert report.counts == {"sample that cannot be opened": 1}
    assert "20.png" in report.examples["sample that cannot be opened"][0]


def test_shards_are_not_written_over(packed: Path) -> None:
    with pytest.raises(FileExistsError, match="holds shards already"):
        write_shards(Pictures(packed.parent / "images"), packed)


def test_an_interrupted_run_leaves_no_manifest_and_no_half_shard(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Interrupted(Pictures):
        def __getitem__(self, index: int) -> Sample:
            if index == 3:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    (tmp_path / "images").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_shards(Interrupted(tmp_path / "images"), tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(FileNotFoundError, match=r"holds no shards\.json; make shards by"):
        read_shards(tmp_path / "out")


def damage_index(change: Callable[[NDArray[np.void]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        places = np.load(folder / "index.npy")
        change(places)
        np.save(folder / "index.npy", places)

    return damage


def damage_manifest(**changes: object) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        path = folder / "shards.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_manifest(files=["../secret.tar"]), "must be the plain name of a file"),
        (damage_manifest(files=["/etc/passwd"]), "must be the plain name of a file"),
        (damage_manifest(format="other"), "is no manifest of shards"),
        (damage_manifest(samples=7), "must have 7 rows"),
        (damage_manifest(sets=5), "is no manifest of shards"),
        (damage_index(lambda p: p["whole"].__setitem__(0, 2**40)), "does not lie inside its shard"),
        (damage_index(lambda p: p["start"].__setitem__(2, -1)), "sample 2 does not lie inside"),
        (damage_index(lambda p: p["shard"].__setitem__(0, 99)), "names shards that"),
        (lambda folder: (folder / "index.npy").write_bytes(b"x"), "is no index of shards"),
        (lambda folder: (folder / "names.jsonl").write_text("5"), "JSON text in each line"),
    ],
)
def test_what_is_damaged_or_points_elsewhere_is_refused(
    damage: Callable[[Path], object], message: str, packed: Path
) -> None:
    damage(packed)

    with pytest.raises(ValueError, match=message):
        read_shards(packed)


def test_an_index_with_code_in_it_is_refused(packed: Path) -> None:
    np.save(packed / "index.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)

    with pytest.raises(ValueError, match="is no index of shards"):
        read_shards(packed)


def test_damage_anywhere_in_a_shard_is_a_bad_sample_or_harmless(packed: Path) -> None:
    path = packed / "000000.tar"
    whole = path.read_bytes()
    samples, random = read_shards(packed), np.random.default_rng(0)

    for _ in range(300):
        broken = bytearray(whole)
        for place in random.integers(0, len(whole), 3).tolist():
            broken[place] = int(random.integers(256))
        path.write_bytes(broken)
        with suppress(BadSampleError):
            open_sample(samples[0], torch.Generator())


def test_a_shard_that_is_cut_short_is_a_bad_sample(packed: Path) -> None:
    samples = read_shards(packed)
    (packed / samples.manifest.files[-1]).write_bytes(b"")

    with pytest.raises(BadSampleError, match="is cut short"):
        samples[5]


def test_the_command_packs_every_split_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (6, 8)).save(data / "1.jpg")
    image = {"id": 1, "file_name": "1.jpg", "height": 8, "width": 6}
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}
    content = {"images": [image], "annotations": [mark], "categories": [{"id": 1, "name": "dog"}]}
    (data / "train.json").write_text(json.dumps(content))

    code = main(["data", "shards", str(data), str(tmp_path / "out")])

    assert code == 0
    assert capsys.readouterr().out.endswith("train: 1 samples\n")
    assert read_shards(tmp_path / "out" / "train")[0].frames[0].names == ("dog",)
    assert main(["data", "check", str(tmp_path / "out"), "--decode"]) == 0
    assert capsys.readouterr().out.startswith("train: 1 samples\n")
