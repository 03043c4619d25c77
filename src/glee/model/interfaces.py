"""Values that pass between the parts of the network.

Letters: B images, H W pixels, h w cells, S cells of all levels, L prompt tokens, K names,
Q queries, P points, C channels, M heads, D channels per head.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

LevelShapes = tuple[tuple[int, int], ...]
"""(height, width) in cells of each pyramid level, in the order in which they are concatenated."""


@dataclass(frozen=True, slots=True)
class FeaturePyramid:
    """Feature maps of one image batch at falling resolution.

    maps      each [B, C_i, h_i, w_i], finest first
    concepts  [B, E, h, w] what a classifier takes each cell for, as text embeddings; None if the
              encoder has none
    """

    maps: tuple[Tensor, ...]
    concepts: Tensor | None = None


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """All that the network knows of images before it has seen a prompt.

    pixels   [B, 3, H, W]  normalised and padded
    cells    [B, S, C]     pyramid levels, finest first, each row by row
    shapes   (h, w) of each level of `cells`
    lateral  [B, C, h, w]  the finest map, projected for the mask features
    concepts [B, E, h, w]  what the backbone's classifier takes each cell for, as text embeddings;
                           None if it has none
    """

    pixels: Tensor
    cells: Tensor
    shapes: LevelShapes
    lateral: Tensor
    concepts: Tensor | None = None

    def repeat(self, rows: int) -> "ImageFeatures":
        """Return one image, B = 1, as B = rows without copying, to meet as many prompts."""
        pixels, cells, lateral = (
            value.expand(rows, *value.shape[1:])
            for value in (self.pixels, self.cells, self.lateral)
        )
        concepts = self.concepts
        if concepts is not None:
            concepts = concepts.expand(rows, *concepts.shape[1:])
        return ImageFeatures(pixels, cells, self.shapes, lateral, concepts)


@dataclass(frozen=True, slots=True)
class FoldedTokens:
    """Prompt tokens as early fusion reads them: its key, value and output projections applied.

    With q = W_q x + b_q, the score q.k of a cell x and a token equals x.(W_q^T k) + b_q.k, and
    the value's way out is linear too; so cells need no projection of their own.

    keys    [B or 1, M, L, C]  W_q^T k, scaled
    bias    [B or 1, M, L]     b_q.k, scaled; -inf on tokens that must not be read
    values  [B or 1, M, L, C]  W_out v
    """

    keys: Tensor
    bias: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True)
class TextTokens:
    """Text prompts, encoded: a list of names shared by all images, or one expression per image.

    classes  [B or 1, K, C]  one embedding per name, or K = 1 for expressions
    folded   the tokens of all names, or of the expression, for early fusion
    guides   [B, L, C]  tokens that the queries read in the decoder; None for names
    valid    [B, L]     bool, False on padding of `guides`; None for names
    meanings [1, K, C]  one embedding of what a dictionary says of each name; None for
                        expressions, and if it is not to be read
    """

    classes: Tensor
    folded: FoldedTokens
    guides: Tensor | None = None
    valid: Tensor | None = None
    meanings: Tensor | None = None

    def take(self, rows: Tensor) -> "TextTokens":
        """Return one row per entry of `rows` [B'], of expressions; shared names stay shared."""
        if self.guides is None or self.valid is None:
            return self
        folded = FoldedTokens(
            self.folded.keys[rows], self.folded.bias[rows], self.folded.values[rows]
        )
        return TextTokens(self.classes[rows], folded, self.guides[rows], self.valid[rows])

    def to(self, dtype: torch.dtype) -> "TextTokens":
        """Return the same tokens, those that the decoder reads in another dtype."""
        guides = None if self.guides is None else self.guides.to(dtype)
        meanings = None if self.meanings is None else self.meanings.to(dtype)
        return TextTokens(self.classes.to(dtype), self.folded, guides, self.valid, meanings)


@dataclass(frozen=True, slots=True)
class Regions:
    """What was marked on each image, at the padded resolution.

    template_masks  [B, H, W]  bool, the template is cut around these
    token_masks     [B, H, W]  bool, point tokens are sampled inside these
    brightened      [B]        bool, True for points and scribbles: their template is brightened
                               under the mark, since a mark has no extent of its own
    negative_masks  [B, H, W]  bool, places that do not belong to the object; None if there are
                               none or the network was not trained to read them
    boxes           [B, 4]     the boxes around the marks, xyxy in 0..1 of the padded image, finer
                               than pixels tell; None if they are to be read from the masks
    """

    template_masks: Tensor
    token_masks: Tensor
    brightened: Tensor
    negative_masks: Tensor | None = None
    boxes: Tensor | None = None

    def take(self, rows: Tensor) -> "Regions":
        """Return the regions of some rows [B']."""
        return self._map(lambda value: value[rows])

    def to(self, device: torch.device) -> "Regions":
        """Return the same regions on another device."""
        return self._map(lambda value: value.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Regions":
        return Regions(
            change(self.template_masks),
            change(self.token_masks),
            change(self.brightened),
            None if self.negative_masks is None else change(self.negative_masks),
            None if self.boxes is None else change(self.boxes),
        )


@dataclass(frozen=True, slots=True)
class MarkColours:
    """The colours of marked objects; see mask_colours.py.

    likely  [B, N]  how much likelier each of N colours is in the object than around it, as a
                    logarithm
    mean    [B, 6]  normalised RGB of its box and of the middle of that
    known   [B]     bool, False where the mark does not tell
    """

    likely: Tensor
    mean: Tensor
    known: Tensor

    def take(self, rows: Tensor | slice) -> "MarkColours":
        """Return those of some rows."""
        return MarkColours(self.likely[rows], self.mean[rows], self.known[rows])


@dataclass(frozen=True, slots=True)
class VisualTokens:
    """Marked objects, encoded; may be kept and given again with other images of the same object.

    template  [B, T, C]  tokens of the crop around each object, for early fusion
    points    one [B, P, C] per sampled pyramid level, read by the queries in the decoder
    valid     [B, P]     bool, False on padding of `points`
    colours   of the objects, where the network has `mark_places`
    """

    template: Tensor
    points: tuple[Tensor, ...]
    valid: Tensor
    colours: MarkColours | None = None


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """One prompt per image row: text, and either fresh marks or remembered ones, or neither.

    near  [B, 4]  where remembered objects were last, xyxy in 0..1 of the padded image; read by
                  networks to which it counts where a mark is (`ObjectDecoderConfig.mark_places`)

    With `frames` above one the rows are the frames of clips, `frames` in turn of each, and
    `regions` holds one mark per clip, made on its first frame and meant for all of them.
    """

    text: TextTokens
    regions: Regions | None = None
    remembered: VisualTokens | None = None
    frames: int = 1
    near: Tensor | None = None

    @property
    def num_rows(self) -> int:
        """The number of rows B, 1 if there are only names, which serve any number of images."""
        if self.regions is not None:
            return len(self.regions.brightened) * self.frames
        if self.remembered is not None:
            return len(self.remembered.valid)
        return len(self.text.classes)


@dataclass(frozen=True, slots=True)
class ExtraQueries:
    """Queries from outside that the decoder refines beside those that it selects itself.

    They read the selected queries, the prompt and the image. No selected query reads them, so
    that what is found does not depend on them.

    content     [B, P, C]
    box_logits  [B, P, 4]  cxcywh of the padded image, before the sigmoid
    readable    [P, P]     bool, True where the query of the row reads that of the column
    """

    content: Tensor
    box_logits: Tensor
    readable: Tensor


@dataclass(frozen=True, slots=True)
class ObjectOutputs:
    """One set of predictions of Q queries.

    logits        [B, Q, K]  similarity to each name, before the sigmoid
    confidence    [B, Q]     logit of being the marked object
    boxes_cxcywh  [B, Q, 4]  0..1 of the padded image
    kernels       [B, Q, C]  a mask is `kernels . mask_features + kernel_bias`; with ellipses four
                             more numbers, see mask_maps.py
    kernel_bias   [B, Q]
    embeddings    [B, Q, C]  appearance used to link frames
    """

    logits: Tensor
    confidence: Tensor
    boxes_cxcywh: Tensor
    kernels: Tensor
    kernel_bias: Tensor
    embeddings: Tensor

    def split(self, count: int) -> tuple["ObjectOutputs", "ObjectOutputs"]:
        """Return the predictions of the first `count` queries, and those of the others."""
        return self._map(lambda value: value[:, :count]), self._map(lambda value: value[:, count:])

    def float(self) -> "ObjectOutputs":
        """Return the same in float32."""
        return self._map(lambda value: value.float())

    def _map(self, change: Callable[[Tensor], Tensor]) -> "ObjectOutputs":
        return ObjectOutputs(*(change(getattr(self, field.name)) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class CellQueries:
    """All cells as the queries that they would become; for losses.

    content     [B, S, C]  coarsest level first
    box_logits  [S, 4]     their prior boxes, cxcywh before the sigmoid; infinite if invalid
    valid       [S]        bool, whether a cell may become a query
    """

    content: Tensor
    box_logits: Tensor
    valid: Tensor


@dataclass(frozen=True, slots=True)
class MaskGuide:
    """What masks follow besides their features; see mask_colours.py.

    pixels  [B, 3, H, W]  normalised, of the network's input
    given   [B]           bool, True where the box of the object was marked on this very image;
                          None if nowhere
    """

    pixels: Tensor
    given: Tensor | None = None


@dataclass(frozen=True, slots=True)
class GleeOutputs:
    """What one forward pass computes.

    final          predictions of the last decoder layer
    mask_features  [B, C, h, w] at the finest resolution, shared by all queries; h and w are 0 if
                   no masks were wanted
    visual         the tokens of the marked objects, if any were
    auxiliary      predictions of the initial queries and of all layers but the last; for losses
    proposals      predictions of the chosen cells; for losses
    extra          predictions of the extra queries: of the last layer, after those of the initial
                   queries and the other layers if these are asked for; empty without any
    cells          all cells, if all layers are asked for; for losses
    guide          what masks follow besides their features, where the network has `box_masks` and
                   not all layers are asked for
    """

    final: ObjectOutputs
    mask_features: Tensor
    visual: VisualTokens | None = None
    auxiliary: tuple[ObjectOutputs, ...] = ()
    proposals: ObjectOutputs | None = None
    extra: tuple[ObjectOutputs, ...] = ()
    cells: CellQueries | None = None
    guide: MaskGuide | None = None
