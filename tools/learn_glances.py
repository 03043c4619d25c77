"""Teach nano's second look what named things look like, and to choose the one that is described.

    python tools/learn_glances.py MODEL.safetensors STORE... --classes DEFINITIONS --out FILE

STORE is what tools/glance_store.py stored, DEFINITIONS the list of tools/imagenet_names.py with
--definitions. Everything else of the network stays as it is.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm, trange

from glance_store import Record, read_store
from glee.config import GlanceConfig, PairConfig
from glee.data.corpus.words import HELD_OUT_WORDS
from glee.data.transforms import swap_sides
from glee.model.build import build_glee
from glee.model.glances import PARTS, Glances, Glimpses
from glee.model.glee import GLEE
from glee.model.text.build import build_tokenizer
from glee.model.text.clip import encode_texts
from glee.model.weights import load_model, save_model
from glee.prompts.text import clean_expression

RATE, WARMUP, DECAY, CLIP = 1e-3, 0.1, 0.05, 1.0
BATCH, NAMED_BATCH = 64, 192
NAMING, SHARPNESS, SMOOTHING = 0.5, 15.0, 0.1
"""Weight of the loss of names, by what their cosines are multiplied, and how sure it may get."""

RIGHT, LEAST_OVERLAP = 0.5, 0.3
"""Overlap of a box with the object from which on it is right, and from which on it is wanted."""

NAMED_OVERLAP = 0.6
"""Overlap from which on a box shows its object, and may teach its name."""

LEAST_PICTURES = 5
"""In which a name must be seen to count as learned."""

CHECKED = 10
"""Of so many described pictures one is kept for checking."""

CHECK_EVERY = 500

START_NAMING = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """All boxes that were looked at, U of them, and what of them was found for descriptions.

    boxes     [U, 4]
    seen      [U, E]  half
    color     [U, P]
    labels    [U]     which of `names` it shows, -1 if none
    looks     [V, G]  the boxes of a description, best first; those behind the last repeat the first
    real      [V, G]  bool, False for these
    before    [V, G]  what the network said of them
    overlaps  [V, G]  with the object that is meant
    texts     [V]     what says so, one of them at a time
    names     rising
    """

    boxes: Tensor
    seen: Tensor
    color: Tensor
    labels: Tensor
    looks: Tensor
    real: Tensor
    before: Tensor
    overlaps: Tensor
    texts: list[list[str]]
    names: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def found(self) -> Tensor:
        """Return the descriptions [V'] for which a right box was found."""
        return (self.overlaps.amax(dim=1) > RIGHT).nonzero().flatten()


class Texts:
    """Texts as the network reads them, each encoded once."""

    def __init__(self, model: GLEE) -> None:
        self.model, self.tokenizer = model, build_tokenizer(model.config.text)
        self._tokens: dict[str, Tensor] = {}

    @torch.no_grad()
    def hidden(self, texts: Sequence[str]) -> Tensor:
        """Return the mean hidden states [N, E] of the text encoder."""
        encoded = encode_texts(self.model.text_encoder, self.tokenizer, texts)
        return torch.stack([own.mean(0) for own in encoded])

    @torch.no_grad()
    def tokens(self, texts: Sequence[str]) -> list[Tensor]:
        """Return the projected tokens [T, C] of each text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        if new:
            encoded = encode_texts(self.model.text_encoder, self.tokenizer, new)
            for text, own in zip(new, encoded, strict=True):
                self._tokens[text] = self.model.text_projection(own).half()
        return [self._tokens[text].float() for text in texts]


def join_records(records: Iterable[Record], count: int) -> Boxes:
    """Return what is stored of pictures, of each description the best `count` boxes."""
    boxes, seen, color, shown = [], [], [], list[str]()
    views, texts, first = [], [], 0
    for record in records:
        boxes.append(record["boxes"])
        seen.append(record["seen"])
        color.append(record["color"])
        shown += shown_names(record)
        for view in record["views"]:
            looks = view["looks"][:count]
            pad = (0, count - len(looks))
            views.append(
                (
                    torch.cat([looks, looks[:1].expand(pad[1])]) + first,
                    torch.arange(count) < len(looks),
                    F.pad(view["before"][:count].float(), pad),
                    F.pad(record["overlaps"][looks, view["target"]].float(), pad),
                )
            )
            texts.append(view["texts"])
        first += len(record["boxes"])
    if not texts:
        raise ValueError("the store must hold described pictures")
    names = sorted(set(shown) - {""})
    place = {name: number for number, name in enumerate(names)} | {"": -1}
    looks, real, before, overlaps = (torch.stack(parts) for parts in zip(*views, strict=True))
    return Boxes(
        boxes=torch.cat(boxes),
        seen=torch.cat(seen),
        color=torch.cat(color),
        labels=torch.tensor([place[name] for name in shown]),
        looks=looks,
        real=real,
        before=before,
        overlaps=overlaps,
        texts=texts,
        names=names,
    )


def shown_names(record: Record) -> list[str]:
    """Return what each box of a picture shows, "" if that is not clear or has no name."""
    overlap, nearest = record["overlaps"].float().max(dim=1)
    return [
        record["names"][row] if best > NAMED_OVERLAP else ""
        for best, row in zip(overlap.tolist(), nearest.tolist(), strict=True)
    ]


def described_loss(glances: Glances, boxes: Boxes, views: Tensor, texts: Texts) -> Tensor:
    """Return the cross-entropy of the boxes of descriptions [N], of which half are mirrored.

    Boxes are wanted by as much as they overlap the object beyond the least.
    """
    said = [_any(boxes.texts[view]) for view in views.tolist()]
    fits = read_views(
        glances, boxes, views, said, texts, mirrored=torch.randint(2, views.shape).bool()
    )
    wanted = (boxes.overlaps[views] - LEAST_OVERLAP).clamp(min=0)
    wanted = wanted / wanted.sum(dim=1, keepdim=True)
    return -(wanted * fits.log_softmax(dim=1)).sum(dim=1).mean()


def read_views(
    glances: Glances,
    boxes: Boxes,
    views: Tensor,
    said: Sequence[str],
    texts: Texts,
    *,
    mirrored: Tensor,
) -> Tensor:
    """Return how well each box of descriptions [N] fits a text, [N, G].

    mirrored  [N] bool, whether left and right change places
    """
    said = [swap_sides(t) if m else t for t, m in zip(said, mirrored.tolist(), strict=True)]
    said = [clean_expression(text) for text in said]
    pad = nn.utils.rnn.pad_sequence
    tokens = texts.tokens(said)
    guides = pad(tokens, batch_first=True)
    valid = pad([torch.ones(len(t), dtype=torch.bool) for t in tokens], batch_first=True)
    looks = boxes.looks[views]
    places, color = boxes.boxes[looks], boxes.color[looks]
    across = torch.where(mirrored[:, None], 1 - places[..., 0], places[..., 0])
    places = torch.cat([across[..., None], places[..., 1:]], dim=-1)
    flipped = color.unflatten(-1, (PARTS, PARTS, -1)).flip(3).flatten(2)
    color = torch.where(mirrored[:, None, None], flipped, color)
    rows, real = torch.zeros_like(looks), boxes.real[views]
    glimpses = Glimpses(rows, real, places, boxes.seen[looks].float(), color)
    return glances(glimpses, boxes.before[views], guides, valid)


def named_loss(glances: Glances, seen: Tensor, named: Tensor, names: Tensor) -> Tensor:
    """Return the cross-entropy of names.

    seen   [N, E]  what was seen of objects
    named  [N]     which of the names they have
    names  [K, C]  all names
    """
    alike = glances.similarity(glances.seen(seen.float())[None], names[None])[0]
    return F.cross_entropy(alike * SHARPNESS, named, label_smoothing=SMOOTHING)


@torch.no_grad()
def share_right(glances: Glances, boxes: Boxes, texts: Texts) -> float:
    """Return for which share of the descriptions the best box is right, each by its first text."""
    glances.eval()
    hits = 0
    for views in torch.arange(len(boxes)).split(BATCH):
        said = [boxes.texts[view][0] for view in views.tolist()]
        plain = torch.zeros(len(views), dtype=torch.bool)
        fits = read_views(glances, boxes, views, said, texts, mirrored=plain)
        chosen = boxes.overlaps[views].gather(1, fits.argmax(dim=1, keepdim=True))
        hits += int((chosen > RIGHT).sum())
    glances.train()
    return hits / len(boxes)


def learn(
    model: GLEE, taught: Boxes, checked: Boxes | None, *, steps: int, texts: Texts
) -> Glances:
    """Return what has learned from boxes; prints now and then how well it chooses among others."""
    assert model.config.glances is not None
    assert isinstance(model.config.backbone, PairConfig)
    glances = Glances(model.config.glances, model.config.backbone.concepts, model.config.width)
    nn.init.constant_(glances.naming, START_NAMING)
    found, named = taught.found(), (taught.labels >= 0).nonzero().flatten()
    if not len(found) or not len(named):
        raise ValueError("the store must hold boxes that are right, some of objects with names")
    names = torch.stack([own.mean(0) for own in texts.tokens(taught.names)])
    optimizer = torch.optim.AdamW(glances.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=WARMUP)
    for step in (bar := trange(steps, unit="step")):
        views = found[torch.randint(len(found), (BATCH,))]
        rows = named[torch.randint(len(named), (NAMED_BATCH,))]
        loss = described_loss(glances, taught, views, texts)
        loss = loss + NAMING * named_loss(glances, taught.seen[rows], taught.labels[rows], names)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(glances.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if checked is not None and ((step + 1) % CHECK_EVERY == 0 or step == steps - 1):
            right = share_right(glances, checked, texts)
            bar.write(f"step {step + 1}: right for {right:.3f} of {len(checked)} kept descriptions")
    return glances.eval()


def learned_names(records: Iterable[Record]) -> list[str]:
    """Return the names that are seen in enough pictures to count as learned, rising."""
    seen = Counter[str]()
    for record in records:
        seen.update(set(shown_names(record)))
    return sorted(name for name, count in seen.items() if name and count >= LEAST_PICTURES)


def _any(texts: Sequence[str]) -> str:
    return texts[int(torch.randint(len(texts), ()))]


def embed_definitions(lines: Sequence[str], texts: Texts) -> Tensor:
    """Return the hidden states [N, E] of the classes' definitions, zero for those held out.

    Raises ValueError if there are not as many as the classifier has classes.
    """
    backbone = texts.model.config.backbone
    assert isinstance(backbone, PairConfig)
    if len(lines) != (count := backbone.concepts.num_classes):
        raise ValueError(
            f"there must be a definition for each of {count} classes, got {len(lines)}"
        )
    kept = [not any(word in line.lower() for word in HELD_OUT_WORDS) for line in lines]
    return texts.hidden(lines) * torch.tensor(kept)[:, None]


def main() -> None:
    """Read the command line, teach, and write the network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="weight file of nano")
    parser.add_argument("store", type=Path, nargs="+", help="folders of glance_store.py")
    parser.add_argument("--classes", type=Path, required=True, help="definitions, a line each")
    parser.add_argument("--out", type=Path, required=True, help="weight file to write")
    parser.add_argument("--steps", type=int, default=3500)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = load_model(options.model)
    records = list(tqdm(read_store(options.store), unit="picture"))
    kept = records[::CHECKED]
    del records[::CHECKED]
    lines = options.classes.read_text(encoding="utf-8").splitlines()
    words = learned_names(records)
    size = GlanceConfig(num_names=len(words))
    config = replace(model.config, glances=size)
    model.drop_glances()
    taught, texts = build_glee(config), Texts(model)
    taught.load_state_dict(taught.state_dict() | model.state_dict())
    checked, others = (join_records(some, size.count) for some in (kept, records))
    del records
    glances = learn(taught, others, checked, steps=options.steps, texts=texts)
    glances.learned.copy_(texts.hidden(words))
    glances.defined.copy_(embed_definitions(lines, texts))
    taught.glances = glances
    save_model(
        options.out, taught, origin=f"{options.model.name}, glances of {options.steps} steps"
    )
    print(options.out)


if __name__ == "__main__":
    main()
