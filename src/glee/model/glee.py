"""The network: images and prompts in, objects out."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glee.config import GleeConfig, PairConfig
from glee.model.backbones.pair import Pair
from glee.model.concept_names import weigh_concepts
from glee.model.early_fusion import EarlyFusion
from glee.model.glances import Glances
from glee.model.heads import Heads
from glee.model.interfaces import (
    CellQueries,
    ExtraQueries,
    GleeOutputs,
    ImageFeatures,
    MaskGuide,
    ObjectOutputs,
    PromptBatch,
    TextTokens,
    VisualTokens,
)
from glee.model.mark_places import MarkPlaces
from glee.model.mask_colours import learn_colours, weigh_colours
from glee.model.neck import Neck
from glee.model.object_decoder import Guides, ObjectDecoder, join_queries
from glee.model.pixel_decoder import PixelDecoder
from glee.model.query_selection import QuerySelection
from glee.model.text.clip import pool_tokens
from glee.model.text.encoder import TextEncoder
from glee.model.visual_prompts import PointSampler, TemplateEncoder
from glee.ops.box_means import average_in_boxes

TRUST_BESIDE_GLANCES = 0.5
"""In the concepts of boxes, which a second look knows better."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Marked objects: what is seen there, and where they are, if that is to count."""

    tokens: VisualTokens | None
    places: MarkPlaces | None


class GLEE(nn.Module):
    """General object foundation model (arXiv:2312.09158).

    `backbone` maps pixels [B, 3, H, W] to a FeaturePyramid.
    """

    def __init__(self, config: GleeConfig, backbone: nn.Module, text_encoder: TextEncoder) -> None:
        super().__init__()
        self.config = config
        self.backbone, self.text_encoder = backbone, text_encoder
        self.text_projection = nn.Linear(config.text.width, config.width, bias=False)
        self.neck = Neck(config)
        if config.visual_prompts is not None:
            self.template_encoder = TemplateEncoder(config.visual_prompts, config)
            self.point_sampler = PointSampler(config.visual_prompts, config.width)
        self.early_fusion = EarlyFusion(config.width, config.early_fusion)
        self.pixel_decoder = PixelDecoder(config)
        self.query_selection = QuerySelection(config.width, config.object_decoder)
        self.object_decoder = ObjectDecoder(config)
        self.heads = Heads(config.width, config.object_decoder)
        self.glances: Glances | None = None
        if config.glances is not None:
            assert isinstance(config.backbone, PairConfig)
            self.glances = Glances(config.glances, config.backbone.concepts, config.width)
        nn.init.xavier_uniform_(self.text_projection.weight)

    def forward(
        self,
        pixels: Tensor,
        prompts: PromptBatch,
        *,
        every_layer: bool = False,
        extra: ExtraQueries | None = None,
        generator: torch.Generator | None = None,
    ) -> GleeOutputs:
        """Find what the prompts ask for.

        pixels       [B, 3, H, W]  normalised RGB, H and W multiples of 32
        prompts      one per image
        every_layer  also predict from the cells chosen, the initial queries and all layers
        extra        further queries to refine
        generator    chooses at random the points that stand for a marked region
        """
        image = self.encode_image(pixels)
        return self.detect(
            image, prompts, every_layer=every_layer, extra=extra, generator=generator
        )

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Return what can be known of images `pixels` [B, 3, H, W] before a prompt is."""
        return self.neck(self.backbone(pixels), pixels)

    def detect(  # noqa: PLR0913  # as `forward`, and what may be spared
        self,
        image: ImageFeatures,
        prompts: PromptBatch,
        *,
        masks: bool = True,
        second_look: bool = True,
        every_layer: bool = False,
        extra: ExtraQueries | None = None,
        generator: torch.Generator | None = None,
    ) -> GleeOutputs:
        """Find what the prompts ask for in images that are already encoded; as `forward`.

        masks        whether the mask features are computed
        second_look  whether `glances` are used, if the network has such
        """
        template = self._encode_template(image, prompts)
        marked = () if template is None else (self.early_fusion.fold(template),)
        cells = self.early_fusion(image.cells, prompts.text.folded, *marked)
        levels = self.pixel_decoder(cells, image.shapes)
        mask_features = levels[0].new_zeros(*levels[0].shape[:2], 0, 0)
        if masks:
            mask_features = self.pixel_decoder.mask_features(levels[0], image.lateral)
        # What follows is little work and needs all digits: boxes, choices, similarities.
        dtype = self.text_projection.weight.dtype
        with torch.autocast(cells.device.type, enabled=False):
            levels = tuple(level.to(dtype) for level in levels)
            visual = self._encode_points(template, levels, prompts, generator)
            text, mask_features = prompts.text.to(dtype), mask_features.to(dtype)
            marks = self._read_marks(prompts, visual)
            outputs = self._decode(levels, mask_features, text, marks, every_layer, extra)
            if every_layer:
                return outputs
            if visual is None:
                final = self._look_again(outputs.final, image, text, closely=second_look)
                outputs = replace(outputs, final=final)
            return self._look_at_colours(outputs, image.pixels.to(dtype), prompts, marks.places)

    def _decode(
        self,
        levels: tuple[Tensor, ...],
        mask_features: Tensor,
        text: TextTokens,
        marks: Marks,
        every_layer: bool,
        extra: ExtraQueries | None,
    ) -> GleeOutputs:
        """Turn refined levels, finest first, into objects."""
        # The decoder's parameters know the levels from the coarsest to the finest.
        memory = torch.cat([x.flatten(2).transpose(1, 2) for x in levels[::-1]], dim=1)
        shapes = tuple((x.shape[2], x.shape[3]) for x in levels[::-1])
        selected = self.query_selection(
            memory,
            shapes,
            text.classes,
            self.heads,
            by_confidence=marks.tokens is not None and text.guides is None,
            places=marks.places,
        )
        content, box_logits = selected.content.detach(), selected.box_logits.detach()
        fixed = None if marks.places is None else marks.places.fixed(content.shape[1])
        queries = join_queries(content, box_logits, extra, fixed)
        states = self.object_decoder(
            queries, (memory, shapes), self.heads, _guides(text, marks.tokens)
        )
        sources = [(queries.content, queries.boxes), *((s.hidden, s.boxes) for s in states)]
        predicted = [
            self.heads(x, boxes, text.classes)
            for x, boxes in (sources if every_layer else sources[-1:])
        ]
        proposals, cells = None, None
        if every_layer:
            cells = selected.cells
            proposals = self.heads(selected.content, selected.box_logits.sigmoid(), text.classes)
        count = 0 if extra is None else extra.content.shape[1]
        own = (each.split(count)[1] for each in predicted)
        *auxiliary, final = own if marks.places is None else map(marks.places.weigh, own)
        further = () if extra is None else tuple(each.split(count)[0] for each in predicted)
        return GleeOutputs(
            final, mask_features, marks.tokens, tuple(auxiliary), proposals, further, cells
        )

    def _look_again(
        self, found: ObjectOutputs, image: ImageFeatures, text: TextTokens, *, closely: bool
    ) -> ObjectOutputs:
        """Return what was found by text, with what the backbone sees in the boxes."""
        if not isinstance(self.backbone, Pair):
            return found
        glances = self.glances if closely else None
        if text.guides is None and image.concepts is not None:
            trust = 1.0 if glances is None else TRUST_BESIDE_GLANCES
            found = self._look_at_concepts(found, image.concepts, text, trust)
        if glances is None:
            return found
        glimpses = glances.look(self.backbone, image.pixels.to(found.logits.dtype), found)
        if text.guides is not None:
            return glances.choose(found, glimpses, text)
        return glances.name(self.backbone, found, glimpses, text, self.text_projection)

    def _look_at_concepts(
        self, found: ObjectOutputs, cells: Tensor, text: TextTokens, trust: float
    ) -> ObjectOutputs:
        """Return what was found for names, with what the backbone's classifier says of it."""
        assert isinstance(self.backbone, Pair)
        cells = cells.to(found.logits.dtype)
        seen = self.text_projection(average_in_boxes(cells, found.boxes_cxcywh))
        concepts = self.text_projection(self.backbone.concepts.embeddings)
        return weigh_concepts(found, seen, text.classes, concepts, trust=trust)

    def _look_at_colours(
        self, outputs: GleeOutputs, pixels: Tensor, prompts: PromptBatch, places: MarkPlaces | None
    ) -> GleeOutputs:
        """Return what was found, with the colours that masks follow and marked objects have."""
        size, tokens = self.config.object_decoder, outputs.visual
        if size.box_masks:
            given = None if places is None else places.given
            outputs = replace(outputs, guide=MaskGuide(pixels, given))
        if tokens is None or not size.mark_places:
            return outputs
        if prompts.regions is not None:
            colours = learn_colours(pixels[:: prompts.frames], prompts.regions)
            rows = torch.arange(len(pixels), device=pixels.device) // prompts.frames
            return replace(outputs, visual=replace(tokens, colours=colours.take(rows)))
        if tokens.colours is None:
            return outputs
        return replace(outputs, final=weigh_colours(outputs.final, pixels, tokens.colours))

    def drop_glances(self) -> None:
        """Forget the second look, which would not fit what is trained further.

        It learns from what a network finds, and is learned anew when that is trained.
        """
        self.glances, self.config = None, replace(self.config, glances=None)

    def unread_cells(self, image: ImageFeatures) -> CellQueries:
        """Return all cells as the queries that they would become without prompt and context.

        They are those of `detect` as long as early fusion and the pixel decoder add nothing to the
        cells, as before a training that first teaches the cells alone.
        """
        cells = self.early_fusion.image_norm(image.cells)
        cells = F.layer_norm(cells, cells.shape[-1:])
        levels = cells.split([h * w for h, w in image.shapes], dim=1)
        return self.query_selection.cells(torch.cat(levels[::-1], dim=1), image.shapes[::-1])

    def project_text(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Return the tokens [K, T, C] of texts, ids and valid [K, T], at the network's width."""
        return self.text_projection(self.text_encoder(ids, valid))

    def names_prompt(
        self, tokens: Tensor, classes: Tensor, meanings: Tensor | None = None
    ) -> TextTokens:
        """Return the prompt of a list of names that all images share.

        tokens    [L, C]  the tokens of all names, without padding
        classes   [K, C]  the mean of each name's tokens
        meanings  [K, C]  the mean of the tokens of what a dictionary says of each name
        """
        folded = self.early_fusion.fold(tokens[None])
        meanings = None if meanings is None else meanings[None]
        return TextTokens(classes[None], folded, meanings=meanings)

    def expression_prompt(self, tokens: Tensor, valid: Tensor) -> TextTokens:
        """Return the prompt of one expression per image.

        tokens  [B, T, C]  padded to the longest text that the text encoder reads
        valid   [B, T]     bool, False on padding
        """
        classes = pool_tokens(tokens, valid)[:, None]
        return TextTokens(classes, self.early_fusion.fold(tokens, valid), tokens, valid)

    def _encode_template(self, image: ImageFeatures, prompts: PromptBatch) -> Tensor | None:
        """Return the tokens [B, T, C] of the marked objects' surroundings."""
        if prompts.remembered is not None:
            return prompts.remembered.template
        if prompts.regions is None:
            return None
        crops = self.template_encoder.crop(image.pixels[:: prompts.frames], prompts.regions)
        with torch.no_grad():  # the image encoder learns from whole images only
            pyramid = self.backbone(crops)
        return self.template_encoder(pyramid).repeat_interleave(prompts.frames, dim=0)

    def _read_marks(self, prompts: PromptBatch, tokens: VisualTokens | None) -> Marks:
        """Return what is known of the marked objects."""
        if not self.config.object_decoder.mark_places:
            return Marks(tokens, None)
        if prompts.near is not None:
            return Marks(tokens, MarkPlaces.near(prompts.near))
        if prompts.regions is None:
            return Marks(tokens, None)
        return Marks(tokens, MarkPlaces.of(prompts.regions, prompts.frames))

    def _encode_points(
        self,
        template: Tensor | None,
        levels: tuple[Tensor, ...],
        prompts: PromptBatch,
        generator: torch.Generator | None,
    ) -> VisualTokens | None:
        """Return all tokens of the marked objects."""
        if prompts.remembered is not None:
            return prompts.remembered
        if template is None or prompts.regions is None:
            return None
        marked = tuple(level[:: prompts.frames] for level in levels)
        points, valid = self.point_sampler(marked, prompts.regions, generator)
        tokens = tuple(level.repeat_interleave(prompts.frames, dim=0) for level in points)
        return VisualTokens(template, tokens, valid.repeat_interleave(prompts.frames, dim=0))


def _guides(text: TextTokens, visual: VisualTokens | None) -> Guides | None:
    """Choose what the queries read: the marked object, else the expression, else nothing."""
    if visual is not None:
        return Guides(visual.points, visual.valid)
    if text.guides is not None and text.valid is not None:
        return Guides((text.guides,), text.valid)
    return None
