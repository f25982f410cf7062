"""Models on the Hugging Face hub, as the same folder of config, safetensors and vocabulary.

Needs huggingface_hub (extra ``hub``). Nothing that is downloaded is executed: no pickle, no code of the repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from restr.errors import WeightsError
from restr.model.folder import CONFIG, VOCABULARY, WEIGHTS
from restr.model.restr import ReSTR
from restr.model.weights import load_pretrained, save_pretrained
from restr.text.vocabulary import Vocabulary

try:
    from huggingface_hub import ModelHubMixin, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
except ImportError as error:
    raise WeightsError("huggingface_hub is not installed; run: pip install 'restr[hub]'") from error

_TAGS = ["image-segmentation", "referring-image-segmentation", "restr"]


def fetch_folder(model_id: str, **options: Any) -> Path:
    """The local copy of a hub repository's model folder; ``options`` go to ``snapshot_download`` (revision, token, ...).

    Raises ``WeightsError`` if it cannot be fetched. Without a network, an earlier download is used.
    """
    try:
        return Path(snapshot_download(model_id, allow_patterns=[CONFIG, WEIGHTS, VOCABULARY], **options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsError(
            f"{model_id!r} cannot be fetched from the hub ({error}); check the name (user/model) and the network"
        ) from error


class HubModel(ModelHubMixin, library_name="restr", pipeline_tag="image-segmentation", tags=_TAGS):
    """A model and its vocabulary with the hub's ``save_pretrained``, ``push_to_hub`` and ``from_pretrained``.

    ``HubModel(model, vocabulary).push_to_hub("me/my-restr")`` uploads; ``Segmenter.from_pretrained("hf:me/my-restr")``
    and ``restr predict --model hf:me/my-restr`` use what was uploaded.
    """

    def __init__(self, model: ReSTR, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model, vocabulary

    def _save_pretrained(self, save_directory: Path) -> None:
        save_pretrained(self.model, self.vocabulary, save_directory)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> HubModel:  # type: ignore[override]
        """From a folder or a repository of the hub. Raises ``WeightsError``."""
        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            folder = fetch_folder(str(pretrained_model_name_or_path), **options)
        return cls(*load_pretrained(folder))
