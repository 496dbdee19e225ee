"""The typed form of `custom_config["bert"]`, the one contract between a pipeline and this package."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_rules import FreezeRule, parse_rules
from trainer_module.hub.hub_source import DEFAULT_HOSTS, problem_with_host
from trainer_module.validation import describe_validation_error, parse, refused_values

ColumnName = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class ColumnSettings(_Strict):
    """Which columns of a row the model reads.

    Attributes:
        text: One column, or two for sentence pairs.
        label: The column to predict.
    """

    text: list[ColumnName] = Field(min_length=1, max_length=2)
    label: ColumnName


class ModelSettings(_Strict):
    """The Hub encoder, what of it is frozen, and what is put on top.

    Attributes:
        hub: A TF-Hub handle, or the folder (local or gs://) of a SavedModel.
        hub_digest: `sha256:…` of the SavedModel's content; another content is refused.
        freeze: Ordered rules; a later rule overrides an earlier one. See `freeze_rules`.
        max_tokens: Word pieces per example, special tokens included.
        task: `classification` (integer or string labels) or `regression` (a number).
        pooling: What the head reads: the Hub's `pooled_output`, the first token's state (`cls`),
            or the mean of the tokens' states (`mean`; for sentence encoders whose pooler was never trained).
        preprocess: A Hub preprocessing SavedModel that tokenizes instead of the encoder's own vocabulary.
        vocab: A vocabulary file (one piece a line), for an encoder that brings none.
        lower_case: Whether `vocab` is uncased; default: what the encoder says of itself.
        dropout: Rate before the head, and inside the blocks that train.
        allow_unsafe_ops: Load the model although its program holds operations that reach beyond its own weights.
        hub_hosts: Where remote models may come from: hosts such as `tfhub.dev` (exactly these, by https), and
            `http://host`, `s3://` or `s3://bucket`. Local folders are always allowed.
    """

    hub: Annotated[str, Field(min_length=1)]
    hub_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    freeze: list[FreezeRule] = []
    max_tokens: Annotated[int, Field(ge=5, le=65536)] = 128
    task: Literal["classification", "regression"] = "classification"
    pooling: Literal["pooled", "cls", "mean"] = "pooled"
    preprocess: str | None = None
    vocab: str | None = None
    lower_case: bool | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    allow_unsafe_ops: bool = False
    hub_hosts: list[str] = list(DEFAULT_HOSTS)

    @field_validator("freeze", mode="before")
    @classmethod
    def _read_rules(cls, value: Any) -> list[FreezeRule]:
        return parse_rules(value)

    @field_validator("hub_hosts")
    @classmethod
    def _check_hosts(cls, hosts: list[str]) -> list[str]:
        problems = [problem for host in hosts if (problem := problem_with_host(host))]
        if problems:
            raise ValueError("\n".join(problems))
        return hosts


class TrainSettings(_Strict):
    """How long and how fast to train.

    Attributes:
        start_from: `live`: what trains, and the head, begin with the values of the live model, where there is one (see
            `docs/warm_start.md`); `hub`: with those of the Hub model and a fresh head.
        epochs: Passes over the training rows.
        steps: Batches to train on instead of `epochs`; stops in the middle of an epoch if need be.
        batch_size: Examples per step, of all devices together.
        learning_rate: Peak of the schedule: linear warm-up, then linear decay to zero.
        warmup_fraction: Share of all steps that warms up.
        weight_decay: Decoupled (AdamW, Loshchilov & Hutter 2019); not on biases and layer norms.
        layerwise_lr_decay: Each block's learning rate is this times that of the block above it; the top block's is
            this times the head's (Clark et al. 2020, ELECTRA). Multiplies with the rules' `lr`.
        clip_norm: Largest global norm of the gradient; 0 turns clipping off.
        early_stopping_patience: Epochs without a better eval loss before stopping; none: never.
        tokens_per_batch: Where given, batches are as long as fits this many tokens, padding included, instead of
            `batch_size` examples; long texts then come in smaller batches.
        compute_dtype: Of the encoder's matrix products and activations. Weights, layer norms, softmax and loss are
            float32 either way. `bfloat16` pays where the processor computes in it (AVX512-BF16, AMX, GPUs, TPUs);
            `float16`, with a loss scale that follows the gradients, is for GPUs that have no bfloat16 (V100, T4).
        distribution: `none` (one device), `mirrored` (all GPUs of this machine), `multi_worker` (all workers that
            `TF_CONFIG` names, with all of their GPUs), or `auto`, which chooses by what there is.
        prefix_cache: Where the frozen prefix's outputs stay between epochs: `memory`, `disk`, `off` (computed anew),
            or `auto`, which chooses by their size.
        prefix_cache_mb: Up to this many MiB, `auto` keeps them in memory, beyond on disk.
        prefix_cache_dir: A folder in which they are kept for later runs, which encode only rows never seen before.
        checkpoint_dir: A folder, local or remote, from which a training that was killed goes on; of one pipeline.
        checkpoint_steps: So often it is written down within an epoch, beside each epoch's end. Default: every ten
            minutes, and never so often that it slows training down.
        seed: Of weight initialisation, shuffling and dropout.
    """

    start_from: Literal["hub", "live"] = "hub"
    epochs: Annotated[int, Field(ge=1)] = 3
    steps: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5e-5
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    layerwise_lr_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    clip_norm: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    early_stopping_patience: Annotated[int, Field(ge=1)] | None = None
    tokens_per_batch: Annotated[int, Field(ge=1)] | None = None
    compute_dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    distribution: Literal["auto", "none", "mirrored", "multi_worker"] = "auto"
    prefix_cache: Literal["auto", "memory", "disk", "off"] = "auto"
    prefix_cache_mb: Annotated[int, Field(ge=1)] = 2048
    prefix_cache_dir: Annotated[str, Field(min_length=1)] | None = None
    checkpoint_dir: Annotated[str, Field(min_length=1)] | None = None
    checkpoint_steps: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


class BertSettings(ColumnSettings, ModelSettings, TrainSettings):
    """All of `custom_config["bert"]`.

    Attributes:
        freeze_plan: File of the plan that was made before the run (FreezePlanner's); where it is given, the Trainer
            refuses to train by another plan or from another content of the Hub model.

    Example:
        >>> settings = BertSettings.from_custom_config({"bert": {
        ...     "hub": "models/bert", "freeze": [{"freeze": "encoder[:3]"}],
        ...     "text": ["sentence"], "label": "label"}})
        >>> settings.max_tokens
        128
    """

    freeze_plan: str | None = None

    @classmethod
    def from_custom_config(cls, custom_config: Mapping[str, Any] | None) -> "BertSettings":
        """Reads the settings out of what TFX hands to `run_fn` and `preprocessing_fn`.

        Args:
            custom_config: TFX's and Vertex' own keys beside ours, which is `bert`: a dict, or
                its JSON text, so that it can be a runtime parameter.

        Raises:
            UserError: Names every problem by its path, with what was given and what is allowed.
        """
        if not custom_config or "bert" not in custom_config:
            raise UserError('custom_config: has no "bert" key; put Permafrost\'s settings there')
        given = custom_config["bert"]
        if isinstance(given, str):
            try:
                given = parse(json.loads, given)
            except ValueError as error:
                raise UserError(f'bert: is not valid JSON: {error}; write an object such as {{"hub": …}}') from None
        if problems := list(refused_values(given, ("bert",))):
            raise UserError(problems)
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise UserError(describe_validation_error(error, cls, prefix="bert")) from None

    def to_custom_config(self) -> dict[str, Any]:
        """The dict to give to the Trainer as `custom_config`."""
        return {"bert": self.model_dump(mode="json", exclude_unset=True)}

    def to_transform_config(self) -> dict[str, Any]:
        """The dict to give to Transform: only what changes its output.

        Thus a new learning rate or other freeze rules leave Transform's cached result valid.
        """
        kept = {
            "hub",
            "hub_digest",
            "hub_hosts",
            "allow_unsafe_ops",
            "preprocess",
            "vocab",
            "lower_case",
            "text",
            "label",
            "max_tokens",
            "task",
        }
        return {"bert": self.model_dump(mode="json", exclude_unset=True, include=kept)}
