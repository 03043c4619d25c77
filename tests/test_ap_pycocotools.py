import contextlib
import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools.mask import area, encode, toBbox

from glee.evaluation.coco_json import Kind, read_annotations, read_catalog, read_predictions
from glee.evaluation.detection import class_agnostic_scores, coco_scores

Entries = list[dict[str, Any]]
SIZE = (40, 48)


def blob(random: np.random.Generator) -> NDArray[np.uint8]:
    """An ellipse or a rectangle somewhere in an image."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    centre, radius = random.integers(0, SIZE), random.integers(2, np.array(SIZE) // 2)
    y, x = (y - centre[0]) / radius[0], (x - centre[1]) / radius[1]
    inside = y**2 + x**2 <= 1 if random.random() < 0.7 else np.maximum(abs(y), abs(x)) < 1
    return inside.astype(np.uint8)


def entry(pixels: NDArray[np.uint8], image: int, category: int) -> dict[str, Any]:
    code = encode(np.asfortranarray(pixels))
    text = {"size": code["size"], "counts": code["counts"].decode()}
    box = toBbox(code).tolist()
    return {"image_id": image, "category_id": category, "bbox": box, "segmentation": text}


def make_data(seed: int) -> tuple[dict[str, Any], Entries]:
    """Crowds, areas at odds with the masks, equal scores, doubles, and shuffled files."""
    random = np.random.default_rng(seed)
    categories = [3, 4, 9]
    annotations, predictions = Entries(), Entries()
    for image in range(1, 9):
        for _ in range(random.integers(0, 7)):
            pixels, category = blob(random), int(random.choice(categories))
            one = entry(pixels, image, category)
            size = float(area(encode(np.asfortranarray(pixels))) * random.choice([1, 1, 3, 20]))
            crowd = int(random.random() < 0.15)
            annotations.append(one | {"id": len(annotations) + 1, "area": size, "iscrowd": crowd})
            for shift in random.integers(-3, 4, (random.integers(0, 4), 2)):
                predictions.append(entry(np.roll(pixels, shift, (0, 1)), image, category))
        for _ in range(random.integers(0, 20)):
            predictions.append(entry(blob(random), image, int(random.choice(categories))))
    for one in predictions:
        one["score"] = round(float(random.random()), 1)
    random.shuffle(predictions)
    images = [{"id": i, "height": SIZE[0], "width": SIZE[1]} for i in range(8, 0, -1)]
    names = [{"id": one, "name": str(one)} for one in categories]
    return {"images": images, "annotations": annotations, "categories": names}, predictions


def official_numbers(data: dict[str, Any], predictions: Entries, kind: str, **params: Any) -> Any:
    """The 12 numbers of pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = data
        truth.createIndex()
        # With boxes, it would take the areas of the masks from them.
        kept = ("image_id", "category_id", "score", "bbox" if kind == "bbox" else "segmentation")
        found = truth.loadRes([{key: one[key] for key in kept} for one in predictions])
        evaluation = COCOeval(truth, found, kind)
        for name, value in params.items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("kind", ["boxes", "masks"])
@pytest.mark.parametrize("seed", range(5))
def test_coco_scores_equal_those_of_pycocotools(kind: Kind, seed: int) -> None:
    data, found = make_data(seed)
    catalog = read_catalog(data)

    ours = coco_scores(
        read_annotations(data, catalog, kind), read_predictions(found, catalog, kind)
    )

    expected = official_numbers(data, found, "bbox" if kind == "boxes" else "segm")
    expected[expected == -1] = np.nan
    np.testing.assert_allclose(list(ours.values.values()), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_class_agnostic_scores_equal_those_of_pycocotools(seed: int) -> None:
    data, found = make_data(seed)
    catalog = read_catalog(data)

    ours = class_agnostic_scores(
        read_annotations(data, catalog, "masks"), read_predictions(found, catalog, "masks")
    )

    expected = official_numbers(data, found, "segm", useCats=0)
    expected[expected == -1] = np.nan
    np.testing.assert_allclose(list(ours.values.values()), expected, atol=1e-12)


def test_fewer_detections_an_image_give_the_recall_of_pycocotools() -> None:
    data, found = make_data(0)
    catalog = read_catalog(data)

    ours = coco_scores(
        read_annotations(data, catalog, "boxes"),
        read_predictions(found, catalog, "boxes"),
        max_detections=(1, 2, 3),
    )

    expected = official_numbers(data, found, "bbox", maxDets=[1, 2, 3])
    assert [ours[f"AR{count}"] for count in (1, 2, 3)] == pytest.approx(expected[6:9].tolist())
