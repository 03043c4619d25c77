"""A COCO annotation file made of results: images, annotations and categories."""

from collections.abc import Sequence
from typing import Any

from glee.results import Instances


class CocoFile:
    """A COCO annotation file (images, annotations, categories), made image by image.

    names        categories that the file has in any case; those found are added to them
    description  what the file says about itself
    """

    def __init__(self, names: Sequence[str] = (), *, description: str = "") -> None:
        self._description = description
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._ids: dict[str, int] = {}
        self._add_names(names)

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self._images)

    def add(self, file_name: str, found: Instances) -> None:
        """Add an image and what was found in it."""
        self._add_names(found.names)
        image_id, (height, width) = len(self._images), found.image_size
        results = found.to_coco(image_id, [self._ids[name] for name in found.names])
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        areas = sides.prod(dim=1) if found.masks is None else found.masks.sum(dim=(1, 2))
        self._images.append(
            {"id": image_id, "file_name": file_name, "height": height, "width": width}
        )
        for result, area in zip(results, areas.tolist(), strict=True):
            number = len(self._annotations) + 1  # pycocotools takes 0 for none
            self._annotations.append(result | {"id": number, "area": area, "iscrowd": 0})

    def to_json(self) -> dict[str, Any]:
        """Return the file's content as plain JSON values, what it says about itself first."""
        return {
            "info": {"description": self._description},
            "images": list(self._images),
            "annotations": list(self._annotations),
            "categories": [{"id": n, "name": name} for name, n in self._ids.items()],
        }

    def _add_names(self, names: Sequence[str]) -> None:
        for name in names:
            self._ids.setdefault(name, len(self._ids))
