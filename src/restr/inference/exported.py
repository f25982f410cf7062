"""``ExportManifest``: an export folder's ``restr.json``, read without torch and written by ``restr.export``."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.files import hash_of_files, read_text, write_atomically
from restr.model.folder import VOCABULARY

FACTS, _FORMAT = "restr.json", 1
Target = Literal["onnx", "openvino", "torch-export", "aoti"]
Precision = Literal["fp32", "bf16", "int8"]
TARGETS: tuple[str, ...] = get_args(Target)


@dataclass(frozen=True, kw_only=True)
class ExportManifest:
    """The description of an exported model."""

    folder: Path
    """Where it is."""

    target: Target
    """The runtime that it was exported to."""

    precision: Precision
    """The number format of the matrix products."""

    config: ModelConfig
    """The model's config."""

    files: dict[str, str]
    """Graph ("image_encoder", "expression", "whole") -> file name in ``folder``."""

    size: tuple[int, int] | None = None
    """(height, width) of images; None for any multiples of the patch."""

    source: dict[str, Any] = field(default_factory=dict)
    """The model that was exported: name, hash, version of restr."""

    def path(self, graph: str) -> Path:
        """The file of a graph. Raises ``WeightsError`` if the export does not have it."""
        if graph not in self.files:
            raise WeightsError(
                f"{self.folder} holds {', '.join(self.files)}, no graph {graph!r}; export it again with --whole"
            )
        path = self.path_to_be(graph)
        if not path.is_file():
            raise WeightsError(f"{path} is missing; copy the whole export folder, or export again")
        return path

    def path_to_be(self, graph: str) -> Path:
        """The path of a graph's file, which need not exist."""
        return self.folder / self.files[graph]

    def hash(self) -> str:
        """Sixteen hexadecimal digits: a hash of graphs, weights, vocabulary and manifest."""
        graphs = {Path(name).stem for name in self.files.values()}  # OpenVINO's weights lie beside them
        found = [path for path in self.folder.iterdir() if path.name in (FACTS, VOCABULARY) or path.stem in graphs]
        return hash_of_files(sorted(found))

    def to_dict(self) -> dict[str, Any]:
        """All fields but the folder, in JSON's types; also the metadata of ONNX files."""
        language = self.config.language
        return {
            "format": _FORMAT,
            "target": self.target,
            "precision": self.precision,
            "size": self.size,
            "files": self.files,
            "inputs": {
                "image": f"float32 (b 3 H W), sides multiples of {self.config.vision.patch}, (value / 255 - mean) / std",
                "ids": f"int64 (t l), l at most {language.max_words}: line of vocab.txt from 0, plus "
                f"{language.unknown_row + 1}; {language.unknown_row} unknown, 0 none",
                "logits": "float32 (t 1 H W), the mask is where sigmoid(logits) >= preprocess.threshold",
            }
            | (
                {"presence": "float32 (t), nothing is meant where sigmoid(presence) < presence.threshold"}
                if self.config.presence.kind != "none"
                else {}
            ),
            "source": self.source,
            "config": json.loads(self.config.to_json()),
        }

    def save(self) -> None:
        """Write ``restr.json`` into the folder."""
        write_atomically(self.folder / FACTS, json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> ExportManifest:
        """The manifest in a folder. Raises ``WeightsError`` if it is missing or not one."""
        path = folder / FACTS
        try:
            values = json.loads(read_text(path))
            if values["format"] > _FORMAT:
                raise WeightsError(
                    f"{path} has format {values['format']}, restr reads {_FORMAT}; install a newer restr"
                )
            known = {each.name for each in dataclasses.fields(cls)}
            facts = {name: value for name, value in values.items() if name in known}
            if facts["target"] not in TARGETS:
                raise WeightsError(
                    f"{path} was exported to {facts['target']!r}; this restr runs {', '.join(TARGETS)}: export it again"
                )
            facts["config"] = ModelConfig.from_json(json.dumps(values["config"]))
            facts["size"] = tuple(values["size"]) if values["size"] else None
            return cls(folder=folder, **facts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{path} cannot be read ({error!r}); expected what restr export writes") from error
