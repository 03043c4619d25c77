"""Numbers of the evaluation cases that rest on the boxes or masks of single images.

Each function takes the folder of one case and returns its numbers under the keys of the case's
expected.json, nested keys joined with a slash.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from glee.evaluation.coco_json import Kind, read_annotations, read_catalog, read_predictions
from glee.evaluation.concept_f1 import concept_f1_scores, read_exhaustive
from glee.evaluation.detection import class_agnostic_scores, coco_scores, odinw_average
from glee.evaluation.federated import read_federation
from glee.evaluation.lvis import lvis_fixed_ap, lvis_scores, read_frequencies
from glee.evaluation.objects import Annotations, Predictions
from glee.evaluation.omnilabel import omnilabel_scores
from glee.evaluation.omnilabel_json import (
    read_omnilabel_annotations,
    read_omnilabel_predictions,
    read_questions,
)
from glee.evaluation.referring import referring_scores
from glee.evaluation.scores import Scores

Numbers = dict[str, float]
KINDS: dict[str, Kind] = {"bbox": "boxes", "segm": "masks"}


def load(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def official(values: Mapping[Any, float], prefix: str) -> Numbers:
    """Return numbers under a prefix; the official tools write -1 where there is none."""
    return {
        f"{prefix}/{name}": -1.0 if math.isnan(value) else value for name, value in values.items()
    }


def read_images(gt: Path, pred: Path, kind: Kind) -> tuple[Annotations, Predictions]:
    """Read a case in COCO's format."""
    data = load(gt)
    catalog = read_catalog(data)
    return read_annotations(data, catalog, kind), read_predictions(load(pred), catalog, kind)


def coco_numbers(scores: Scores, prefix: str) -> Numbers:
    """Return COCO's numbers as the cases name them."""
    by_count = {name[2:]: value for name, value in scores.values.items() if name[2:].isdigit()}
    recalls = {name: value for name, value in by_count.items() if f"AR{name}" in scores.values}
    precisions = {one: values["AP"] for one, values in scores.per_category.items()}
    return {
        **official(scores.values, f"{prefix}/stats"),
        **official(precisions, f"{prefix}/per_category_AP"),
        **official(recalls, f"{prefix}/AR_by_maxDets"),
        **official({"AP_all": scores["AP"]}, prefix),
    }


def coco(case: Path) -> Numbers:
    """Compute the 12 COCO numbers of boxes and of masks."""
    numbers: Numbers = {}
    for name, kind in KINDS.items():
        numbers |= coco_numbers(
            coco_scores(*read_images(case / "gt.json", case / "pred.json", kind)), name
        )
    return numbers


def uvo(case: Path) -> Numbers:
    """Compute the numbers of one category, and of many taken for one."""
    numbers = coco(case)
    masks = read_images(case / "gt.json", case / "pred.json", "masks")
    numbers |= coco_numbers(
        coco_scores(*masks, max_detections=(10, 100, 1000)), "segm_maxdets_1000"
    )
    seed = case.name.rpartition("_")[2]
    multi = case.parent.parent / "coco" / f"detection_{seed}"
    for name, kind in KINDS.items():
        scores = class_agnostic_scores(*read_images(multi / "gt.json", multi / "pred.json", kind))
        numbers |= coco_numbers(scores, f"multi_category_gt_useCats0/{name}")
    return numbers


def odinw(case: Path) -> Numbers:
    """Compute AP of several data sets and its mean."""
    scores = {}
    for gt in sorted(case.glob("*_gt.json")):
        name = gt.name.removesuffix("_gt.json")
        scores[name] = coco_scores(*read_images(gt, case / f"{name}_pred.json", "boxes"))
    numbers = {"mean_AP": odinw_average(scores)["AP"]}
    for name, one in scores.items():
        numbers |= official(one.values, f"per_dataset/{name}")
    return numbers


def lvis(case: Path) -> Numbers:
    """Compute the 13 LVIS numbers, and fixed AP, of boxes and of masks."""
    data = load(case / "gt.json")
    numbers: Numbers = {}
    for name, kind in KINDS.items():
        annotations, predictions = read_images(case / "gt.json", case / "pred.json", kind)
        federation = read_federation(data, annotations.catalog, "images")
        inputs = (annotations, predictions, federation, read_frequencies(data))
        numbers |= official(lvis_scores(*inputs).values, name)
        for budget in (15, 10_000):
            scores = lvis_fixed_ap(*inputs, per_category=budget)
            numbers |= official(scores.values, f"{name}_fixed_dets_per_cat_{budget}")
    return numbers


def refcoco(case: Path) -> Numbers:
    """Compute P at five overlaps of boxes, mIoU and oIoU of masks, and every IoU; in percent."""
    numbers: Numbers = {}
    for name, kind in KINDS.items():
        scores = referring_scores(*read_images(case / "gt.json", case / "pred.json", kind))
        numbers |= {f"{name}/{key}": 100 * value for key, value in scores.values.items()}
        for row, one in enumerate(scores.per_category.values()):
            numbers[f"{name}_iou/{row}"] = one["IoU"]
    return numbers


OMNILABEL_NAMES = (
    *("AP_hm", "AP_categ", "AP_descr", "AP_descr-pos", "AP_descr-s", "AP_descr-m", "AP_descr-l"),
    *("AP50_descr", "AP75_descr", "AP50_categ", "AP75_categ", "AR_descr", "AR_categ"),
)


def omnilabel(case: Path) -> Numbers:
    """Compute OmniLabel's numbers, and how many objects each is over."""
    data = load(case / "gt.json")
    questions = read_questions(data)
    scores = omnilabel_scores(
        read_omnilabel_annotations(data, questions),
        read_omnilabel_predictions(load(case / "pred.json"), data, questions),
    )
    numbers: Numbers = {}
    for row, name in enumerate(OMNILABEL_NAMES):
        groups = ["categ", "descr"] if name == "AP_hm" else [name.partition("_")[2]]
        numbers |= official({"value": scores[name]}, f"results/{row}")
        numbers[f"results/{row}/numgt"] = sum(scores.per_category[g]["objects"] for g in groups)
        numbers[f"results/{row}/metric/max_dets"] = 100
    return numbers


def saco(case: Path) -> Numbers:
    """Compute cgF1 and its parts with one annotator, and with the better of two."""
    files = [load(case / f"gt_{name}.json") for name in "ab"]
    catalog = read_catalog(files[0])
    exhaustive = [read_exhaustive(data) for data in files]
    numbers: Numbers = {}
    for name, kind in KINDS.items():
        annotators = [read_annotations(data, catalog, kind) for data in files]
        predictions = read_predictions(load(case / "pred.json"), catalog, kind)
        for count, suffix in ((1, "single"), (2, "two_annotators")):
            scores = concept_f1_scores(annotators[:count], exhaustive[:count], predictions)
            for key, value in scores.values.items():
                numbers[f"{name}_{suffix}/cgF1_eval_{name}_{key}"] = value
    return numbers


BENCHMARKS: dict[str, Callable[[Path], Numbers]] = {
    "coco": coco,
    "uvo": uvo,
    "odinw": odinw,
    "lvis": lvis,
    "refcoco": refcoco,
    "omnilabel": omnilabel,
    "saco_cgf1": saco,
}
