"""Which losses apply to which image and to which predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glee.data.targets import Targets
from glee.model.interfaces import GleeOutputs, ObjectOutputs
from glee.training.config import CriterionConfig
from glee.training.denoising import Denoising
from glee.training.distillation import EncodedTexts, distillation_loss
from glee.training.matching import Assignment, match
from glee.training.randomness import Randomness
from glee.training.set_losses import (
    Matched,
    compare_confidence,
    compare_masks,
    compare_places,
)
from glee.training.tracking_loss import tracking_loss

LAST, CELLS = "last", "cells"


@dataclass(frozen=True, slots=True)
class Losses:
    """All losses of a step, weighted, by name; the names are the same in every step.

    `TERM/SET` for each set of predictions: `0` are the initial queries, `1`, `2`... the layers,
    `last` the last of them, `cells` the cells chosen as queries. `noised_TERM/SET` are those of
    the extra queries. `tracking` and `distillation` are numbers of their own.
    """

    terms: Mapping[str, Tensor]

    def total(self) -> Tensor:
        """Return their sum, which training lowers."""
        return torch.stack(list(self.terms.values())).sum()

    def numbers(self) -> dict[str, float]:
        """Return all as plain numbers, for a log, in one transfer."""
        values = torch.stack(list(self.terms.values())).tolist()
        return dict(zip(self.terms, values, strict=True))


class Criterion:
    """Compares what the network predicts with the truth (GLEE, arXiv:2312.09158)."""

    def __init__(self, config: CriterionConfig, randomness: Randomness) -> None:
        self.config, self.randomness = config, randomness

    def __call__(
        self,
        outputs: GleeOutputs,
        targets: Sequence[Targets],
        *,
        denoising: Denoising | None = None,
        texts: EncodedTexts | None = None,
        num_objects: float | None = None,
    ) -> Losses:
        """Compute all losses.

        outputs      of every layer
        targets      one per image, on the device of the outputs
        denoising    what the extra queries of these outputs stand for
        texts        the names of the prompt as the trained and the frozen encoder see them
        num_objects  what losses are divided by: the mean number of objects of all processes,
                     none below 1; that of this batch if not given

        A loss for which the batch holds nothing is zero and has a gradient of zero.

        Raises ValueError if there is denoising but no predictions for it.
        """
        if num_objects is None:
            num_objects = max(1, sum(len(truth) for truth in targets))
        with torch.autocast(outputs.mask_features.device.type, enabled=False):
            if not self.config.initial_queries:
                outputs = replace(outputs, auxiliary=outputs.auxiliary[1:], extra=outputs.extra[1:])
            if self.config.cells_per_object:  # they have a loss of their own
                outputs = replace(outputs, proposals=None)
            assigned = self.match(outputs, targets)
            terms = self._compare_matched(outputs, assigned, targets, num_objects)
            terms |= self._compare_noised(outputs, denoising, targets, num_objects)
            terms["tracking"] = self.config.tracking * tracking_loss(
                outputs.final.embeddings.float(),
                assigned[LAST],
                targets,
                self.randomness,
                other_queries=self.config.other_queries,
            )
            terms["distillation"] = _zero(outputs)
            if texts is not None:
                terms["distillation"] = self.config.distillation * distillation_loss(
                    texts, self.config.distillation_of
                )
        return Losses(terms)

    def match(
        self, outputs: GleeOutputs, targets: Sequence[Targets]
    ) -> dict[str, list[Assignment]]:
        """Assign objects to queries, in each image, for each set of predictions by its name."""
        sets = _sets(outputs)
        assigned = match(
            list(sets.values()),
            outputs.mask_features.float(),
            targets,
            self.config.matcher,
            self.config.focal,
            self.randomness,
        )
        return dict(zip(sets, assigned, strict=True))

    def _compare_matched(
        self,
        outputs: GleeOutputs,
        assigned: Mapping[str, Sequence[Assignment]],
        targets: Sequence[Targets],
        num_objects: float,
    ) -> dict[str, Tensor]:
        """Compute the losses of the network's own queries."""
        terms: dict[str, Tensor] = {}
        features, config = outputs.mask_features.float(), self.config
        for name, predicted in _sets(outputs).items():
            matched = Matched(assigned[name], targets, num_objects)
            found = compare_places(predicted, matched, config)
            found |= compare_masks(predicted, features, matched, config, self.randomness)
            found |= compare_confidence(
                predicted, matched, config, applies=name != CELLS or config.proposal_confidence
            )
            terms |= {f"{term}/{name}": value for term, value in found.items()}
        return terms

    def _compare_noised(
        self,
        outputs: GleeOutputs,
        denoising: Denoising | None,
        targets: Sequence[Targets],
        num_objects: float,
    ) -> dict[str, Tensor]:
        """Compute the losses of the extra queries: names and boxes."""
        names = [name for name in _sets(outputs) if name != CELLS]
        if denoising is None:
            places = ("semantic", "box_l1", "box_giou")
            return {f"noised_{term}/{name}": _zero(outputs) for name in names for term in places}
        if len(outputs.extra) != len(names):
            raise ValueError(
                f"outputs hold {len(outputs.extra)} sets of extra predictions instead of "
                f"{len(names)}; call the network with extra=denoising.queries, every_layer=True"
            )
        terms: dict[str, Tensor] = {}
        matched = Matched(denoising.assigned, targets, num_objects * denoising.groups)
        for name, predicted in zip(names, outputs.extra, strict=True):
            found = compare_places(predicted.float(), matched, self.config)
            terms |= {f"noised_{term}/{name}": value for term, value in found.items()}
        return terms


def _sets(outputs: GleeOutputs) -> dict[str, ObjectOutputs]:
    """Return the sets of predictions by name, in float32, in which losses are computed."""
    sets = {str(number): layer.float() for number, layer in enumerate(outputs.auxiliary)}
    sets[LAST] = outputs.final.float()
    if outputs.proposals is not None:
        sets[CELLS] = outputs.proposals.float()
    return sets


def _zero(outputs: GleeOutputs) -> Tensor:
    return outputs.mask_features.new_zeros((), dtype=torch.float32)
