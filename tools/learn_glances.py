"""Teach nano's second look what named things look like, and to choose the one that is described.

    python tools/learn_glances.py MODEL.safetensors STORE... --classes DEFINITIONS --out FILE

STORE is what tools/glance_store.py stored, DEFINITIONS the list of tools/imagenet_names.py with
--definitions. Everything else of the network stays as it is. 12 minutes on one core.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import trange

from glance_store import Record, read_store
from glee.config import GlanceConfig, PairConfig
from glee.data.corpus.words import COCO_NAMES, HELD_OUT_WORDS
from glee.data.transforms import swap_sides
from glee.model.build import build_glee
from glee.model.glances import Glances, Glimpses
from glee.model.glee import GLEE
from glee.model.text.build import build_tokenizer
from glee.model.text.clip import encode_texts
from glee.model.weights import load_model, save_model

RATE, WARMUP, DECAY, CLIP = 1e-3, 0.1, 0.05, 1.0
BATCH, NAMED_BATCH = 64, 192
NAMING, SHARPNESS, SMOOTHING = 0.5, 15.0, 0.1
"""Weight of the loss of names, by what their cosines are multiplied, and how sure it may get."""

RIGHT, LEAST_OVERLAP = 0.5, 0.3
"""Overlap of a box with the object from which on it is right, and from which on it is wanted."""

CHECKED = 10
"""Of so many described pictures one is kept for checking."""

CHECK_EVERY = 500

START_NAMING = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """One text and the picture that it describes."""

    record: Record
    text: int

    @property
    def overlaps(self) -> Tensor:
        """The overlap of each box with the object [G]."""
        overlaps: Tensor = self.record["overlaps"][:, self.record["targets"][self.text]]
        return overlaps.float()


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


def described_loss(glances: Glances, phrases: Sequence[Phrase], texts: Texts) -> Tensor:
    """Return the cross-entropy of the boxes of phrases, of which half are mirrored.

    Boxes are wanted by as much as they overlap the object beyond the least.
    """
    fits, overlaps = read_phrases(glances, phrases, texts, mirror=True)
    wanted = (overlaps - LEAST_OVERLAP).clamp(min=0)
    wanted = wanted / wanted.sum(dim=1, keepdim=True)
    return -(wanted * fits.log_softmax(dim=1)).sum(dim=1).mean()


def read_phrases(
    glances: Glances, phrases: Sequence[Phrase], texts: Texts, *, mirror: bool
) -> tuple[Tensor, Tensor]:
    """Return how well each box fits [B, G], and its overlap with the object that is meant."""
    mirrored = [mirror and bool(torch.randint(2, ())) for _ in phrases]
    said = [p.record["texts"][p.text] for p in phrases]
    said = [swap_sides(text) if flip else text for text, flip in zip(said, mirrored, strict=True)]
    boxes = [p.record["boxes"].clone() for p in phrases]
    for own, flip in zip(boxes, mirrored, strict=True):
        if flip:
            own[:, 0] = 1 - own[:, 0]
    pad = nn.utils.rnn.pad_sequence
    tokens = texts.tokens(said)
    guides = pad(tokens, batch_first=True)
    valid = pad([torch.ones(len(t), dtype=torch.bool) for t in tokens], batch_first=True)
    real = pad([torch.ones(len(b), dtype=torch.bool) for b in boxes], batch_first=True)
    seen = pad([p.record["seen"].float() for p in phrases], batch_first=True)
    color = pad([p.record["color"] for p in phrases], batch_first=True)
    before = pad([p.record["before"][:, p.text].float() for p in phrases], batch_first=True)
    overlaps = pad([p.overlaps for p in phrases], batch_first=True)
    rows = torch.zeros(real.shape, dtype=torch.long)
    glimpses = Glimpses(rows, real, pad(boxes, batch_first=True), seen, color)
    return glances(glimpses, before, guides, valid), overlaps


def named_loss(glances: Glances, seen: Tensor, named: Tensor, names: Tensor) -> Tensor:
    """Return the cross-entropy of names.

    seen   [N, E]  what was seen of objects
    named  [N]     which of the names they have
    names  [K, C]  all names
    """
    alike = glances.similarity(glances.seen(seen.float())[None], names[None])[0]
    return F.cross_entropy(alike * SHARPNESS, named, label_smoothing=SMOOTHING)


@torch.no_grad()
def share_right(glances: Glances, phrases: Sequence[Phrase], texts: Texts) -> float:
    """Return for which share of the phrases the best box is right."""
    glances.eval()
    hits = 0
    for first in range(0, len(phrases), BATCH):
        fits, overlaps = read_phrases(glances, phrases[first : first + BATCH], texts, mirror=False)
        chosen = overlaps.gather(1, fits.argmax(dim=1, keepdim=True))
        hits += int((chosen > RIGHT).sum())
    glances.train()
    return hits / max(len(phrases), 1)


def learn(model: GLEE, records: Sequence[Record], *, steps: int, texts: Texts) -> Glances:
    """Return what has learned from stored boxes; prints now and then how well it chooses."""
    assert model.config.glances is not None
    assert isinstance(model.config.backbone, PairConfig)
    glances = Glances(model.config.glances, model.config.backbone.concepts, model.config.width)
    nn.init.constant_(glances.naming, START_NAMING)
    described = [record for record in records if "texts" in record]
    phrases = [
        [Phrase(record, text) for record in some for text in range(len(record["texts"]))]
        for some in (described[::CHECKED], [r for n, r in enumerate(described) if n % CHECKED])
    ]
    checked, taught = phrases[0], [phrase for phrase in phrases[1] if phrase.overlaps.max() > RIGHT]
    named = [record for record in records if "names" in record]
    if not taught or not named:
        raise ValueError(
            "the store must hold described pictures, some rightly found, and named ones"
        )
    words = names_of(records)
    place = {word: number for number, word in enumerate(words)}
    seen = torch.cat([record["seen"] for record in named])
    labels = torch.tensor([place[name] for record in named for name in record["names"]])
    names = torch.stack([own.mean(0) for own in texts.tokens(words)])
    optimizer = torch.optim.AdamW(glances.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=WARMUP)
    for step in (bar := trange(steps, unit="step")):
        some = [taught[int(n)] for n in torch.randint(len(taught), (BATCH,))]
        rows = torch.randint(len(seen), (NAMED_BATCH,))
        loss = described_loss(glances, some, texts)
        loss = loss + NAMING * named_loss(glances, seen[rows], labels[rows], names)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(glances.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if (step + 1) % CHECK_EVERY == 0 or step == steps - 1:
            right = share_right(glances, checked, texts)
            bar.write(f"step {step + 1}: right for {right:.3f} of {len(checked)} kept phrases")
    return glances.eval()


def names_of(records: Sequence[Record]) -> list[str]:
    """Return the names of the stored objects and of photos, sorted."""
    return sorted({*COCO_NAMES, *(name for record in records for name in record.get("names", ()))})


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
    records = list(read_store(options.store))
    lines = options.classes.read_text(encoding="utf-8").splitlines()
    words = names_of(records)
    config = replace(model.config, glances=GlanceConfig(num_names=len(words)))
    model.drop_glances()
    taught, texts = build_glee(config), Texts(model)
    taught.load_state_dict(taught.state_dict() | model.state_dict())
    glances = learn(taught, records, steps=options.steps, texts=texts)
    glances.learned.copy_(texts.hidden(words))
    glances.defined.copy_(embed_definitions(lines, texts))
    taught.glances = glances
    save_model(
        options.out, taught, origin=f"{options.model.name}, glances of {options.steps} steps"
    )
    print(options.out)


if __name__ == "__main__":
    main()
