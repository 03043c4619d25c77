"""Numbers of the evaluation cases that rest on the average precision of tubes or tracks of videos.

Each function takes the folder of one case and returns its numbers under the keys of the case's
expected.json, nested keys joined with a slash.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eval_cases_detection import Numbers, load, official
from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.average_precision import THRESHOLDS, compute_curves
from glee.evaluation.coco_json import sorted_by_id
from glee.evaluation.detection import subset_values
from glee.evaluation.federated import Federation, read_federation
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.regions import Tracks
from glee.evaluation.scores import Scores
from glee.evaluation.subsets import match_subsets
from glee.evaluation.track_ap import track_ap_scores
from glee.evaluation.track_json import read_track_annotations, read_track_predictions
from glee.evaluation.video_instances import (
    YOUTUBE_VIS_SUBSETS,
    lvvis_scores,
    read_partitions,
    uvo_video_scores,
    youtube_vis_scores,
)
from glee.evaluation.video_json import (
    read_tube_annotations,
    read_tube_predictions,
    read_video_catalog,
)

_RANGES = (
    ("s", "area/small", "area_s"),
    ("m", "area/medium", "area_m"),
    ("l", "area/large", "area_l"),
    ("_short", "time/short", "time_s"),
    ("_medium", "time/medium", "time_m"),
    ("_long", "time/long", "time_l"),
)

# Our names to those of TAO's toolkit and of TrackEval.
TAO_TOOLKIT = {"AP": "AP", "AP50": "AP50", "AP75": "AP75", "AR": "AR@300"} | {
    f"{metric}{ours}": f"{metric}/{theirs}/300"
    for metric in ("AP", "AR")
    for ours, theirs, _ in _RANGES
}
TRACKEVAL = {
    f"{metric}{ours}": f"{metric}_{theirs}"
    for metric in ("AP", "AR")
    for ours, _, theirs in (("", "", "all"), *_RANGES)
}


def ytvis(case: Path) -> Numbers:
    """Compute the numbers of YouTube-VIS, class-agnostic ones, and TrackEval's track AP."""
    data = load(case / "gt.json")
    annotations, predictions = read_tubes(case, data)
    scores = youtube_vis_scores(annotations, predictions)
    names = [video["file_names"][0].split("/")[0] for video in sorted_by_id(data, "videos")]
    return {
        **official(scores.values, "stats"),
        **official(_precisions(scores), "per_category_AP"),
        **official(uvo_video_scores(annotations, predictions).values, "class_agnostic"),
        **_trackeval_tubes(*order_videos(annotations, predictions, names)),
    }


def lvvis(case: Path) -> Numbers:
    """Compute the numbers of LV-VIS."""
    data = load(case / "gt.json")
    scores = lvvis_scores(*read_tubes(case, data), read_partitions(data))
    return {
        **official(scores.values, "stats"),
        **official({name: scores[name] for name in ("APb", "APn")}, ""),
        **official(_precisions(scores), "per_category_AP"),
    }


def read_tubes(case: Path, data: Any) -> tuple[Annotations, Predictions]:
    """Read a case in the format of YouTube-VIS."""
    catalog = read_video_catalog(data)
    predictions = read_tube_predictions(load(case / "pred.json"), catalog)
    return read_tube_annotations(data, catalog), predictions


def _precisions(scores: Scores) -> dict[Any, float]:
    return {one: values["AP"] for one, values in scores.per_category.items()}


def order_videos(
    annotations: Annotations, predictions: Predictions, names: Sequence[str]
) -> tuple[Annotations, Predictions]:
    """Return the same objects with the videos in the order of their names, TrackEval's order."""
    place = np.argsort(np.argsort(names))
    return (
        replace(annotations, units=place[annotations.units]),
        replace(predictions, units=place[predictions.units]),
    )


def _trackeval_tubes(annotations: Annotations, predictions: Predictions) -> Numbers:
    """Return TrackEval's track AP of tubes.

    Its first track has the number 0, which it takes for "no track": what that track finds stays
    free for others, as if the track were not there.
    """
    found = match_subsets(annotations, predictions, YOUTUBE_VIS_SUBSETS)
    first = int(np.lexsort((np.arange(len(predictions)), predictions.units))[0])
    rest = predictions.take(np.delete(np.arange(len(predictions)), first))
    others = match_subsets(annotations, rest, YOUTUBE_VIS_SUBSETS)
    order = np.lexsort((-predictions.scores, predictions.units, predictions.categories))
    place = int(np.flatnonzero(order == first)[0])
    outcomes = np.insert(others.outcomes, place, found.outcomes[:, :, place], axis=2)
    curves = compute_curves(replace(found, outcomes=outcomes))
    return _trackeval(subset_values(curves, YOUTUBE_VIS_SUBSETS), "trackeval_1.3.0/TrackMAP")


def tao(case: Path) -> Numbers:
    """Compute track AP as TAO's toolkit and as TrackEval do."""
    data = load(case / "gt.json")
    catalog = read_video_catalog(data)
    federation = read_federation(data, catalog, "videos")
    annotations = read_track_annotations(data, catalog)
    results = load(case / "pred.json")
    predictions = read_track_predictions(results, data, catalog)
    sets = {"iou_0.5": np.array([0.5]), "iou_0.5_0.75": np.array([0.5, 0.75])}
    numbers: Numbers = {}
    for name, thresholds in {**sets, "iou_0.5:0.95": THRESHOLDS}.items():
        scores = track_ap_scores(annotations, predictions, federation, thresholds=thresholds)
        theirs = {key: scores[ours] for ours, key in TAO_TOOLKIT.items()}
        numbers |= official(theirs, f"tao_toolkit_ap/{name}")
    names = [video["name"].replace("/", "-") for video in sorted_by_id(data, "videos")]
    rounded = replace(predictions, scores=_mean_scores(predictions)).take(_trackeval_order(results))
    scores = track_ap_scores(
        *order_videos(annotations, rounded, names),
        _order_federation(federation, names),
        thresholds=THRESHOLDS,
    )
    return numbers | _trackeval_tracks(data, scores)


def _order_federation(federation: Federation, names: Sequence[str]) -> Federation:
    """Return the same facts with the videos in the order of their names."""
    place = np.argsort(np.argsort(names))
    return Federation(
        *(
            np.stack([place[pairs[:, 0]], pairs[:, 1]], axis=1)
            for pairs in (federation.absent, federation.incomplete)
        )
    )


def _trackeval_order(results: Sequence[Mapping[str, Any]]) -> IntArray:
    """Return the order of TrackEval's tracks among ours.

    Both take them by their first boxes. We sort these by the id of the image, TrackEval by its
    first mention in the file.
    """
    images = list(dict.fromkeys(one["image_id"] for one in results))
    by_id = sorted(results, key=lambda one: one["image_id"])
    by_mention = sorted(results, key=lambda one: images.index(one["image_id"]))
    ours, theirs = (list(dict.fromkeys(one["track_id"] for one in o)) for o in (by_id, by_mention))
    return np.array([ours.index(track) for track in theirs], dtype=np.int64)


def _mean_scores(predictions: Predictions) -> FloatArray:
    """Return the scores of tracks as TrackEval has them: means of equal numbers, rounded."""
    regions = predictions.regions
    if not isinstance(regions, Tracks):
        raise TypeError("TAO has tracks")
    pairs = zip(predictions.scores, regions.lengths(), strict=True)
    return np.array([np.mean([score] * int(length)) for score, length in pairs])


def _trackeval_tracks(data: Any, scores: Scores) -> Numbers:
    """Return TrackEval's track AP, of every category and over them (in two ways, which agree)."""
    names = {one["id"]: one["name"] for one in data["categories"]}
    numbers: Numbers = {}
    for way in ("cls_comb_cls_av", "cls_comb_det_av"):
        numbers |= _trackeval(scores.values, f"trackeval_1.3.0/{way}/TrackMAP")
    for one, values in scores.per_category.items():
        prefix = f"trackeval_1.3.0/{names[one]}/TrackMAP"
        numbers |= _trackeval(values, prefix)
        # Means over all that it has computed, with -1 where there is nothing.
        for metric, name in (("AP", "precision"), ("AR", "recall")):
            known = official({key: v for key, v in values.items() if key.startswith(metric)}, "")
            numbers[f"{prefix}/{name}"] = float(np.mean(list(known.values())))
    return numbers


def _trackeval(values: Mapping[str, float], prefix: str) -> Numbers:
    """Return AP and AR by subset under TrackEval's names."""
    known = {theirs: values[ours] for ours, theirs in TRACKEVAL.items() if ours in values}
    return official(known, prefix)


BENCHMARKS: dict[str, Callable[[Path], Numbers]] = {"lvvis": lvvis, "tao": tao, "ytvis": ytvis}
