"""Instances: the objects found in one image or video frame, and conversion to other formats."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glee.ops.boxes import xyxy_to_xywh
from glee.ops.masks import decode_rle, encode_rle

if TYPE_CHECKING:
    import supervision

# The form of every tensor of Instances: its shape, and its type.
FORMS = {
    "boxes": ("[N, 4]", "float"),
    "scores": ("[N]", "float"),
    "labels": ("[N]", "int64"),
    "masks": ("[N, H, W]", "bool"),
    "embeddings": ("[N, C]", "float"),
    "prompt_ids": ("[N]", "int64"),
    "track_ids": ("[N]", "int64"),
}

Rows = Tensor | NDArray[Any] | Sequence[int] | Sequence[bool] | slice | SupportsIndex
"""What selects objects: a mask or indices [n], a slice, or one number."""

ALWAYS_STORED = ("box", "score", "label", "name")
SOMETIMES_STORED = ("mask", "prompt_id", "track_id")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Instances:
    """Objects found in one image, best first.

    boxes       [N, 4] float, xyxy in pixels of the original image, right and bottom exclusive
    scores      [N] float, 0..1
    labels      [N] int64, index into `names`
    names       the names of the prompt
    image_size  (height, width) of the original image
    masks       [N, H, W] bool at the original size, None if not requested
    embeddings  [N, C] float, appearance used to link frames, None if not known
    prompt_ids  [N] int64, the visual prompt or expression of the call that each row answers,
                None if there were only names
    track_ids   [N] int64, None before tracking

    Raises ValueError or TypeError if these disagree in shape, type or device.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    names: tuple[str, ...]
    image_size: tuple[int, int]
    masks: Tensor | None = None
    embeddings: Tensor | None = None
    prompt_ids: Tensor | None = None
    track_ids: Tensor | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.names, tuple):
            raise TypeError(f"names must be a tuple of strings, got {self.names!r}")
        if not isinstance(self.image_size, tuple) or len(self.image_size) != len("HW"):
            raise TypeError(f"image_size must be a tuple (height, width), got {self.image_size!r}")
        for name, value in self._present().items():
            _require_form(name, value)
            if len(value) != len(self.boxes):
                raise ValueError(f"{name} has {len(value)} rows for {len(self.boxes)} boxes")
            if value.device != self.boxes.device:
                raise ValueError(
                    f"{name} is on {value.device} but boxes are on {self.boxes.device}; "
                    "move all of them to one device"
                )
        if self.masks is not None and self.masks.shape[1:] != self.image_size:
            raise ValueError(
                f"masks have (height, width) {tuple(self.masks.shape[1:])} "
                f"but image_size is {self.image_size}"
            )

    @staticmethod
    def empty(
        names: Sequence[str], image_size: tuple[int, int], *, masks: bool = False
    ) -> "Instances":
        """Return no objects; `masks` says whether they would have had masks."""
        return Instances(
            boxes=torch.zeros(0, 4),
            scores=torch.zeros(0),
            labels=torch.zeros(0, dtype=torch.int64),
            names=tuple(names),
            image_size=image_size,
            masks=torch.zeros(0, *image_size, dtype=torch.bool) if masks else None,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __repr__(self) -> str:
        height, width = self.image_size
        counts = Counter(self.label_names()).items()
        found = ", ".join(f"{count} {name}" for name, count in counts) or "nothing"
        return f"<Instances: {found} in {height}x{width} pixels>"

    def __iter__(self) -> Iterator["Instances"]:
        """Yield the objects one by one, each as Instances of one row."""
        return (self[row] for row in range(len(self)))

    def __getitem__(self, rows: Rows) -> "Instances":
        """Select rows by mask, indices, slice or number: `found[found.scores > 0.5]`.

        Masks and indices may be lists, NumPy arrays or tensors. A number, of Python, NumPy or
        torch, gives an Instances of one row. Raises IndexError for rows that there are not, and
        TypeError for a name.
        """
        if isinstance(rows, str):
            raise TypeError(
                f"objects are not selected by name, got {rows!r}; use "
                f"found[[name == {rows!r} for name in found.label_names()]]"
            )
        index = _as_index(rows, len(self))
        return self._map(lambda value: value[index])

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.boxes.device

    def to(self, device: torch.device | str) -> "Instances":
        """Return the same objects on another device."""
        return self._map(lambda value: value.to(device))

    def cpu(self) -> "Instances":
        """Return the same objects on the CPU."""
        return self.to("cpu")

    def label_names(self) -> list[str]:
        """Return the name of each object."""
        return [self.names[label] for label in self.labels.tolist()]

    def to_json(self, mask_boxes: Tensor | None = None) -> dict[str, Any]:
        """Return plain JSON values from which `from_json` restores all but the embeddings.

        mask_boxes  [N, 4] tightest boxes around the masks, if they are known: saves finding them

        Numbers keep their full precision, masks are COCO run lengths, and `fields` lists what
        each of the objects has, for when there are none.
        """
        columns: dict[str, Sequence[Any]] = {
            "box": self.boxes.tolist(),
            "score": self.scores.tolist(),
            "label": self.labels.tolist(),
            "name": self.label_names(),
        }
        if self.masks is not None:
            columns["mask"] = encode_rle(self.masks, mask_boxes)
        if self.prompt_ids is not None:
            columns["prompt_id"] = self.prompt_ids.tolist()
        if self.track_ids is not None:
            columns["track_id"] = self.track_ids.tolist()
        rows = zip(*columns.values(), strict=True)
        return {
            "image_size": list(self.image_size),
            "names": list(self.names),
            "fields": list(columns),
            "objects": [dict(zip(columns, row, strict=True)) for row in rows],
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Instances":
        """Restore what `to_json` has returned, with float32 numbers on the CPU.

        Raises ValueError if a part is missing, unknown, or does not fit the others.
        """
        objects, fields = _checked_objects(values)
        size = tuple(values["image_size"])

        def column(field: str, dtype: torch.dtype) -> Tensor:
            return torch.tensor([one[field] for one in objects], dtype=dtype)

        def optional_ids(field: str) -> Tensor | None:
            return column(field, torch.int64) if field in fields else None

        return Instances(
            boxes=column("box", torch.float32).reshape(len(objects), 4),
            scores=column("score", torch.float32),
            labels=column("label", torch.int64),
            names=tuple(values["names"]),
            image_size=size,
            masks=decode_rle([one["mask"] for one in objects], size) if "mask" in fields else None,
            prompt_ids=optional_ids("prompt_id"),
            track_ids=optional_ids("track_id"),
        )

    def to_coco(
        self, image_id: int | str, category_ids: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Return COCO detection results, one per object, with its `prompt_id` if there are such.

        image_id      the image's id in the data set
        category_ids  the data set's id of each of `names`; without it, the label is the id

        Raises ValueError if there is not one category id per name.
        """
        ids = range(len(self.names)) if category_ids is None else category_ids
        if len(ids) != len(self.names):
            raise ValueError(
                f"category_ids has {len(ids)} entries for {len(self.names)} names; "
                "give the data set's id of each name"
            )
        columns: dict[str, Sequence[Any]] = {
            "category_id": [ids[label] for label in self.labels.tolist()],
            "bbox": xyxy_to_xywh(self.boxes).tolist(),
            "score": self.scores.tolist(),
        }
        if self.masks is not None:
            columns["segmentation"] = encode_rle(self.masks)
        if self.prompt_ids is not None:
            columns["prompt_id"] = self.prompt_ids.tolist()
        rows = zip(*columns.values(), strict=True)
        return [{"image_id": image_id, **dict(zip(columns, row, strict=True))} for row in rows]

    def to_supervision(self) -> "supervision.Detections":
        """Return `supervision.Detections` with the names as `class_name`.

        Its `data` holds the `prompt_id` of each object too, if there are such.

        Raises ImportError if supervision is not installed.
        """
        try:
            import supervision  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ImportError(
                'converting to supervision needs it: pip install "glee-vision[viz]"'
            ) from error
        data: dict[str, Any] = {"class_name": np.array(self.label_names(), dtype=str)}
        if self.prompt_ids is not None:
            data["prompt_id"] = self.prompt_ids.cpu().numpy()
        return supervision.Detections(
            xyxy=self.boxes.float().cpu().numpy(),
            confidence=self.scores.float().cpu().numpy(),
            class_id=self.labels.cpu().numpy(),
            mask=None if self.masks is None else self.masks.cpu().numpy(),
            tracker_id=None if self.track_ids is None else self.track_ids.cpu().numpy(),
            data=data,
        )

    def _present(self) -> dict[str, Tensor]:
        """Return the tensors that there are, by name."""
        tensors = {name: getattr(self, name) for name in FORMS}
        return {name: value for name, value in tensors.items() if value is not None}

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Instances":
        """Apply a change of rows or of place to all tensors."""
        changed: dict[str, Any] = {name: change(value) for name, value in self._present().items()}
        return replace(self, **changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of one frame went, in seconds.

    decode   reading it, mostly while the network was busy with the frame before
    wait     until it was there, when the network was ready for it
    network  from the picture to instances with identities
    """

    decode: float
    wait: float
    network: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VideoFrame:
    """One frame of a video, and what was found in it.

    index      its number in the source, from 0
    timestamp  seconds since the first frame, exact
    instances  objects with `track_ids`
    image      [H, W, 3] uint8 RGB: do not write to it
    timings    where the time went
    dropped    frames that a live source lost just before this one
    """

    index: int
    timestamp: Fraction
    instances: Instances
    image: NDArray[np.uint8]
    timings: Timings
    dropped: int = 0

    def to_json(self, mask_boxes: Tensor | None = None) -> dict[str, Any]:
        """Return index, time (exact, as "1001/30000") and instances as plain JSON values.

        mask_boxes  see `Instances.to_json`
        """
        time = {"timestamp": float(self.timestamp), "time": str(self.timestamp)}
        return {"frame": self.index, **time, **self.instances.to_json(mask_boxes)}


def _as_index(rows: Rows, count: int) -> Tensor | slice:
    """Return what selects the rows of a tensor that has so many."""
    if isinstance(rows, slice):
        return rows
    if isinstance(rows, SupportsIndex) and getattr(rows, "ndim", 0) == 0:
        row = range(count)[rows]  # raises IndexError past the end
        return slice(row, row + 1)
    if isinstance(rows, Tensor):
        return rows
    index = np.array(rows)
    whole = index.size == 0 or index.dtype.kind in "iu"
    return torch.from_numpy(index.astype(np.int64) if whole else index)


def _require_form(name: str, value: Tensor) -> None:
    """Check the shape and the type of one tensor of Instances."""
    shape, dtype = FORMS[name]
    got = str(value.dtype).removeprefix("torch.")
    good_type = value.is_floating_point() if dtype == "float" else got == dtype
    good_shape = value.ndim == shape.count(",") + 1
    if name == "boxes":
        good_shape = value.shape[1:] == (len("xyxy"),)
    if not (good_type and good_shape):
        raise ValueError(f"{name} must be {shape} {dtype}, got {list(value.shape)} {got}")


def _checked_objects(values: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Check the parts of stored instances; return the objects and the fields that each has."""
    for part in ("image_size", "names", "fields", "objects"):
        if not isinstance(values.get(part), list):
            raise ValueError(f"{part} of stored instances must be a list, got {values.get(part)!r}")
    fields, names, objects = values["fields"], values["names"], values["objects"]
    if not set(ALWAYS_STORED) <= set(fields) <= {*ALWAYS_STORED, *SOMETIMES_STORED}:
        raise ValueError(
            f"fields must be {', '.join(ALWAYS_STORED)} and any of "
            f"{', '.join(SOMETIMES_STORED)}, got {', '.join(fields)}"
        )
    for row, one in enumerate(objects):
        if set(one) != set(fields):
            raise ValueError(f"objects[{row}] must have {', '.join(fields)}, got {', '.join(one)}")
        if one["label"] not in range(len(names)):
            raise ValueError(
                f"objects[{row}] has label {one['label']}, but names has {len(names)} entries"
            )
        if len(one["box"]) != len("xyxy"):
            raise ValueError(f"objects[{row}] must have a box of 4 numbers, got {one['box']}")
    return objects, fields
