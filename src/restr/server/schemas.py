"""The documents of requests and answers. Their docstrings and descriptions are part of the OpenAPI description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic.config import JsonDict

from restr.inference.forms import ANSWER_FORMS, OUTPUT_FORMS, PICTURE_ANSWERS
from restr.server.problems import Problem

if TYPE_CHECKING:
    Format = Picture = str
else:  # the names in the table of forms
    Format, Picture = Literal[ANSWER_FORMS], Literal[PICTURE_ANSWERS]
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class RequestDocument(BaseModel):
    """A request's document; a member that it does not know is an error, not a surprise."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


ONE_OF_BOTH: JsonDict = {"anyOf": [{"required": ["texts"]}, {"required": ["text"]}]}


class Question(RequestDocument):
    """What to find in an image, and in which forms the answer is wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            **ONE_OF_BOTH,
            "examples": [{"texts": ["the left dog", "the red ball"], "formats": ["rle", "mask"]}],
        }
    )

    texts: list[Text] | None = Field(None, min_length=1, description="Expressions; an answer each, in this order.")
    text: Text | None = Field(None, description="A single expression, instead of texts.")
    threshold: float | None = Field(
        None,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="Least probability of the mask's pixels (default: the model's).",
    )
    presence: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Least probability that the image shows what is meant, below which the mask is empty; 0 always gives the "
        "best guess (default: the model's).",
    )
    formats: list[Format] = Field(["rle"], max_length=12, description="Forms of each mask; pictures are base64 PNG.")
    words: bool = Field(False, description="Also tell how much each word counted, where the model can.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.texts is None):
            raise ValueError("give either text or texts")
        return self

    def expressions(self) -> tuple[str, ...]:
        """The texts, however they were given."""
        return (self.text,) if self.text is not None else tuple(self.texts or ())


class ImageDocument(RequestDocument):
    """A document that brings its image, or says where it is."""

    image: str | None = Field(None, description="The image's file (JPEG, PNG, WebP, GIF, BMP) in base64.")
    image_url: str | None = Field(
        None, max_length=2000, description="Its public web address, instead of image; for servers with --fetch."
    )

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        if (self.image is None) == (self.image_url is None):
            raise ValueError("give either image or image_url")
        return self


ONE_IMAGE: JsonDict = {"oneOf": [{"required": ["image"]}, {"required": ["image_url"]}]}


class ImageFields(RequestDocument):
    """What comes beside an image to keep."""

    model: str | None = Field(None, max_length=100, description="The model's name (default: the first of /v1/models).")


class ImageUpload(ImageDocument, ImageFields):
    """An image to keep."""

    model_config = ConfigDict(json_schema_extra={**ONE_IMAGE, "examples": [{"image": "iVBORw0KGgo..."}]})


class SegmentFields(Question):
    """A question that comes with its image."""

    model: str | None = Field(None, max_length=100, description="The model's name (default: the first of /v1/models).")


class SegmentUpload(ImageDocument, SegmentFields):
    """An image and what to find in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [ONE_IMAGE, ONE_OF_BOTH],
            "examples": [{"image": "iVBORw0KGgo...", "text": "the left dog", "threshold": 0.5}],
        }
    )


class KeptImage(BaseModel):
    """An image that was encoded and is kept."""

    id: str = Field(description="For /v1/images/{id}/segment; a secret, as whoever knows it can ask about the image.")
    width: int
    """Pixels."""

    height: int
    """Pixels."""

    model: str
    """The name of the model that encoded it."""


class ImageInfo(BaseModel):
    """The image that was asked about."""

    id: str | None = Field(description="Null for an image that is not kept.")

    width: int
    """Pixels."""

    height: int
    """Pixels."""


class Words(BaseModel):
    """How much the model's class seed listened to each word."""

    words: list[str]
    """As the model read them."""

    seed: list[float]
    """The attention of the class seed to each word."""


class _FoundNumbers(BaseModel):
    """What is said of one expression, whatever forms were asked for."""

    text: str
    found: bool = Field(description="Whether there is a mask: it is not empty.")
    presence: float | None = Field(
        description="Probability that the image shows what is meant at all; null from a model that does not say."
    )
    score: float = Field(description="Probability that the mask is right; 0 for an empty one.")
    box: list[int] | None = Field(description="x0, y0, x1, y1, the last two exclusive; null for an empty mask.")
    area: int = Field(description="Pixels in the mask.")


_FORM_FIELDS: dict[str, Any] = {
    name: (OUTPUT_FORMS[name].type | None, Field(None, description=OUTPUT_FORMS[name].help)) for name in ANSWER_FORMS
}
_FoundForms = create_model("_FoundForms", __base__=_FoundNumbers, **_FORM_FIELDS)


class Found(_FoundForms):
    """What one expression names. The forms that were not asked for are left out."""

    words: Words | None = Field(None, description="Null where the model cannot tell.")


class Timings(BaseModel):
    """Milliseconds."""

    queue_ms: float
    """Waiting for the model."""

    encode_ms: float
    """Encoding the image; 0 if it had been encoded before."""

    segment_ms: float
    """Computing the masks."""


class Answer(BaseModel):
    """What was found."""

    model: str
    """The name of the model that answered."""

    image: ImageInfo
    """The image that was asked about."""

    results: list[Found]
    """One per expression, in their order."""

    timings: Timings
    """Where the time went."""


class Scoring(BaseModel):
    """A score is sigmoid(bias + certainty * logit of the mean probability in the mask + presence * logit of the presence)."""

    bias: float
    """The constant term."""

    certainty: float
    """The weight of the mask's mean probability."""

    presence: float
    """The weight of the presence."""


class Models(BaseModel):
    """The models that are served, the default first."""

    class ModelInfo(BaseModel):
        """A model that is served."""

        name: str
        """As requests give it."""

        default: bool
        """Whether it answers requests that name no model."""

        backend: str
        """The runtime, such as "torch" or "onnx"."""

        precision: str
        """Such as "fp32" or "int8"."""

        device: str
        """Where it computes."""

        max_words: int
        """Words that it reads of an expression."""

        threshold: float
        """Least probability of a mask's pixels, unless a request gives its own."""

        presence: float | None = Field(
            description="Least presence at which something is meant; null of a model that does not say."
        )
        scoring: Scoring = Field(description="How its scores are made, for other thresholds than the one asked for.")
        words: bool = Field(description="Whether it can tell how much each word counted.")

    models: list[ModelInfo]


class ProblemDocument(BaseModel):
    """RFC 9457: what went wrong."""

    model_config = ConfigDict(extra="allow")

    type: str
    """``PREFIX`` and the problem's name."""

    title: str
    """The problem in general."""

    status: int
    """HTTP's."""

    detail: str
    """This very problem, for people."""


def invalid(error: ValidationError, where: str = "the body") -> Problem:
    """The problem for a document that does not fit; what the client sent is not repeated."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    if errors[0]["type"] == "json_invalid":
        return Problem("malformed-body", f"{where} is not JSON: {errors[0]['msg'].removeprefix('Invalid JSON: ')}")
    found = [
        {"field": ".".join(str(each)[:60] for each in one["loc"]), "message": one["msg"].removeprefix("Value error, ")}
        for one in errors[:10]
    ]
    first = f"{found[0]['field']}: " if found[0]["field"] else ""
    return Problem("invalid-request", f"{where} does not fit: {first}{found[0]['message']}", errors=found)
