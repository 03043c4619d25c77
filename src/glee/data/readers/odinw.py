"""ODinW: small data sets "in the wild", each in COCO's format (arXiv:2204.08790)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from glee.data.readers.builder import IndexOptions
from glee.data.readers.coco import read_coco
from glee.data.readers.index import ImageIndex

FILE = "annotations_without_background.json"


def read_odinw(
    split: Path, *, prompts: Mapping[str, str] | None = None, fail_fast: bool = False
) -> ImageIndex:
    """Read one split of one data set of ODinW.

    split      the folder that holds the images and `annotations_without_background.json`, such as
               `Aquarium/Aquarium Combined.v2-raw-1024.coco/valid`, or a file beside its images,
               such as `pistols/export/val_annotations_without_background.json`
    prompts    what to call categories instead, such as {"Cottontail-Rabbit": "rabbit"}; all other
               names are those of the file
    fail_fast  raise ValueError at the first bad entry

    Images without objects are samples, which show none of the names.
    Raises FileNotFoundError without the file, ValueError if it is not such JSON, or if `prompts`
    has a name that the file has not.
    """
    file = split if split.suffix == ".json" else split / FILE
    samples = read_coco(
        file, file.parent, options=IndexOptions(keep_empty=True), fail_fast=fail_fast
    )
    names = [samples.names[n] for n in range(len(samples.names))]
    if unknown := sorted(set(prompts or {}) - set(names)):
        raise ValueError(
            f"prompts has {unknown[0]!r}, which is no name in {str(file)!r}; its names are "
            f"{', '.join(names)}"
        )
    return call_otherwise(samples, prompts or {})


def call_otherwise(samples: ImageIndex, prompts: Mapping[str, str]) -> ImageIndex:
    """Return samples whose names are replaced; `prompts` may have names that they lack."""
    names = (samples.names[n] for n in range(len(samples.names)))
    called = tuple(prompts.get(name, name) for name in names)
    return replace(samples, names=called, listed=frozenset(called))
