"""Numbers of the evaluation cases that rest on tracks or on the masks of one object over time.

Each function takes the folder of one case and returns its numbers under the keys of the case's
expected.json, nested keys joined with a slash.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glee.evaluation.burst import burst_scores
from glee.evaluation.burst_json import read_burst_predictions, read_burst_truth
from glee.evaluation.category_tracking import (
    combine_categories,
    mean_tracking,
    track_categories,
    tracking_summary,
)
from glee.evaluation.interactive import (
    MAX_CLICKS,
    Click,
    click_distances,
    click_iou,
    interactive_scores,
    next_click,
)
from glee.evaluation.labelled_video import LabelledVideo
from glee.evaluation.mot import mot_scores, pedestrian_video, read_mot_tracks, read_mot_truth
from glee.evaluation.region_contour import contour_accuracy, region_similarity
from glee.evaluation.tao import tao_videos
from glee.evaluation.teta import teta_scores
from glee.evaluation.tracked_video import TrackedVideo
from glee.evaluation.tube_tracking import labelled_tubes
from glee.evaluation.video_json import (
    read_tube_annotations,
    read_tube_predictions,
    read_video_catalog,
)
from glee.evaluation.vos import (
    ObjectScores,
    after_first_frame,
    mean_of_annotators,
    object_scores,
    semi_supervised,
    unsupervised,
    vos_scores,
    youtube_vos_scores,
)

Numbers = dict[str, float]
Arrays = Mapping[str, NDArray[Any]]

# Two pixels this close in depth are both right answers of the robot user: the official tool
# computes the depths in 32-bit floats.
CLICK_TOLERANCE = 1e-4


def load(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def nested(values: Mapping[Any, float], prefix: str, scale: float = 1.0) -> Numbers:
    """Return numbers under a prefix, multiplied by 100 for percent."""
    return {f"{prefix}/{name}": scale * value for name, value in values.items()}


def mot(case: Path) -> Numbers:
    """Compute HOTA, CLEAR and identity measures of each sequence and of all."""
    videos = {}
    for folder in sorted((case / "gt").iterdir()):
        info = ConfigParser()
        info.read(folder / "seqinfo.ini")
        videos[folder.name] = pedestrian_video(
            read_mot_truth(folder / "gt" / "gt.txt"),
            read_mot_tracks(case / "pred" / f"{folder.name}.txt"),
            int(info["Sequence"]["seqLength"]),
        )
    scores = mot_scores(videos)
    numbers: Numbers = {}
    counts = [mot_counts(video) for video in videos.values()]
    total = {name: sum(one[name] for one in counts) for name in counts[0]}
    parts = {f"per_sequence/{name}": mot_counts(video) for name, video in videos.items()}
    for prefix, count in {"combined": total, **parts}.items():
        values = scores.values if prefix == "combined" else scores.per_category[prefix[13:]]
        for family in ("HOTA", "CLEAR", "Identity"):
            numbers |= nested(values, f"{prefix}/{family}")
        numbers |= nested(count, f"{prefix}/Count")
    return numbers


def mot_counts(video: TrackedVideo) -> Numbers:
    """Count objects, tracks and frames."""
    return {
        "Dets": len(video.pred_ids),
        "GT_Dets": len(video.gt_ids),
        "IDs": video.num_pred_ids,
        "GT_IDs": video.num_gt_ids,
        "Frames": video.num_frames,
    }


def tao(case: Path) -> Numbers:
    """Compute TETA, and HOTA, IDF1 and MOTA of each category and of both averages."""
    annotations = load(case / "gt.json")
    videos = tao_videos(annotations, load(case / "pred.json"))
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    scores = teta_scores(videos)
    numbers = nested(scores.values, "teta/average", 100)
    for category, values in scores.per_category.items():
        numbers |= nested(values, f"teta/{names[category]}", 100)
    return numbers | tao_tracking(videos, names)


def tao_tracking(videos: Sequence[LabelledVideo], names: Mapping[int, str]) -> Numbers:
    """Compute HOTA, IDF1 and MOTA, as trackeval names them."""
    results = track_categories(videos)
    summaries = {names[category]: tracking_summary(one) for category, one in results.items()}
    total = tracking_summary(combine_categories(results.values()))
    counts = {name: total[name] for name in ("HOTA_TP", "HOTA_FN", "HOTA_FP")}
    summaries["cls_comb_det_av"] = total
    summaries["cls_comb_cls_av"] = {**mean_tracking(results.values()), **counts}
    numbers: Numbers = {}
    for name, values in summaries.items():
        prefix = f"trackeval_1.3.0/{name}"
        numbers |= nested(values, f"{prefix}/HOTA")
        numbers |= {f"{prefix}/{measure}": values[measure] for measure in ("IDF1", "MOTA")}
    return numbers


def burst(case: Path) -> Numbers:
    """Compute HOTA and AP over all, common and uncommon categories, and of each."""
    data = load(case / "all_classes.json")
    truth = read_burst_truth(data)
    scores = burst_scores(truth, read_burst_predictions(load(case / "pred.json"), truth))
    numbers: Numbers = {}
    for name, value in scores.values.items():
        measure, _, group = name.partition("_")
        for table in ("summary", "burstapi"):
            numbers[f"{table}/{measure}/{group or 'all'}"] = 100 * value
    names = {category["id"]: category["name"] for category in data["categories"]}
    for category, values in scores.per_category.items():
        prefix = f"per_class/{names[int(category)]}"
        numbers |= {**nested(values, prefix), f"{prefix}/id": float(category)}
    return numbers


def ytvis(case: Path) -> Numbers:
    """Compute HOTA of video instances, the mean over all categories."""
    data = load(case / "gt.json")
    catalog = read_video_catalog(data)
    videos = labelled_tubes(
        read_tube_annotations(data, catalog),
        read_tube_predictions(load(case / "pred.json"), catalog),
    )
    results = track_categories(videos)
    # A category without any true object has HOTA 0 there.
    share = len(results) / len(catalog.category_ids)
    return nested(mean_tracking(results.values()), "trackeval_1.3.0/HOTA_cls_av", share)


def davis(case: Path) -> Numbers:
    """Compute J and F of single masks, or of videos under both of DAVIS' tasks."""
    arrays = np.load(case / "masks.npz")
    if "gt_0" in arrays:
        return davis_primitives(arrays)
    names = sorted(key[:-3] for key in arrays if key.endswith("_gt"))
    semi = {name: semi_supervised(arrays[f"{name}_gt"], arrays[f"{name}_pred"]) for name in names}
    found = {
        name: unsupervised(arrays[f"{name}_gt_unsup"], arrays[f"{name}_pred_unsup"])
        for name in names
    }
    return {**davis_task(semi, "semi-supervised"), **davis_task(found, "unsupervised")}


def davis_primitives(arrays: Arrays) -> Numbers:
    """Compute J and F of pairs of masks."""
    numbers: Numbers = {}
    for row in range(sum(key.startswith("gt_") for key in arrays)):
        masks = arrays[f"gt_{row}"], arrays[f"pred_{row}"]
        void = arrays.get(f"void_{row}")
        numbers[f"cases/{row}/J"] = region_similarity(*masks, void)
        numbers[f"cases/{row}/F"] = contour_accuracy(*masks, void)
    return numbers


def davis_task(videos: Mapping[str, Sequence[ObjectScores]], task: str) -> Numbers:
    """Return the numbers of one task; its tool names objects by the order of predictions."""
    objects: dict[str, ObjectScores] = {}
    for name, found in videos.items():
        in_order = sorted(found, key=lambda one: (one.pred is None, one.pred or 0))
        objects |= {f"{name}_{row + 1}": one for row, one in enumerate(in_order)}
    scores = vos_scores(objects)
    numbers = nested(scores.values, task)
    for one, values in scores.per_category.items():
        numbers[f"{task}/per_object/{one}/0"] = values["J-Mean"]
        numbers[f"{task}/per_object/{one}/1"] = values["F-Mean"]
    return numbers


def ytvos(case: Path) -> Numbers:
    """Compute J and F of seen and unseen objects, and G."""
    arrays = np.load(case / "masks.npz")
    seen: dict[str, ObjectScores] = {}
    unseen: dict[str, ObjectScores] = {}
    numbers: Numbers = {}
    for row, one in enumerate(load(case / "expected.json")["objects"]):  # tells which are seen
        gt, pred = arrays[f"{one['video']}_gt"], arrays[f"{one['video']}_pred"]
        scores = after_first_frame(gt, pred, one["object"])
        (seen if one["seen"] else unseen)[str(row)] = scores
        numbers |= {
            f"objects/{row}/object": scores.gt,
            f"objects/{row}/first_frame": len(gt) - len(scores.j) - 1,
            f"objects/{row}/J": float(scores.j.mean()),
            f"objects/{row}/F": float(scores.f.mean()),
        }
    return {**numbers, **youtube_vos_scores(seen, unseen).values}


def ref_davis(case: Path) -> Numbers:
    """Compute J and F, the mean over annotators, and those of single expressions."""
    arrays = np.load(case / "masks.npz")
    videos = sorted(key[:-3] for key in arrays if key.endswith("_gt"))
    annotators = []
    for number in range(sum(key.startswith(f"{videos[0]}_pred") for key in arrays)):
        objects = {
            f"{name}_{one.gt}": one
            for name in videos
            for one in unsupervised(arrays[f"{name}_gt"], arrays[f"{name}_pred{number}"])
        }
        annotators.append(vos_scores(objects))
    numbers = ref_numbers(mean_of_annotators(annotators).values, "")
    for number, scores in enumerate(annotators):
        numbers |= ref_numbers(scores.values, f"per_annotator/{number}/")
    return numbers | ref_expressions(arrays, videos)


def ref_expressions(arrays: Arrays, videos: Sequence[str]) -> Numbers:
    """Compute J and F as for Ref-YouTube-VOS: every object an expression, all frames count."""
    numbers: Numbers = {}
    objects: dict[str, ObjectScores] = {}
    for name in videos:
        gt, pred = arrays[f"{name}_gt"], arrays[f"{name}_pred0"]
        for label in range(1, int(gt.max()) + 1):
            prefix = f"per_expression/items/{len(objects)}"
            objects[prefix] = one = object_scores(gt, pred, label)
            numbers[f"{prefix}/object"] = label
            numbers |= {f"{prefix}/J": float(one.j.mean()), f"{prefix}/F": float(one.f.mean())}
    return numbers | ref_numbers(vos_scores(objects).values, "per_expression/")


def ref_numbers(values: Mapping[str, float], prefix: str) -> Numbers:
    """Return J, F and J&F under a prefix."""
    return {f"{prefix}{name}": values[f"{name}-Mean"] for name in ("J", "F", "J&F")}


def interactive(case: Path) -> Numbers:
    """Compute the robot's clicks, IoU after each, NoC and failures."""
    arrays, expected = np.load(case / "masks.npz"), load(case / "expected.json")
    targets = [float(target) for target in expected["NoC"]]
    ious = {}
    numbers: Numbers = {"max_clicks": MAX_CLICKS, "stop_iou": 0.95}
    for sample in expected["samples"]:
        index = sample["index"]
        gt = arrays[f"gt_{index}"]
        masks = unpack_masks(arrays, index, gt.shape)
        ious[index] = np.array([click_iou(gt, mask) for mask in masks])
        prefix = f"samples/{index}"
        numbers |= {f"{prefix}/index": index, f"{prefix}/n": len(masks)}
        numbers |= {f"{prefix}/h": gt.shape[0], f"{prefix}/w": gt.shape[1]}
        numbers |= nested(dict(enumerate(ious[index])), f"{prefix}/ious")
        rounded = ious[index].astype(np.float32).tolist()
        numbers |= nested(dict(enumerate(rounded)), f"sample_ious_f32/{index}")
        numbers |= clicks(gt, masks, [Click(*click) for click in sample["clicks"]], prefix)
    scores = interactive_scores(ious, targets=targets, max_clicks=MAX_CLICKS).values
    for target in targets:
        numbers[f"NoC/{target}"] = scores[f"NoC@{100 * target:g}"]
        numbers[f"over_max/{target}"] = scores[f"NoF@{100 * target:g}"]
    return numbers


def unpack_masks(arrays: Arrays, index: int, shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """Return the masks [H, W] after each click on one image."""
    count = sum(key.startswith(f"pred_{index}_") for key in arrays)
    packed = (arrays[f"pred_{index}_{click}"] for click in range(count))
    size = shape[0] * shape[1]
    return [np.unpackbits(one, count=size).reshape(shape).astype(bool) for one in packed]


def clicks(
    gt: NDArray[Any], masks: Sequence[NDArray[np.bool_]], recorded: Sequence[Click], prefix: str
) -> Numbers:
    """Return the robot's answers to the recorded states; an equally deep pixel is right, too."""
    numbers: Numbers = {}
    clicked = np.zeros(gt.shape, dtype=bool)
    for row, (expected, mask) in enumerate(
        zip(recorded, [np.zeros(gt.shape, dtype=bool), *masks], strict=False)
    ):
        click = next_click(gt, mask, clicked)
        depth = click_distances(gt, mask, clicked)[0 if expected.positive else 1]
        if depth.max() - depth[expected.row, expected.column] <= CLICK_TOLERANCE:
            click = Click(expected.row, expected.column, click.positive)
        values = (click.row, click.column, int(click.positive))
        numbers |= nested(dict(enumerate(values)), f"{prefix}/clicks/{row}")
        clicked[expected.row, expected.column] = True
    return numbers


BENCHMARKS: dict[str, Callable[[Path], Numbers]] = {
    "burst": burst,
    "davis": davis,
    "interactive": interactive,
    "mot": mot,
    "ref_davis": ref_davis,
    "tao": tao,
    "ytvis": ytvis,
    "ytvos": ytvos,
}
