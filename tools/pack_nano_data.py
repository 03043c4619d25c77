"""Pack what GLEE-Nano learns from into one archive of a given size, for a machine elsewhere.

    python tools/pack_nano_data.py ROOT --out nano_data.tar.gz [--most 64]

ROOT is the `--data` of `glee train --recipe nano`. Everything that training reads goes in whole,
but for two things. Of the detector's boxes only those go in that change a sample. Of the cut-outs
as many of each name and source go in as --most MiB allow; of renders whole turns, which clips need.
Held-out cut-outs and photos of the split `eval` stay behind. `ATTRIBUTIONS.tsv`, with the authors
and licences of the pictures, goes in if ROOT has it, and must go along otherwise.

Unpack it by `tar xzf nano_data.tar.gz`; it makes the folder `nano_data`, to be given by `--data`.
"""

import argparse
import gzip
import io
import json
import sys
import tarfile
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from glee.data.corpus.packs import CUTOUT_SOURCES, Cutout, read_cutouts
from glee.files import replacing
from glee.training.nano import LABELS, LEAST_SCORE, TEACHER, complete

Json = dict[str, Any]

FOLDER = "nano_data"
PHOTO_LISTS = ("instances_train.json", "persons.json", "machine_boxes.json")
CREDITS = "ATTRIBUTIONS.tsv"
MIB = 2**20
ENTRY = 160  # bytes that a picture takes besides its own, compressed: header, index
END = 2**16  # bytes of the archive after all pictures
GOLDEN = 0.6180339887498949
COMPACT = (",", ":")


def choose(rows: Sequence[Cutout], most: int) -> list[int]:
    """Return the places of at most `most` cut-outs of each name and source, in their order.

    They are spread evenly over those that there are. The directions that a render is seen from at
    one height are taken together, at least one such turn of each name.
    """
    named: dict[tuple[str, str], dict[object, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, row in enumerate(rows):
        if not row.held_out:
            thing = place if row.model is None else (row.model, row.pitch)
            named[row.source, row.name][thing].append(place)
    chosen: list[int] = []
    for things in named.values():
        own: list[int] = []
        for turn in _spread(list(things.values())):
            if not own or len(own) + len(turn) <= most:
                own += turn
        chosen += own
    return sorted(chosen)


def _spread(things: list[list[int]]) -> list[list[int]]:
    """Return a list in an order in which the first ones, however many, lie all over it."""
    # Those places of which the multiple of the golden ratio has a small fraction are evenly apart.
    return [things[n] for n in sorted(range(len(things)), key=lambda n: n * GOLDEN % 1)]


def largest(rows: Sequence[Cutout], room: int) -> list[int]:
    """Return the places of as many cut-outs of each name as fit into some bytes.

    Raises ValueError if not even one of each fits.
    """
    top = max(Counter((row.source, row.name) for row in rows).values())
    numbers = range(1, top + 1)
    most = bisect_right(numbers, room, key=lambda number: _size(rows, choose(rows, number)))
    if not most:
        needed = (_size(rows, choose(rows, 1)) - room) / MIB
        raise ValueError(f"one cut-out of each name does not fit: {needed:.1f} MiB more are needed")
    return choose(rows, most)


def _size(rows: Sequence[Cutout], places: Iterable[int]) -> int:
    return sum(rows[place].size + ENTRY for place in places)


def shorten(labels: Json, least_score: float) -> Json:
    """Leave out a detector's boxes that change no sample of `read_pseudo_labels`.

    Of boxes below `least_score` one of a name in a photo says that the name is annotated in part.
    """
    kept, unsure = [], set()
    for entry in labels["annotations"]:
        name = (entry["image_id"], entry["category_id"])
        if entry.get("score", 0) >= least_score:
            kept.append(entry)
        elif name not in unsure:
            unsure.add(name)
            kept.append(entry)
    return {**labels, "annotations": kept}


def of_training(content: Json) -> Json:
    """Return a file of photos in COCO's format without those of other splits than `train`."""
    images = [image for image in content["images"] if image["split"] == "train"]
    known = {image["id"] for image in images}
    marks = [mark for mark in content["annotations"] if mark["image_id"] in known]
    return {**content, "images": images, "annotations": marks}


def pack(root: Path, out: Path, *, most: int) -> int:
    """Write the archive, of at most `most` bytes, and return how many cut-outs it holds.

    Raises FileNotFoundError that names what the root lacks, ValueError for too little room.
    """
    complete(root)
    with replacing(out) as beside:
        with (
            gzip.open(beside, "wb") as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            _add_whole_parts(archive, root)
            stream.flush()  # so that the size is known
            rows = read_cutouts(root)
            chosen = largest(rows, most - beside.stat().st_size - END)
            _add_cutouts(archive, root / "cutouts", rows, chosen)
        size = beside.stat().st_size
        if size > most:
            raise ValueError(f"{size} bytes are more than {most}; ENTRY is too low for these packs")
    return len(chosen)


def _add_whole_parts(archive: tarfile.TarFile, root: Path) -> None:
    """Add all but the cut-outs."""
    photos = root / "coco_photos"
    shown = set()
    for name in PHOTO_LISTS:
        content = of_training(_read(photos / name))
        shown |= {image["file_name"] for image in content["images"]}
        _add_json(archive, f"coco_photos/{name}", content)
    labels = shorten(_read(root / LABELS), LEAST_SCORE)
    shown |= {image["file_name"] for image in labels["images"]}
    _add_json(archive, LABELS, labels)
    files = [photos / "images" / name for name in sorted(shown)]
    files += sorted(path for path in (root / "backgrounds").iterdir() if path.is_file())
    files += [root / TEACHER, (root / TEACHER).with_name("LICENSE"), root / CREDITS]
    for path in files:
        if path.is_file():
            _add(archive, str(path.relative_to(root)), path.read_bytes())


def _add_cutouts(
    archive: tarfile.TarFile, folder: Path, rows: Sequence[Cutout], chosen: Iterable[int]
) -> None:
    """Add shards with the cut-outs chosen, and the index with their new places."""
    with (folder / "index.jsonl").open(encoding="utf-8") as file:
        entries = [json.loads(line) for line in file if line.strip()]
    streams = {name: io.BytesIO() for one in CUTOUT_SOURCES.values() for name in one.files}
    shards = {
        name: tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        for name, stream in streams.items()
    }
    lines = []
    for place in chosen:
        row, entry = rows[place], entries[place]
        with (folder / row.shard).open("rb") as file:
            file.seek(row.offset)
            content = file.read(row.size)
        shard = shards[row.shard]
        start = shard.offset + tarfile.BLOCKSIZE  # after the header
        _write(shard, entry["file"], content)
        lines.append(json.dumps({**entry, "offset": start}, separators=COMPACT) + "\n")
    for name, shard in shards.items():
        shard.close()
        _add(archive, f"cutouts/{name}", streams[name].getvalue())
    _add(archive, "cutouts/index.jsonl", "".join(lines).encode())


def _add_json(archive: tarfile.TarFile, name: str, content: Json) -> None:
    _add(archive, name, json.dumps(content, separators=COMPACT).encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    _write(archive, f"{FOLDER}/{name}", content)


def _write(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _read(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> None:
    """Pack the data root named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder given to glee train by --data")
    parser.add_argument("--out", type=Path, required=True, help="archive to write, .tar.gz")
    parser.add_argument("--most", type=float, default=64, help="MiB that it may take (%(default)s)")
    options = parser.parse_args()
    try:
        count = pack(options.root, options.out, most=int(options.most * MIB))
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    if not (options.root / CREDITS).is_file():
        print(f"{options.root / CREDITS} is missing: it must go along", file=sys.stderr)
    print(f"{options.out}: {options.out.stat().st_size / MIB:.1f} MiB, {count} cut-outs")


if __name__ == "__main__":
    main()
