"""The data sets that GLEE is trained and evaluated on: where their files lie, and their reader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from glee.data.readers.bdd100k import (
    read_bdd100k,
    read_bdd100k_instances,
    read_bdd100k_outlines,
)
from glee.data.readers.burst import read_burst
from glee.data.readers.coco import read_coco
from glee.data.readers.davis import read_davis, read_mose
from glee.data.readers.lvis import read_lvis
from glee.data.readers.objects365 import read_objects365
from glee.data.readers.open_images import read_open_images
from glee.data.readers.phrases import read_phrases
from glee.data.readers.refcoco import read_refcoco
from glee.data.readers.sa1b import read_sa1b
from glee.data.readers.tao import read_tao
from glee.data.readers.visual_genome import read_visual_genome
from glee.data.readers.ytvis import read_ytvis
from glee.data.readers.ytvos import read_ref_ytvos, read_ytvos
from glee.data.schema import Samples

Read = Callable[..., Samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One data set.

    read    makes samples of the paths of `files`, in their order
    files   files and folders in the data root; {split} stands for the split
    origin  where they come from
    splits  which there are
    """

    read: Read
    files: tuple[str, ...]
    origin: str
    splits: tuple[str, ...] = ("train", "val")


def read_listed(name: str, root: Path, *, split: str = "train") -> Samples:
    """Read a data set from its usual place in a data root.

    name   one of `CATALOG`
    split  one of its splits

    Raises ValueError for an unknown name or split, FileNotFoundError if files are missing, all of
    which it names.
    """
    listed = find_listed(name, split)
    require_files(root, [(name, split)])
    return listed.read(*(root / file.format(split=split) for file in listed.files))


def require_files(root: Path, wanted: Sequence[tuple[str, str]]) -> None:
    """Stop unless all files of some data sets are there.

    root    the folder of all data sets
    wanted  name and split of each

    Raises FileNotFoundError that names every missing file or empty folder and where it comes
    from, and ValueError for an unknown name or split.
    """
    missing: dict[str, list[str]] = {}
    for name, split in wanted:
        listed = find_listed(name, split)
        lost = [file.format(split=split) for file in listed.files]
        lost = [file for file in lost if not _is_there(root / file)]
        if lost:
            missing.setdefault(f"{name}, from {listed.origin}", []).extend(lost)
    if missing:
        parts = [f"  {file}\n    of {source}" for source, lost in missing.items() for file in lost]
        raise FileNotFoundError(
            f"the data root {str(root)!r} lacks these files; see docs/datasets.md:\n"
            + "\n".join(dict.fromkeys(parts))
        )


def find_listed(name: str, split: str) -> Listed:
    """Return the entry of a data set; raises ValueError for an unknown name or split."""
    if name not in CATALOG:
        raise ValueError(f"unknown data set {name!r}; choose from {', '.join(CATALOG)}")
    if split not in CATALOG[name].splits:
        raise ValueError(f"{name} has no split {split!r}; choose from {CATALOG[name].splits}")
    return CATALOG[name]


def _is_there(path: Path) -> bool:
    if path.is_dir():
        return next(path.iterdir(), None) is not None
    return path.is_file()


COCO_ORIGIN = "https://cocodataset.org/#download"
YTVIS_ORIGIN = "https://youtube-vos.org/dataset/vis/"
BDD_ORIGIN = "http://bdd-data.berkeley.edu/"
TAO_ORIGIN = "https://motchallenge.net/tao_download.php"
UVO_ORIGIN = "https://sites.google.com/view/unidentified-video-object/dataset"
GENOME_ORIGIN = "https://homes.cs.washington.edu/~ranjay/visualgenome/api.html"
REFCOCO_ORIGIN = "https://github.com/lichengunc/refer, converted as docs/datasets.md says"

_one_class = partial(read_coco, one_name="object")
_one_class_clips = partial(read_ytvis, one_name="object")


def _refcoco(folder: str, splits: tuple[str, ...]) -> Listed:
    return Listed(
        read=read_refcoco,
        files=(f"annotations/{folder}/instances_{{split}}.json", "coco/train2014"),
        origin=REFCOCO_ORIGIN,
        splits=splits,
    )


def _clips(folder: str, annotations: str, origin: str) -> Listed:
    return Listed(
        read=read_ytvis,
        files=(f"{folder}/{annotations}", f"{folder}/{{split}}/JPEGImages"),
        origin=origin,
    )


def _davis(root: Path, listing: Path) -> Samples:
    return read_davis(root, split=listing.stem)


def _ytvos(meta: Path, _images: Path) -> Samples:
    return read_ytvos(meta.parent)


CATALOG: dict[str, Listed] = {
    "coco": Listed(
        read=read_coco,
        files=("coco/annotations/instances_{split}2017.json", "coco/{split}2017"),
        origin=COCO_ORIGIN,
    ),
    "lvis": Listed(
        read=read_lvis,
        files=("lvis/lvis_v1_{split}.json", "coco"),
        origin="https://www.lvisdataset.org/dataset, with the images of COCO",
    ),
    "objects365": Listed(
        read=read_objects365,
        files=("objects365/zhiyuan_objv2_{split}.json", "objects365/{split}"),
        origin="https://www.objects365.org/download.html",
    ),
    "openimages": Listed(
        read=lambda boxes, labels, classes, images: read_open_images(
            boxes, classes, images, image_labels=labels
        ),
        files=(
            "openimages/oidv6-{split}-annotations-bbox.csv",
            "openimages/oidv6-{split}-annotations-human-imagelabels-boxable.csv",
            "openimages/class-descriptions-boxable.csv",
            "openimages/{split}",
        ),
        origin="https://storage.googleapis.com/openimages/web/download_v7.html",
        splits=("train", "validation", "test"),
    ),
    "bdd100k": Listed(
        read=read_bdd100k,
        files=("bdd100k/labels/det_20/det_{split}.json", "bdd100k/images/100k/{split}"),
        origin=BDD_ORIGIN,
    ),
    "bdd100k-instances": Listed(
        read=read_bdd100k_instances,
        files=("bdd100k/labels/ins_seg/bitmasks/{split}", "bdd100k/images/10k/{split}"),
        origin=BDD_ORIGIN,
    ),
    "bdd100k-outlines": Listed(
        read=read_bdd100k_outlines,
        files=(
            "bdd100k/labels/ins_seg/polygons/ins_seg_{split}.json",
            "bdd100k/images/10k/{split}",
        ),
        origin=BDD_ORIGIN,
    ),
    "visual-genome": Listed(
        read=read_visual_genome,
        files=(
            "visual_genome/objects.json",
            "visual_genome/image_data.json",
            "visual_genome/images",
        ),
        origin=GENOME_ORIGIN,
        splits=("train",),
    ),
    "visual-genome-regions": Listed(
        read=read_visual_genome,
        files=(
            "visual_genome/region_descriptions.json",
            "visual_genome/image_data.json",
            "visual_genome/images",
        ),
        origin=GENOME_ORIGIN,
        splits=("train",),
    ),
    "refcoco": _refcoco("refcoco-unc", ("train", "val", "testA", "testB")),
    "refcoco+": _refcoco("refcocoplus-unc", ("train", "val", "testA", "testB")),
    "refcocog": _refcoco("refcocog-umd", ("train", "val", "test")),
    "grit": Listed(
        read=partial(read_phrases, boxes=False, machine_made=True),
        files=("grit/grit_5m.json", "grit/images"),
        origin="https://huggingface.co/datasets/zzliang/GRIT, fetched with img2dataset",
        splits=("train",),
    ),
    "sa1b": Listed(
        read=read_sa1b,
        files=("sa1b/images",),
        origin="https://ai.meta.com/datasets/segment-anything-downloads/",
        splits=("train",),
    ),
    "uvo-frames": Listed(
        read=_one_class,
        files=("uvo/FrameSet/UVO_frame_{split}.json", "uvo/uvo_videos_frames"),
        origin=UVO_ORIGIN,
    ),
    "uvo-videos": Listed(
        read=_one_class_clips,
        files=("uvo/VideoDenseSet/UVO_video_{split}_dense.json", "uvo/uvo_videos_dense_frames"),
        origin=UVO_ORIGIN,
    ),
    "ytvis19": _clips("ytvis_2019", "annotations/instances_{split}.json", YTVIS_ORIGIN),
    "ytvis21": _clips("ytvis_2021", "annotations/instances_{split}.json", YTVIS_ORIGIN),
    "ovis": Listed(
        read=read_ytvis,
        files=("ovis/annotations_{split}.json", "ovis/{split}"),
        origin="https://songbai.site/ovis/",
        splits=("train", "valid"),
    ),
    "lvvis": _clips("lvvis", "{split}_instances.json", "https://github.com/haochenheheda/LVVIS"),
    "tao": Listed(
        read=read_tao,
        files=("tao/annotations/{split}.json", "tao/frames"),
        origin=TAO_ORIGIN,
    ),
    "burst": Listed(
        read=read_burst,
        files=("burst/{split}/{split}.json", "tao/frames/{split}"),
        origin=f"https://github.com/Ali2500/BURST-benchmark, with the frames of {TAO_ORIGIN}",
        splits=("train",),
    ),
    "ref-youtube-vos": Listed(
        read=read_ref_ytvos,
        files=(
            "ref-youtube-vos/{split}",
            "ref-youtube-vos/meta_expressions/{split}/meta_expressions.json",
        ),
        origin="https://youtube-vos.org/dataset/rvos/",
        splits=("train",),
    ),
    "youtube-vos": Listed(
        read=_ytvos,
        files=("ytbvos18/{split}/meta.json", "ytbvos18/{split}/JPEGImages"),
        origin="https://youtube-vos.org/dataset/vos/",
        splits=("train",),
    ),
    "davis": Listed(
        read=_davis,
        files=("DAVIS", "DAVIS/ImageSets/2017/{split}.txt"),
        origin="https://davischallenge.org/davis2017/code.html",
    ),
    "mose": Listed(
        read=read_mose,
        files=("mose/{split}",),
        origin="https://mose.video/",
        splits=("train",),
    ),
}
