"""OmniLabel's JSON, from which questions, annotated boxes and predictions are read."""

from collections.abc import Iterable

import numpy as np

from glee.evaluation.arrays import Id
from glee.evaluation.coco_json import read_crowds, require_unique, sorted_by_id
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.omnilabel import QUESTION_KINDS, Questions, question_kind
from glee.evaluation.records import (
    Json,
    RecordError,
    is_number,
    listed,
    read_box,
    row_of,
    rows_by_id,
    shown,
)
from glee.evaluation.regions import Boxes


def read_questions(data: Json) -> Questions:
    """Read what is asked for in each image of an annotation file.

    Raises ValueError for a part that is missing and for an id that occurs twice.
    """
    images = sorted_by_id(data, "images")
    descriptions = listed(data, "descriptions", "the annotation file")
    require_unique(images, "images")
    require_unique(descriptions, "descriptions")
    present = {
        (box["image_id"], description)
        for box in listed(data, "annotations", "the annotation file")
        for description in box["description_ids"]
    }
    # A stable sort: in each image, descriptions keep the order of the file.
    image_rows = rows_by_id([image["id"] for image in images])
    asked = sorted(
        ((image, one) for one in descriptions for image in one["image_ids"]),
        key=lambda pair: row_of({"image_id": pair[0]}, "image_id", image_rows, "a description"),
    )
    kinds = [
        question_kind(
            text=one["text"],
            is_category=one["anno_info"]["type"] != "object_description",
            is_present=(image, one["id"]) in present,
        )
        for image, one in asked
    ]
    sizes = [
        [images[image_rows[image]][side] for side in ("height", "width")] for image, _ in asked
    ]
    catalog = Catalog(
        unit_ids=tuple(range(len(asked))),
        unit_sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
        unit_lengths=np.ones(len(asked), dtype=np.int64),
        category_ids=tuple(range(len(QUESTION_KINDS))),
    )
    keys = [(image, one["id"]) for image, one in asked]
    return Questions(catalog, {key: (row, kinds[row]) for row, key in enumerate(keys)})


def read_omnilabel_annotations(data: Json, questions: Questions) -> Annotations:
    """Read the annotated boxes, each once for every description that it answers to.

    Descriptions that are not asked for in the image are passed over, as officially.
    Raises ValueError for ids that occur twice or that the file does not define, boxes of negative
    size and parts that are missing.
    """
    units, kinds, boxes, crowd = [], [], [], []
    annotations = listed(data, "annotations", "the annotation file")
    require_unique(annotations, "annotations")
    crowds, known = read_crowds(annotations).tolist(), _known(data)
    for number, one in enumerate(annotations):
        where = f"annotations[{number}]"
        row_of(one, "image_id", known["image_id"], where)
        for description in listed(one, "description_ids", where):
            answer = {"description_id": description}
            row_of(answer, "description_id", known["description_id"], where)
            if (question := questions.rows.get((one["image_id"], description))) is not None:
                units.append(question[0])
                kinds.append(question[1])
                boxes.append(read_box(one, where))
                crowd.append(crowds[number])
    regions = Boxes(np.array(boxes, dtype=np.float64).reshape(-1, 4))
    return Annotations(
        catalog=questions.catalog,
        units=np.array(units, dtype=np.int64),
        categories=np.array(kinds, dtype=np.int64),
        areas=regions.areas(),
        crowd=np.array(crowd, dtype=np.bool_),
        regions=regions,
    )


def read_omnilabel_predictions(
    results: Iterable[Json], data: Json, questions: Questions
) -> Predictions:
    """Read predictions in OmniLabel's result format, each once for every description it names.

    results  dicts with image_id, bbox, description_ids and as many scores
    data     the annotation file

    Raises RecordError for unknown images and descriptions, scores that are no finite numbers or not
    one for each description, and boxes of negative size. Answers that were not asked for are left
    out and noted.
    """
    known = _known(data)
    units, kinds, scores, boxes, unasked = [], [], [], [], 0
    for number, one in enumerate(results):
        where = f"predictions[{number}]"
        row_of(one, "image_id", known["image_id"], where)
        box = read_box(one, where)
        for description, score in _answers(one, where):
            answer = {"description_id": description}
            row_of(answer, "description_id", known["description_id"], where)
            question = questions.rows.get((one["image_id"], description))
            if question is None:
                unasked += 1
                continue
            units.append(question[0])
            kinds.append(question[1])
            scores.append(score)
            boxes.append(box)
    predictions = Predictions(
        catalog=questions.catalog,
        units=np.array(units, dtype=np.int64),
        categories=np.array(kinds, dtype=np.int64),
        scores=np.array(scores, dtype=np.float64),
        regions=Boxes(np.array(boxes, dtype=np.float64).reshape(-1, 4)),
    )
    if unasked:
        predictions = predictions.with_note(
            f"{unasked} answers to descriptions that are not asked for in their image left out"
        )
    return predictions


def _known(data: Json) -> dict[str, dict[Id, int]]:
    """Return the rows of the images and of the descriptions of the file, by id."""
    return {
        key: rows_by_id([one["id"] for one in data[plural]])
        for key, plural in (("image_id", "images"), ("description_id", "descriptions"))
    }


def _answers(result: Json, where: str) -> list[tuple[int, float]]:
    """Return the descriptions and scores of a prediction."""
    descriptions, scores = listed(result, "description_ids", where), listed(result, "scores", where)
    if len(descriptions) != len(scores):
        raise RecordError(where, f"has {len(scores)} scores for {len(descriptions)} descriptions")
    if not all(map(is_number, scores)):
        raise RecordError(where, f"has scores {shown(repr(scores))}; give finite numbers")
    return list(zip(descriptions, scores, strict=True))
