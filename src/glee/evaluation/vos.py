"""Video object segmentation: DAVIS 2016 and 2017, MOSE, YouTube-VOS, Ref-DAVIS, Ref-YouTube-VOS.

Every benchmark gives J and F for each object in each frame; they differ in which frames count, in
how predictions find their objects and in how the numbers are averaged.

Label maps are [T, H, W] integers: 0 background, k the pixels of object k, and in ground truth 255
for void pixels that count for nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.arrays import BoolArray, FloatArray, Id
from glee.evaluation.region_contour import (
    Contour,
    compare_contours,
    contour,
    contour_accuracy,
    region_similarity,
)
from glee.evaluation.scores import Scores
from glee.evaluation.track_matching import assign

LabelMaps = NDArray[np.integer]

VOID = 255
# Frames with a higher J (or F) count for its recall.
RECALL_LEVEL = 0.5
# DAVIS 2019, unsupervised track (arXiv:1905.00737): so many proposals a video.
MAX_PROPOSALS = 20


@dataclass(frozen=True, slots=True, eq=False)
class ObjectScores:
    """J and F of one object.

    gt     label of the object
    pred   label of the prediction that was compared with it, None if none was left
    j, f   [T] float64 in 0..1, region similarity and contour accuracy in each counted frame
    """

    gt: int
    pred: int | None
    j: FloatArray
    f: FloatArray


def frame_statistics(values: FloatArray) -> dict[str, float]:
    """Return mean, recall and decay of one object's J or F over its frames.

    values  [T] float64, T at least 1

    Recall is the share of frames above one half; decay is the mean of the first quarter of the
    frames less that of the last, so lower is better. DAVIS (CVPR 2016, section 4.3); the quarters
    share their border frames.

    Raises ValueError if there is no frame.
    """
    if not len(values):
        raise ValueError("values is empty; J and F need at least one counted frame")
    borders = np.rint(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    first, last = values[: borders[1] + 1], values[borders[3] :]
    return {
        "Mean": float(values.mean()),
        "Recall": float((values > RECALL_LEVEL).mean()),
        "Decay": float(first.mean() - last.mean()),
    }


def vos_scores(objects: Mapping[str, ObjectScores]) -> Scores:
    """Average the objects of all videos: each object counts the same.

    objects  by a name of your choice, such as the video's and the object's label
    Returns J&F-Mean, and J-Mean, J-Recall, J-Decay and the same of F, in 0..1.

    Raises ValueError if there are none.
    """
    if not objects:
        raise ValueError("objects is empty; give the scores of at least one object")
    per_object: dict[Id, dict[str, float]] = {
        name: {
            **{f"J-{key}": value for key, value in frame_statistics(one.j).items()},
            **{f"F-{key}": value for key, value in frame_statistics(one.f).items()},
        }
        for name, one in objects.items()
    }
    means = _mean_values(list(per_object.values()))
    return Scores({"J&F-Mean": (means["J-Mean"] + means["F-Mean"]) / 2, **means}, per_object)


def _mean_values(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}


def object_scores(gt: LabelMaps, pred: LabelMaps, label: int) -> ObjectScores:
    """Compare one object with the prediction of the same label, in all given frames.

    gt, pred  [T, H, W] label maps
    """
    _check_label_maps(gt, pred)
    j, f = np.zeros(len(gt)), np.zeros(len(gt))
    for frame, (truth, found) in enumerate(zip(gt, pred, strict=True)):
        mask, guess = truth == label, (found == label) & (truth != VOID)
        j[frame], f[frame] = region_similarity(mask, guess), contour_accuracy(mask, guess)
    return ObjectScores(gt=label, pred=label, j=j, f=f)


def semi_supervised(gt: LabelMaps, pred: LabelMaps) -> list[ObjectScores]:
    """Score a video whose objects are given in the first frame: DAVIS 2016 and 2017, MOSE.

    gt, pred  [T, H, W] label maps, T at least 3: the first frame is given and the last one is left
              out, too
    Returns the objects 1..n of the first frame.

    DAVIS 2017 (arXiv:1704.00675, section 4).

    Raises ValueError if pred has labels that are none of the objects.
    """
    _check_label_maps(gt, pred)
    gt_count = _num_objects(gt[0])
    if (pred_count := int(pred[1:-1].max(initial=0))) > gt_count:
        raise ValueError(
            f"pred has label {pred_count}, but the first frame of gt has 1..{gt_count}"
        )
    return [object_scores(gt[1:-1], pred[1:-1], label + 1) for label in range(gt_count)]


def unsupervised(
    gt: LabelMaps, pred: LabelMaps, *, max_proposals: int = MAX_PROPOSALS
) -> list[ObjectScores]:
    """Score a video whose objects the method had to find: DAVIS 2017 unsupervised, Ref-DAVIS.

    gt, pred       [T, H, W] label maps; all frames count
    max_proposals  how many objects pred may have
    Returns the objects 1..n of the first frame, each with the prediction that it is paired with so
    that the sum of J&F over all pairs is largest.

    DAVIS 2019 (arXiv:1905.00737, section 3).

    Raises ValueError if pred has a higher label than max_proposals.
    """
    _check_label_maps(gt, pred)
    gt_count, pred_count = _num_objects(gt[0]), int(pred.max(initial=0))
    if pred_count > max_proposals:
        raise ValueError(f"pred has label {pred_count}, but a video may have 1..{max_proposals}")
    # An object without prediction is compared with an empty one.
    shape = (max(pred_count, gt_count), gt_count, len(gt))
    j, f = np.zeros(shape), np.zeros(shape)
    for frame, (truth, found) in enumerate(zip(gt, pred, strict=True)):
        masks = _split_labels(truth, gt_count)
        guesses = [guess & (truth != VOID) for guess in _split_labels(found, shape[0])]
        j[..., frame], f[..., frame] = _all_pairs(masks, guesses)
    rows, columns = assign((j.mean(axis=-1) + f.mean(axis=-1)) / 2)
    pairs = sorted(zip(columns.tolist(), rows.tolist(), strict=True))
    return [
        ObjectScores(
            gt=column + 1,
            pred=row + 1 if row < pred_count else None,
            j=j[row, column],
            f=f[row, column],
        )
        for column, row in pairs
    ]


def _all_pairs(
    masks: Sequence[BoolArray], guesses: Sequence[BoolArray]
) -> tuple[FloatArray, FloatArray]:
    """Return J and F [P, G] of every prediction with every object of one frame."""
    j = [[region_similarity(mask, guess) for mask in masks] for guess in guesses]
    lines: list[Contour] = [contour(mask) for mask in masks]
    guessed_lines = [contour(guess) for guess in guesses]
    f = [[compare_contours(line, guess) for line in lines] for guess in guessed_lines]
    shape = (len(guesses), len(masks))
    return np.array(j).reshape(shape), np.array(f).reshape(shape)


def after_first_frame(gt: LabelMaps, pred: LabelMaps, label: int) -> ObjectScores:
    """Score an object of YouTube-VOS, which may appear late: in the frames after its first one.

    gt, pred  [T, H, W] label maps; frames without annotation must be left out

    Raises ValueError if gt has no pixel of the object, or only in its last frame.
    """
    present = np.flatnonzero((gt == label).any(axis=(1, 2)))
    if not len(present) or present[0] == len(gt) - 1:
        raise ValueError(f"gt must show object {label} before its last frame, to score the rest")
    return object_scores(gt[present[0] + 1 :], pred[present[0] + 1 :], label)


def youtube_vos_scores(
    seen: Mapping[str, ObjectScores], unseen: Mapping[str, ObjectScores]
) -> Scores:
    """Average the objects of categories seen in training, and those of unseen ones.

    Returns J_seen, F_seen, J_unseen, F_unseen and their mean G, 0..1; NaN without such objects.

    Xu et al., "YouTube-VOS" (arXiv:1809.03327, section 4).
    """
    values: dict[str, float] = {}
    for group, objects in (("seen", seen), ("unseen", unseen)):
        means = vos_scores(objects).values if objects else {}
        values[f"J_{group}"] = means.get("J-Mean", float("nan"))
        values[f"F_{group}"] = means.get("F-Mean", float("nan"))
    values["G"] = sum(values.values()) / len(values)
    both = {**seen, **unseen}
    return Scores(values, vos_scores(both).per_category if both else {})


def mean_of_annotators(annotators: Sequence[Scores]) -> Scores:
    """Average the results of the sets of expressions that several annotators gave: Ref-DAVIS.

    Khoreva et al., "Video Object Segmentation with Language Referring Expressions"
    (arXiv:1803.08006): each annotator's expressions are run and scored on their own.

    Raises ValueError if there are none.
    """
    if not annotators:
        raise ValueError("annotators is empty; give the scores of at least one")
    return Scores(_mean_values([one.values for one in annotators]))


def _num_objects(labels: LabelMaps) -> int:
    return int(labels[labels != VOID].max(initial=0))


def _split_labels(labels: LabelMaps, count: int) -> list[BoolArray]:
    return [labels == label + 1 for label in range(count)]


def _check_label_maps(gt: LabelMaps, pred: LabelMaps) -> None:
    if len(gt.shape) != len("THW") or gt.shape != pred.shape:
        raise ValueError(
            f"gt and pred must be label maps [T, H, W] of one shape, "
            f"got {list(gt.shape)} and {list(pred.shape)}"
        )
