"""Generated scenes: a dataset of drawn shapes and sentences that needs no files, for tests and first training runs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from restr.data.sample import Sample
from restr.errors import DataError
from restr.fields import seed_of
from restr.grammar import generate
from restr.grammar.drawn.meanings import opposite, plain_targets
from restr.grammar.drawn.sentences import plain_references, plain_words, swap_side_words
from restr.grammar.drawn.shapes import draw_scene
from restr.grammar.meaning.description import Reference
from restr.grammar.scene import Scene

if TYPE_CHECKING:
    from restr.text.vocabulary import Vocabulary

Grammar = Literal["plain", "everyday"]
UNSEEN_SEED = 1_000_003  # from here on seeds are for evaluation; training uses smaller ones


class GeneratedScenes:
    """``scenes`` drawn scenes with ``per_scene`` sentences each; the same arguments always give the same pixels.

    Sample ``i`` belongs to scene ``i // per_scene``; sentences of one scene often differ in one word ("left circle",
    "right circle"). Different seeds give different scenes: train on one, test on another.

    grammar: "plain" has about 70 words, so that a tiny model need not learn synonyms and typos; "everyday" is the
    grammar of the photographs, typos included, on the same scenes.
    """

    def __init__(
        self,
        scenes: int,
        seed: int = 0,
        *,
        size: int = 64,
        per_scene: int = 4,
        most: int = 6,
        grammar: Grammar = "plain",
    ) -> None:
        if scenes < 1 or per_scene < 1 or most < 2 or size < 32:
            raise DataError(
                f"scenes {scenes}, per_scene {per_scene}, most {most}, size {size}: "
                "expected at least 1 scene, 1 sentence per scene, 2 shapes and 32 pixels"
            )
        if grammar not in ("plain", "everyday"):
            raise DataError(f"grammar is {grammar!r}; choose 'plain' or 'everyday'")
        self.scenes, self.seed, self.size, self.per_scene, self.most = scenes, seed_of(seed), size, per_scene, most
        self.grammar = grammar
        self._scene_and_references = lru_cache(maxsize=512)(self._draw)

    def __len__(self) -> int:
        return self.scenes * self.per_scene

    def scene(self, index: int) -> Scene:
        """The index-th scene (not sample), with its instances."""
        return self._scene_and_references(self._checked(index, self.scenes))[0]

    def references(self, index: int) -> list[Reference]:
        """The sentences of the index-th scene with their meanings."""
        return self._scene_and_references(self._checked(index, self.scenes))[1]

    def __getitem__(self, index: int) -> Sample:
        scene, references = self._scene_and_references(self._checked(index, len(self)) // self.per_scene)
        return self._sample(scene, references[index % self.per_scene], f"{scene.id}/{index % self.per_scene}")

    def swapped(self, index: int) -> Sample | None:
        """Sample ``index`` with left and right (or above and below) exchanged in its sentence, and the mask of the new
        one.

        No other word changes. None if the sentence names no side, or if the new sentence is ambiguous or has the same
        mask. For the plain grammar only: its words have one opposite each.
        """
        if self.grammar != "plain":
            raise DataError(f"swapped() needs grammar 'plain', this dataset has {self.grammar!r}")
        scene, references = self._scene_and_references(self._checked(index, len(self)) // self.per_scene)
        reference = references[index % self.per_scene]
        turned = opposite(reference.description)
        targets = plain_targets(turned, scene) if turned else None
        if turned is None or targets is None or targets == reference.targets:
            return None
        other = Reference(
            text=swap_side_words(reference.text), description=turned, targets=targets, kind=reference.kind
        )
        return self._sample(scene, other, f"{scene.id}/{index % self.per_scene}-swapped")

    def _draw(self, index: int) -> tuple[Scene, list[Reference]]:
        rng = np.random.default_rng([self.seed, index])
        while True:  # nothing sets apart two equal shapes at the same height: draw another scene
            scene = draw_scene(rng, id=f"generated-{self.seed}-{index}", size=self.size, most=self.most)
            if self.grammar == "plain":
                references = plain_references(scene, rng, self.per_scene)
            else:
                references = generate.references(scene, rng, self.per_scene)
                references = [references[i % len(references)] for i in range(self.per_scene if references else 0)]
            if references:
                return scene, references

    @staticmethod
    def _sample(scene: Scene, reference: Reference, id: str) -> Sample:
        mask = np.any([scene.instances[target].mask for target in reference.targets], axis=0)
        return Sample(id=id, image=scene.image, text=reference.text, mask=mask, kind=reference.kind, image_id=scene.id)

    @staticmethod
    def _checked(index: int, length: int) -> int:
        if not 0 <= index < length:
            raise IndexError(f"index {index} is outside 0..{length - 1}")
        return index


def vocabulary(grammar: Grammar = "plain") -> Vocabulary:
    """The words of the generated sentences, as the tokenizer splits them ("leftmost" -> left most).

    These are all words of plain sentences. Everyday sentences also have typos, which the vocabulary corrects itself.
    """
    from restr.grammar.words.lexicon import all_words
    from restr.text.tokenizer import Tokenizer
    from restr.text.vocabulary import Vocabulary

    words = sorted({*plain_words(), *(all_words() if grammar == "everyday" else ())})
    tokenizer = Tokenizer(Vocabulary(words))
    return Vocabulary(sorted({part for word in words for part in tokenizer.words(word)}))
