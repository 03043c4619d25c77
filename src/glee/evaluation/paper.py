"""What the paper reports (arXiv:2312.09158, version 1), for the tables that we print beside it.

Numbers are those of jointly trained weights without fine-tuning unless a name says otherwise, in
percent, by benchmark, by metric as our tables name it, and by model as `glee.load` names it.
"""

from collections.abc import Mapping
from dataclasses import replace

from glee.evaluation.paper_few_shot import FEW_SHOT, FEW_SHOT_SPREAD
from glee.evaluation.result import Metric

_MODELS = ("lite", "plus", "pro")
_ODINW_MODELS = ("lite", "lite-scaleup", "plus", "plus-scaleup", "pro", "pro-scaleup")
_OMNILABEL_MODELS = ("lite", "lite-scaleup", "plus", "plus-scaleup")

Numbers = Mapping[str, Mapping[str, float]]


def _by_model(models: tuple[str, ...], **metrics: tuple[float, ...]) -> dict[str, dict[str, float]]:
    """Return the numbers of each metric, given in the order of the models, by model."""
    return {
        name.replace("_", " "): dict(zip(models, values, strict=True))
        for name, values in metrics.items()
    }


def _referring(precision: tuple[float, ...], overall: tuple[float, ...]) -> Numbers:
    return {
        "box P@0.5": dict(zip(_MODELS, precision, strict=True)),
        "mask oIoU": dict(zip(_MODELS, overall, strict=True)),
    }


# Table 1; RefCOCO's splits are not named there, and taken for the validation sets.
_IMAGES: dict[str, Numbers] = {
    "coco": _by_model(_MODELS, box_AP=(55.0, 60.4, 62.0), mask_AP=(48.4, 53.0, 54.2)),
    "lvis": _by_model(
        _MODELS,
        box_AP=(44.2, 52.7, 55.7),
        box_APr=(36.7, 44.5, 49.2),
        mask_AP=(40.2, 47.4, 49.9),
        mask_APr=(33.7, 40.4, 44.3),
    ),
    "refcoco-val": _referring((88.5, 90.6, 91.0), (77.4, 79.5, 80.0)),
    "refcoco+-val": _referring((78.3, 81.6, 82.6), (64.8, 68.3, 69.6)),
    "refcocog-val": _referring((82.9, 85.0, 86.4), (68.8, 70.6, 72.9)),
    "uvo": _by_model(_MODELS, mask_AR100=(66.6, 70.6, 72.6)),
}

# Tables 2 and 4; OVIS without fine-tuning.
_VIDEOS: dict[str, Numbers] = {
    "tao": _by_model(
        _MODELS,
        TETA=(40.1, 41.5, 47.2),
        LocA=(56.3, 52.9, 66.2),
        AssocA=(39.9, 40.9, 46.2),
        ClsA=(24.1, 30.8, 29.1),
    ),
    "burst": {
        "HOTA": dict(zip(_MODELS, (22.6, 26.9, 31.2), strict=True)),
        "mAP": dict(zip(_MODELS, (12.6, 17.2, 19.2), strict=True)),
        "HOTA common": dict(zip(_MODELS, (36.4, 38.8, 48.7), strict=True)),
        "mAP common": dict(zip(_MODELS, (18.9, 23.7, 24.8), strict=True)),
        "HOTA uncommon": dict(zip(_MODELS, (19.1, 23.9, 26.9), strict=True)),
        "mAP uncommon": dict(zip(_MODELS, (11.0, 15.5, 17.7), strict=True)),
    },
    "lvvis": _by_model(
        _MODELS, AP=(19.6, 30.3, 23.9), APb=(22.1, 31.6, 24.6), APn=(17.7, 29.3, 23.3)
    ),
    "ytvis19": _by_model(
        _MODELS, AP=(53.1, 63.6, 67.4), AP50=(74.0, 85.2, 87.1), AP75=(59.3, 70.5, 74.1)
    ),
    "ovis": _by_model(
        _MODELS, AP=(27.1, 29.6, 38.7), AP50=(45.4, 50.3, 59.4), AP75=(26.3, 28.9, 39.7)
    ),
}

# Tables 8 and 9; marked objects by the weights that were fine-tuned for them.
_VIDEO_OBJECTS: dict[str, Numbers] = {
    "ytvos": {
        name: {"lite-vos": value}
        for name, value in (
            *(("G", 80.4), ("J seen", 80.2), ("F seen", 85.5)),
            *(("J unseen", 74.3), ("F unseen", 81.4)),
        )
    },
    "mose": {"J&F": {"lite-vos": 56.1}, "J": {"lite-vos": 51.8}, "F": {"lite-vos": 60.4}},
    "ref-ytvos": {
        "J&F": {"plus": 67.7, "pro": 70.6},
        "J": {"plus": 65.6, "pro": 68.2},
        "F": {"plus": 69.7, "pro": 72.9},
    },
}

# Table 3, and table 5.
_TRANSFER: dict[str, Numbers] = {
    "odinw13": _by_model(
        _ODINW_MODELS,
        PascalVOC=(61.7, 61.2, 67.8, 67.5, 68.9, 69.1),
        AerialMaritimeDrone=(7.9, 5.0, 10.8, 12.1, 16.5, 13.7),
        Aquarium=(23.2, 23.9, 38.3, 39.7, 37.6, 34.7),
        CottontailRabbits=(72.6, 71.9, 76.1, 75.8, 77.2, 75.6),
        EgoHands=(41.9, 46.2, 47.4, 50.3, 23.3, 38.9),
        NorthAmericaMushrooms=(51.6, 57.8, 19.2, 41.1, 40.1, 57.8),
        Packages=(32.9, 25.6, 29.4, 42.4, 44.7, 50.6),
        Raccoon=(51.1, 56.8, 63.8, 66.4, 68.2, 65.6),
        ShellfishOpenImages=(35.0, 33.1, 66.7, 64.0, 66.2, 62.7),
        VehiclesOpenImages=(59.4, 60.6, 63.8, 62.8, 66.1, 67.3),
        pistols=(45.6, 57.1, 62.6, 61.8, 63.2, 69.0),
        pothole=(21.8, 25.3, 15.3, 17.5, 18.1, 30.7),
        thermalDogsAndPeople=(56.9, 52.5, 66.5, 63.8, 65.8, 59.1),
        average_AP=(43.2, 44.4, 48.3, 51.2, 50.5, 53.4),
    ),
    "omnilabel": {
        name: dict(zip(_OMNILABEL_MODELS, values, strict=True))
        for name, values in {
            "AP": (20.3, 22.7, 25.4, 27.0),
            "AP categ": (37.5, 35.5, 46.7, 44.5),
            "AP descr": (14.0, 16.7, 17.5, 19.4),
            "AP descr-pos": (19.1, 22.3, 23.9, 25.9),
            "AP descr-S": (23.0, 33.7, 28.4, 36.0),
            "AP descr-M": (12.7, 14.3, 16.3, 17.2),
            "AP descr-L": (10.0, 10.2, 12.5, 12.4),
        }.items()
    },
}

_ZERO_SHOT = _TRANSFER["odinw13"]
_TRANSFER["odinw13"] = {name: {**values, **FEW_SHOT[name]} for name, values in _ZERO_SHOT.items()}

PAPER: Mapping[str, Numbers] = {**_IMAGES, **_VIDEOS, **_VIDEO_OBJECTS, **_TRANSFER}

SPREADS: Mapping[str, Numbers] = {"odinw13": FEW_SHOT_SPREAD}
"""Standard deviations, where the paper gives them."""


def beside_paper(metrics: tuple[Metric, ...], benchmark: str, model: str) -> tuple[Metric, ...]:
    """Return metrics with what the paper reports for this model, where it does."""
    table, spreads = PAPER.get(benchmark, {}), SPREADS.get(benchmark, {})
    return tuple(
        replace(
            one,
            paper=table.get(one.name, {}).get(model),
            paper_spread=spreads.get(one.name, {}).get(model),
        )
        for one in metrics
    )


def require_reported(benchmark: str, model: str) -> None:
    """Raise ValueError, with those that there are, if the paper has no number of a model."""
    models = dict.fromkeys(one for values in PAPER.get(benchmark, {}).values() for one in values)
    if not models:
        raise ValueError(f"the paper reports no number for {benchmark}")
    if model not in models:
        raise ValueError(
            f"the paper reports no number of {model!r} for {benchmark}, only of {', '.join(models)}"
        )
