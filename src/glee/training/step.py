"""One training step's forward pass: from a batch to its losses."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from glee.data.collate import Batch
from glee.data.targets import Targets
from glee.model.glee import GLEE
from glee.model.interfaces import (
    CellQueries,
    FeaturePyramid,
    GleeOutputs,
    PromptBatch,
    TextTokens,
)
from glee.training.cell_distillation import DenseTeacher, cell_distillation
from glee.training.cell_losses import cell_losses
from glee.training.config import TrainConfig
from glee.training.criterion import Criterion, Losses
from glee.training.denoising import noise_targets
from glee.training.distillation import EncodedTexts
from glee.training.randomness import Randomness, SeededRandomness

_Value = TypeVar("_Value")


class Texts(Protocol):
    """What reads the texts of a batch; see texts.py."""

    def names(self, names: tuple[str, ...]) -> tuple[TextTokens, EncodedTexts | None]:
        """Return the prompt of a list of names, and their encodings to compare."""
        ...

    def expressions(self, texts: tuple[str, ...]) -> TextTokens:
        """Return the prompt of one expression per image."""
        ...


class TrainingStep(nn.Module):
    """The network and its losses as one module, which data-parallel wrappers can enclose.

    model   the network
    texts   reads the texts, with that network
    config  of the run
    draw    the source of what is drawn at random, for a seed
    teacher  a detector that teaches all cells its names and boxes, None for none
    """

    def __init__(
        self,
        model: GLEE,
        texts: Texts,
        config: TrainConfig,
        *,
        draw: Callable[[int], Randomness] | None = None,
        teacher: DenseTeacher | None = None,
    ) -> None:
        super().__init__()
        self.model, self.teacher = model, teacher
        self.texts, self.config, self.draw = texts, config, draw or seeded
        self.touches_all = False
        """Whether every parameter gets a gradient, be it zero: processes that train together must
        all have the same ones, and which a batch needs depends on its prompt."""

    def forward(
        self, batch: Batch, seed: int, num_objects: float | None = None
    ) -> tuple[Tensor, Losses, GleeOutputs | None]:
        """Return the sum of all losses, each of them, and what the network predicted.

        batch        on the device of the network
        seed         of all that is drawn at random
        num_objects  what losses are divided by, see Criterion; that of the batch if not given
        """
        device = batch.pixels.device
        if self.config.cells_only:
            return self._learn_cells(batch)
        randomness = self.draw(seed)
        with _autocast(self.config, device):
            text, encoded = self._read(batch)
            prompts = PromptBatch(text, batch.regions, frames=batch.frames)
            denoising = None
            if self.config.denoising is not None:
                denoising = noise_targets(
                    batch.truth, text.classes.float(), self.config.denoising, randomness
                )
            pyramid = self.model.backbone(batch.pixels)
            outputs = self.model.detect(
                self.model.neck(pyramid, batch.pixels),
                prompts,
                every_layer=True,
                extra=None if denoising is None else denoising.queries,
                generator=torch.Generator().manual_seed(seed),
            )
        criterion = Criterion(self.config.criterion, randomness)
        losses = criterion(
            outputs, batch.truth, denoising=denoising, texts=encoded, num_objects=num_objects
        )
        with torch.autocast(device.type, enabled=False):
            terms = self._teach_cells(batch, text, outputs.cells, pyramid)
        losses = Losses({**losses.terms, **terms})
        total = losses.total()
        if self.touches_all:
            learning = [p for p in self.model.parameters() if p.requires_grad]
            total = total + 0 * torch.stack([p.sum().float() for p in learning]).sum()
        # Wrappers expect the backward pass through all that needs a gradient: only the sum.
        return total, detach(losses), detach(outputs)

    def _learn_cells(self, batch: Batch) -> tuple[Tensor, Losses, None]:
        """Return the losses of cells that have read no prompt."""
        text, _ = self._read(batch)
        pyramid = self.model.backbone(batch.pixels)
        cells = self.model.unread_cells(self.model.neck(pyramid, batch.pixels))
        losses = Losses(self._teach_cells(batch, text, cells, pyramid))
        return losses.total(), detach(losses), None

    def _teach_cells(
        self,
        batch: Batch,
        text: TextTokens,
        cells: CellQueries | None,
        pyramid: FeaturePyramid,
    ) -> dict[str, Tensor]:
        """Compute the losses of all cells, where there are such."""
        config, heads = self.config.criterion, self.model.heads
        if cells is None or not (config.cells_per_object or self.teacher):
            return {}
        logits = self.model.query_selection.place(cells.content.float(), cells.box_logits, heads)
        boxes = logits.sigmoid()
        terms: dict[str, Tensor] = {}
        if config.cells_per_object:
            terms |= cell_losses(cells, boxes, text.classes, heads, batch.truth, config)
        if self.teacher is not None:
            names, _ = self.texts.names(self.teacher.names)
            labels = self.teacher(batch.pixels, pyramid)
            terms |= cell_distillation(cells, boxes, names.classes, heads, labels, config)
        return terms

    def _read(self, batch: Batch) -> tuple[TextTokens, EncodedTexts | None]:
        if batch.expressions:
            return self.texts.expressions(batch.expressions), None
        return self.texts.names(batch.names)


def detach(value: _Value) -> _Value:
    """Return nested values whose tensors belong to no graph."""
    changed: Any = value
    match value:
        case Tensor():
            changed = value.detach()
        case tuple():
            changed = tuple(detach(one) for one in value)
        case dict():
            changed = {name: detach(one) for name, one in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            changed = replace(
                value, **{f.name: detach(getattr(value, f.name)) for f in fields(value)}
            )
    return cast("_Value", changed)


def seeded(seed: int) -> SeededRandomness:
    """Return random numbers drawn on the CPU, where the same seed gives the same everywhere."""
    return SeededRandomness(torch.Generator().manual_seed(seed))


def count_objects(truth: tuple[Targets, ...]) -> int:
    """Return the number of objects of a batch, at least 1."""
    return max(1, sum(len(one) for one in truth))


def _autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    lower = config.precision != "float32"
    dtype = getattr(torch, config.precision) if lower else None
    return torch.autocast(device.type, dtype, enabled=lower)
