"""Train the presence head alone: on sentences about photographs that show what is meant, and on as many that do not.

    python recipes/restr_small/presence.py --data runs/packed --model runs/small/model --out runs/presence

The rest of the model stays as it is, so what it makes of a photograph and a sentence is computed once and kept (``OUT/inputs``,
a file for every 100 photographs); the same command resumes. Beside the photographs' own sentences the head sees plain names
of categories that a photograph shows, plain names of others, and sentences borrowed from photographs of other things. OUT/model
is the model folder with the new head. The held-out photographs judge it.
"""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from draw import Draw
from measure import separation, whole
from packed import Data, read_data
from rich.progress import track
from torch import Tensor
from views import view_photos

from restr.errors import ConfigError, DataError
from restr.files import atomic_path, write_atomically
from restr.inference.locate import describe_model
from restr.model.device import keep_freed_memory
from restr.model.presence import PresenceHead
from restr.model.restr import ReSTR
from restr.model.weights import load_pretrained, save_pretrained
from restr.text.tokenizer import Tokenizer

QUESTIONS = ("everyday", "absent", "generated", "borrowed", "another kind's name", "a kind's name")
EVERYDAY, NEAR_MISS, OF_GRAMMAR, BORROWED, NAME_OF_OTHER, NAME = range(6)
EACH = ((EVERYDAY, 3), (NEAR_MISS, 2), (OF_GRAMMAR, 3), (BORROWED, 2), (NAME_OF_OTHER, 2), (NAME, 1))  # per photograph
THERE = (EVERYDAY, OF_GRAMMAR, NAME)
POOLS = {EVERYDAY: "everyday", NEAR_MISS: "absent", OF_GRAMMAR: "generated"}  # of Draw
FORMS = ("{}", "the {}", "a {}", "any {}", "{}s", "the {}s", "find the {}", "the {} on the left", "the {} on the right")
HELD_OUT_KEPT = 0.03  # the table's threshold: so many of the held-out everyday sentences lose their mask
PART = 100  # photographs per file
BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Presence:
    """What to train the head on, and how long."""

    model: Path
    """A model folder with a presence head."""

    data: Path = Path("runs/packed")
    """Folder of pack.py, packed for this model (``--model``)."""

    out: Path = Path("runs/presence")

    photographs: int = 6000
    """At most so many to learn from."""

    steps: int = 16_000
    lr: float = 1.5e-3
    dropout: float = 0.5

    kept: float = 0.975
    """The share of held-out everyday sentences about something there that keeps its mask at the model's own threshold, 0.5."""

    everyday: float = 2.0
    """How much likelier a sample of the written sentences is than another."""

    seed: int = 0


class Inputs(NamedTuple):
    """What the head reads (n 2D), and of each sample its kind (n), a number of ``QUESTIONS``."""

    read: Tensor
    kind: Tensor

    @property
    def there(self) -> Tensor:
        """float (n): 1 where the photograph shows what is meant."""
        return torch.isin(self.kind, torch.tensor(THERE)).float()


def main(settings: Presence) -> None:
    """Raises ``ConfigError`` for a model without a presence head, ``DataError`` if nothing is there to learn from."""
    model, vocabulary = load_pretrained(settings.model)
    if not isinstance(model.presence, PresenceHead):
        raise ConfigError(f'{settings.model} has no presence head; its config needs presence.kind = "region"')
    data = read_data(settings.data, "cpu", 2)
    keep_freed_memory()
    gather = Gather(model, Tokenizer.of(vocabulary, model.config), data, settings)
    gather.check()
    rows = np.random.default_rng(settings.seed).permutation(np.flatnonzero(data.there & ~data.table.val))
    learn = gather(rows[: settings.photographs], "train")
    judge = gather(np.flatnonzero(data.there & data.table.val), "val")
    print(report("before", model.presence, judge))
    head = fit(model.presence, learn, settings)
    print(report("after", head, judge))
    shift(head, judge, settings.kept)
    model.presence = head
    save_pretrained(model, vocabulary, settings.out / "model", int8=True)
    print(settings.out / "model")


class Gather:
    """Asks a model about photographs and keeps what its presence head reads."""

    def __init__(self, model: ReSTR, tokenizer: Tokenizer, data: Data, settings: Presence) -> None:
        self.model, self.tokenizer, self.data, self.settings = model, tokenizer, data, settings
        self.draw = Draw(data, 1, 1, (settings.seed,), (16, 16))
        self.folder = settings.out / "inputs"

    def check(self) -> None:
        """Raises ``ConfigError`` if the files of an earlier run are of another model, data set or seed."""
        path = self.folder / "facts.json"
        facts = {
            "model": describe_model(self.settings.model).hash,
            "sentences": len(self.data.table.photo),
            "photographs": int(self.data.there.sum()),
            "seed": self.settings.seed,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and (known := json.loads(path.read_text(encoding="utf-8"))) != facts:
            raise ConfigError(f"{self.folder} is of a run with {known}, not {facts}; name another --out or delete it")
        write_atomically(path, json.dumps(facts))

    def __call__(self, photographs: np.ndarray, name: str) -> Inputs:
        """Of all these photographs; files of an earlier run are read."""
        found = []
        starts = range(0, len(photographs), PART)
        for start in track(starts, description=f"{name}: inputs of {len(photographs)} photographs"):
            path = self.folder / f"{name}-{start // PART:04d}.npz"
            if not path.exists():
                self._write(photographs[start : start + PART], (self.settings.seed, start, name == "val"), path)
            with np.load(path) as part:
                found.append((part["read"], part["kind"]))
        if not found:
            raise DataError(f"{self.settings.data} has no photograph for {name}; pack more of them")
        read, kind = (np.concatenate(column) for column in zip(*found, strict=True))
        return Inputs(torch.from_numpy(read).float(), torch.from_numpy(kind))

    def _write(self, photographs: np.ndarray, seed: tuple[int, ...], path: Path) -> None:
        self.draw.rng = np.random.default_rng(seed)
        read, kinds = [], []
        for photo in photographs.tolist():
            ids, kind = self._sentences(photo)
            if len(kind):
                read.append(self._read(photo, ids))
                kinds.append(kind)
        with atomic_path(path) as partial, open(partial, "wb") as file:
            np.savez(file, read=np.concatenate(read).astype(np.float16), kind=np.concatenate(kinds))

    def _sentences(self, photo: int) -> tuple[np.ndarray, np.ndarray]:
        """Words (k l) and kinds (k) of what this photograph is asked."""
        rng, table, pools = self.draw.rng, self.data.table, self.draw.pools[photo]
        ids: list[np.ndarray] = []
        kinds: list[int] = []
        for kind, count in EACH:
            if kind in (NAME, NAME_OF_OTHER):
                names = table.category[self._categories(photo, shown=kind == NAME)]
                some = rng.choice(names, min(count, len(names)), replace=False)
                words = [self._words(rng.choice(FORMS).format(name)) for name in some]
            elif kind == BORROWED:
                lent = [self.draw.borrow(photo) for _ in range(count)]
                words = [table.ids[row] for row in lent if row is not None]
            else:
                pool = pools.get((POOLS[kind], True), np.array([], int))
                words = list(table.ids[rng.choice(pool, min(count, len(pool)), replace=False)])
            ids += words
            kinds += [kind] * len(words)
        return np.array(ids).astype(np.int64), np.array(kinds, np.uint8)

    def _categories(self, photo: int, *, shown: bool) -> np.ndarray:
        """Categories that this photograph shows, or of those that borrowing knows, ones that it does not."""
        shows = self.data.table.shows[photo]
        if shown:
            own = self.data.table.named[(self.data.table.photo == photo) & (self.data.table.named >= 0)]
            return np.unique(own)
        return np.flatnonzero(self.draw.known & ~shows) if self.draw.borrows[photo] else np.array([], int)

    def _words(self, text: str) -> np.ndarray:
        row = np.zeros(self.data.table.ids.shape[1], np.int64)
        found = self.tokenizer([text])[0][: len(row)]
        row[: len(found)] = found
        return row

    @torch.no_grad()
    def _read(self, photo: int, ids: np.ndarray) -> np.ndarray:
        seen: list[Tensor] = []
        assert isinstance(self.model.presence, PresenceHead)
        hook = self.model.presence.norm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        view = whole(self.model, self.data, photo, np.array([], int))
        image = view_photos(view, self.data, self.model.config.preprocess, torch.float32)
        try:
            with torch.autocast("cpu", torch.bfloat16):
                self.model.segment(self.model.encode_image(image), torch.from_numpy(ids))
        finally:
            hook.remove()
        return seen[0][:, 0].float().numpy()


def fit(head: PresenceHead, learn: Inputs, settings: Presence) -> PresenceHead:
    """A copy of the head, trained: AdamW, half a cosine, dropout before and after the hidden layer."""
    torch.manual_seed(settings.seed)
    head = copy.deepcopy(head).requires_grad_()
    weight = torch.where(learn.kind <= NEAR_MISS, settings.everyday, 1.0)
    optimiser = torch.optim.AdamW(head.parameters(), lr=settings.lr, weight_decay=0)
    there = learn.there

    def drop(_: object, given: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (F.dropout(given[0], settings.dropout),)

    hooks = [layer.register_forward_pre_hook(drop) for layer in (head.fc1, head.fc2)]
    for step in track(range(settings.steps), description="the head"):
        for group in optimiser.param_groups:
            group["lr"] = settings.lr * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        some = torch.multinomial(weight, BATCH, replacement=True)
        loss = F.binary_cross_entropy_with_logits(head.answer(learn.read[some]), there[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for hook in hooks:
        hook.remove()
    return head.eval().requires_grad_(requires_grad=False)


@torch.no_grad()
def shift(head: PresenceHead, judge: Inputs, kept: float) -> None:
    """Move the head's answers so that this share of the everyday sentences is above 0."""
    answer = head.answer(judge.read[judge.kind == EVERYDAY])
    head.fc2.bias.sub_(answer.quantile(1 - kept))


@torch.no_grad()
def report(name: str, head: PresenceHead, judge: Inputs) -> str:
    """AUC and N-acc (T-acc 95%) of the written sentences, and how many of each kind get a mask at one threshold for all."""
    answer, kind = head.answer(judge.read).numpy(), judge.kind.numpy()
    written = separation(answer[kind == EVERYDAY], answer[kind == NEAR_MISS])
    threshold = np.quantile(answer[kind == EVERYDAY], HELD_OUT_KEPT)
    shares = [
        f"{QUESTIONS[k]} {(answer[kind == k] >= threshold).mean():.1%}"
        for k in range(len(QUESTIONS))
        if (kind == k).any()
    ]
    return f"{name}: AUC {written['auc']:.3f}, N-acc {written['n_acc']:.1%}; a mask for {', '.join(shares)}"


if __name__ == "__main__":
    main(tyro.cli(Presence, description=__doc__))
