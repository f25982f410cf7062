"""The hub gets a model folder and gives it back; the network is played by a folder here."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

from restr import Segmenter
from restr.errors import WeightsError
from restr.model import hub
from restr.model.build import build_model
from restr.model.folder import CONFIG, VOCABULARY, WEIGHTS
from restr.presets import restr_tiny
from restr.text.vocabulary import Vocabulary

WORDS = Vocabulary(["dog", "left"])


class Server:
    """What HfApi and snapshot_download do, on a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, **_: object) -> Server:  # HfApi(token=...)
        return self

    def create_repo(self, repo_id: str, **_: object) -> SimpleNamespace:
        (self.root / repo_id).mkdir(parents=True)
        return SimpleNamespace(repo_id=repo_id)

    def upload_folder(self, *, repo_id: str, folder_path: str, **_: object) -> str:
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)
        return "commit"

    def snapshot_download(self, repo_id: str, *, allow_patterns: list[str], **_: object) -> str:
        if not (self.root / repo_id).is_dir():
            raise LocalEntryNotFoundError("no network and no copy")
        copy = self.root / "cache" / repo_id
        copy.mkdir(parents=True, exist_ok=True)
        for name in allow_patterns:
            shutil.copy(self.root / repo_id / name, copy)
        return str(copy)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server(tmp_path)
    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", server)
    monkeypatch.setattr(hub, "snapshot_download", server.snapshot_download)
    return server


def test_a_model_goes_up_and_comes_down(server: Server) -> None:
    model = build_model(restr_tiny(vocab=len(WORDS)), seed=0)
    hub.HubModel(model, WORDS).push_to_hub("me/my-restr")
    assert {path.name for path in (server.root / "me/my-restr").iterdir()} >= {CONFIG, WEIGHTS, VOCABULARY, "README.md"}
    found = hub.HubModel.from_pretrained("me/my-restr")
    assert found.vocabulary.words == WORDS.words
    assert all(map(torch.equal, found.model.state_dict().values(), model.state_dict().values()))
    assert Segmenter.from_pretrained("hf:me/my-restr", device="cpu").config == model.config


def test_missing_repositories_are_reported(server: Server) -> None:
    with pytest.raises(WeightsError, match=r"'me/none' cannot be fetched .* check the name"):
        Segmenter.from_pretrained("hf:me/none")


def test_a_folder_needs_no_network(tmp_path: Path) -> None:
    model = build_model(restr_tiny(vocab=len(WORDS)), seed=0)
    hub.HubModel(model, WORDS).save_pretrained(tmp_path / "folder")
    found = hub.HubModel.from_pretrained(tmp_path / "folder")
    assert found.model.config == model.config
