"""Interactive segmentation: a robot clicks until the mask is good (GrabCut, Berkeley, DAVIS)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.arrays import BoolArray, FloatArray, Id, IntArray
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.source import Source, other_version, read_entries
from glee.evaluation.encoder import Encoder
from glee.evaluation.interactive import (
    IGNORED,
    Click,
    click_until_good,
    interactive_scores,
    mean_iou_after,
)
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.records import RecordError, is_number, listed, row_of, rows_by_id, shown
from glee.evaluation.result import Metric
from glee.images import load_image
from glee.inference.predictor import EncodedImage, Predictor
from glee.prompts import Prompts

SWITCHES = ("shortest", "max_clicks")
TARGETS = (0.85, 0.9)
HALF = 128
"""Value of pixels that do not count in GrabCut's and Berkeley's masks; the object is brighter."""

MEAN_AFTER = (1, 3, 5)
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the folder of a data set is built: as RITM's tool (arXiv:2102.06583) takes it.

    folder    of the data set
    pictures  folder of pictures in it
    masks     folder of masks in it, named as the pictures
    """

    folder: str
    pictures: str
    masks: str


LAYOUTS = {
    "clicks-grabcut": Layout("GrabCut", "data_GT", "boundary_GT"),
    "clicks-berkeley": Layout("Berkeley", "images", "masks"),
    "clicks-davis": Layout("DAVIS_clicks", "img", "gt"),
}
NAMES = tuple(LAYOUTS)
PICTURES = {"clicks-grabcut": ("GrabCut", 50), "clicks-davis": ("DAVIS' 345 frames", 345)}
"""The official sets, and how many pictures they have, where that is known."""


def clicks(source: Source, name: str) -> Benchmark:
    """Open one data set: NoC@85 and NoC@90, and mIoU after 1, 3 and 5 clicks.

    Networks that cannot read clicks beside the object get those on it only.
    """
    layout = LAYOUTS[name]
    masks = _by_stem(source.file(f"{layout.folder}/{layout.masks}"))
    folder = source.folder(f"{layout.folder}/{layout.pictures}")
    pictures = _by_stem(folder) if source.needs_images or folder.is_dir() else masks
    if unmasked := sorted(pictures.keys() - masks.keys()):
        raise ValueError(f"{pictures[unmasked[0]]} has no mask of the same name in {layout.masks}")
    choice = choose(Protocol(), SWITCHES, source.switches)
    most = choice.chosen.max_clicks

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        encoded = encoder.encode(pictures[str(key)])
        gt = read_click_mask(masks[str(key)])
        done = click_until_good(gt, _segmenter(encoder.predictor, encoded), max_clicks=most)
        found = [[one.row, one.column, one.positive] for one in done.clicks]
        return [{"image": key, "clicks": found, "ious": done.ious.tolist()}]

    def score(rows: Rows, keys: Sequence[Id]) -> Scored:
        return _score(rows, keys, most)

    return Benchmark(
        name=name,
        unit="images",
        keys=tuple(sorted(pictures)),
        choice=choice,
        files=tuple(masks[key] for key in sorted(pictures)),
        predict=predict,
        key_of=lambda row: row["image"],
        score=score,
        read=read_entries,
        image=lambda key: pictures[str(key)],
        count=lambda row: len(row["clicks"]),
        notes=_other_version(name, pictures),
    )


def _other_version(name: str, pictures: Mapping[str, Path]) -> tuple[str, ...]:
    if name not in PICTURES:
        return ()
    official, count = PICTURES[name]
    return other_version(official, {"pictures": pictures}, {"pictures": count})


def read_click_mask(path: Path) -> IntArray:
    """Return a mask [H, W]: 1 the object, 0 background, -1 pixels that do not count."""
    values = load_image(path).max(axis=2).astype(np.int64)
    mask = (values > HALF).astype(np.int64)
    if not (values == HALF).any():  # DAVIS' objects have any colour
        mask = (values > 0).astype(np.int64)
    mask[values == HALF] = IGNORED
    return mask


def _segmenter(
    predictor: Predictor, encoded: EncodedImage
) -> Callable[[tuple[Click, ...]], BoolArray]:
    """Return what gives the mask for clicks on one picture."""
    config = predictor.model.config.visual_prompts
    negative = config is not None and config.negative_points

    def segment(found: tuple[Click, ...]) -> NDArray[np.bool_]:
        read = [one for one in found if one.positive or negative]
        prompts = Prompts(
            points=[[(one.column + 0.5, one.row + 0.5) for one in read]],
            point_labels=[[int(one.positive) for one in read]],
        )
        instances = predictor.predict(encoded, prompts)
        assert instances.masks is not None
        return instances.masks[0].cpu().numpy()

    return segment


def _score(rows: Rows, keys: Sequence[Id], most: int) -> Scored:
    """Average the clicks over the pictures; one without predictions was never good."""
    found = _read_ious(rows, keys)
    ious: dict[Id, FloatArray] = {key: found.get(key, np.zeros(most)) for key in keys}
    scores = interactive_scores(ious, targets=TARGETS, max_clicks=most)
    means = {f"mIoU@{n}": mean_iou_after(list(ious.values()), n) for n in MEAN_AFTER}
    metrics = (
        *(
            Metric(name=f"NoC@{100 * at:g}", value=scores[f"NoC@{100 * at:g}"], unit="clicks")
            for at in TARGETS
        ),
        *(Metric(name=name, value=100 * share) for name, share in means.items()),
    )
    missing = len(keys) - len(found)
    notes = (f"{missing} pictures have no predictions: never good",) if missing else ()
    return Scored(metrics=metrics, tables={"mask": scores}, notes=notes)


def _read_ious(rows: Rows, keys: Sequence[Id]) -> dict[Id, FloatArray]:
    """Return the overlap after each click of the pictures that have predictions.

    Raises RecordError for a picture that is unknown or there twice, and for overlaps that are
    missing or lie outside of 0..1.
    """
    pictures, found = rows_by_id(keys), dict[Id, FloatArray]()
    for place, row in enumerate(rows()):
        where = f"predictions[{place}]"
        picture = keys[row_of(row, "image", pictures, where)]
        ious = listed(row, "ious", where)
        listed(row, "clicks", where)
        if picture in found:
            raise RecordError(where, f"has image {picture!r} for the second time; give each once")
        if not ious or not all(is_number(one) and 0 <= one <= 1 for one in ious):
            raise RecordError(
                where, f"has ious {shown(repr(ious))}; give one in 0..1 for each click"
            )
        found[picture] = np.array(ious, dtype=np.float64)
    return found


def _by_stem(folder: Path) -> dict[str, Path]:
    return {
        path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_ENDINGS
    }
