"""Learning without forgetting: fine-tuning keeps the model's answers to ordinary sentences.

A model that is trained only on glorps soon takes everything for a glorp. So every second batch asks about ordinary
things ("left man", "the red car") in the same pictures. Its target is the model's own answer from before the training,
right or wrong (Li and Hoiem, Learning without Forgetting, ECCV 2016). No old photographs are needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from restr.data.batch import Batch, Batches
from restr.grammar.meaning.description import Description
from restr.grammar.wording.verbalise import verbalise
from restr.grammar.words.adjectives import COLOUR_WORDS
from restr.grammar.words.lexicon import NOUNS
from restr.model.restr import ReSTR
from restr.model.vision import PatchFeatures
from restr.text.tokenizer import Tokenizer
from restr.training.cached.features import FeatureStore

EACH = 12  # sentences a picture
_MOST = 100  # pictures to ask about; more would only delay the start of the training
PEOPLE, PLACED, COLOURED = 0.25, 0.4, 0.25  # shares of the sentences
_SIDES = ("left", "right", "top", "bottom", "middle")


class Alternating:
    """Batches alternately of ``new`` and ``old``; with ``TrainConfig(accumulate=2)`` each step has one of each."""

    def __init__(self, new: Batches, old: Batches) -> None:
        self.both = (new, old)

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return self.both[step % 2].batch(step // 2)


class Rehearsal:
    """Batches of ordinary sentences about cached pictures, with the masks that ``model`` finds at construction.

    The masks are probabilities, so the model's doubts are kept, too. names: the pictures' keys in ``store``. batch, per_image:
    sentences per batch and per picture.
    """

    def __init__(
        self,
        model: ReSTR,
        tokenizer: Tokenizer,
        store: FeatureStore,
        names: Sequence[str],
        *,
        batch: int,
        per_image: int = 2,
        seed: int = 0,
    ) -> None:
        self.tokenizer, self.store, self.seed = tokenizer, store, seed
        self.images, self.per_image = max(batch // per_image, 1), per_image
        rng = np.random.default_rng((seed, 2))
        self.names = [names[int(i)] for i in rng.permutation(len(names))[:_MOST]]
        self.texts = {name: ordinary_sentences(rng, EACH) for name in self.names}
        self.masks = {name: self._answers(model, name) for name in self.names}
        self.alike: dict[tuple[int, int], list[str]] = defaultdict(list)
        for name in self.names:
            self.alike[store.entries[name].grid].append(name)

    def batch(self, step: int) -> Batch:
        """The batch of a step: pictures of one grid; a grid is drawn in proportion to its pictures."""
        rng = np.random.default_rng((self.seed, 3, step))
        first = self.names[rng.integers(len(self.names))]
        names = self.alike[self.store.entries[first].grid]
        features, texts, masks = [], [], []
        for number in rng.choice(len(names), self.images, replace=len(names) < self.images):
            name = names[number]
            features.append(self._features(name))
            for i in rng.choice(EACH, self.per_image, replace=False):
                texts.append(self.texts[name][i])
                masks.append(torch.from_numpy(self.masks[name][i]).float() / 255)
        ids = self.tokenizer(texts)
        return Batch(
            ids=torch.from_numpy(ids),
            mask=torch.stack(masks)[:, None],
            patches=torch.cat([each.patches for each in features]).repeat_interleave(self.per_image, 0),
            grid=features[0].grid,
        )

    def _features(self, name: str) -> PatchFeatures:
        return PatchFeatures(torch.from_numpy(self.store[name].copy())[None], self.store.entries[name].grid)

    @torch.no_grad()
    def _answers(self, model: ReSTR, name: str) -> np.ndarray:
        """The model's masks for the picture's sentences, uint8 (EACH H W), 255 = probability 1."""
        device = next(model.parameters()).device
        ids = torch.from_numpy(self.tokenizer(self.texts[name])).to(device)
        patches, grid = self._features(name)
        image = model.eval().project(PatchFeatures(patches.float().to(device), grid))
        logits = model.segment(image, ids).logits[:, 0]
        return (logits.sigmoid() * 255).round().byte().cpu().numpy()


def ordinary_sentences(rng: np.random.Generator, count: int) -> list[str]:
    """Sentences about people and things, some with a side or a colour, whether or not the picture shows them."""
    found = []
    for _ in range(count):
        category = "person" if rng.random() < PEOPLE else str(rng.choice(list(NOUNS)))
        side = _SIDES[rng.integers(len(_SIDES))] if rng.random() < PLACED else None
        coloured = category != "person" and rng.random() < COLOURED
        colour = str(rng.choice(list(COLOUR_WORDS))) if coloured else None
        found.append(verbalise(Description(category=category, side=side, colour=colour), rng))  # type: ignore[arg-type]
    return found
