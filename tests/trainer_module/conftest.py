"""Encoder layouts as Hub models have them, without the models; and, made once, what several tests look at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trainer_module.hub.layout import EMBEDDINGS, ENCODER, POOLER, EncoderLayout, HubVariable, block_name

if TYPE_CHECKING:  # the tests of layouts, rules and settings need no TensorFlow
    import tensorflow_transform as tft

    from trainer_module.encoder import BertEncoder
    from trainer_module.freezing.freeze_plan import FreezePlan
    from trainer_module.hub.hub_model import HubModel
    from trainer_module.settings import BertSettings
    from trainer_module.training.classifier import BertClassifier
    from trainer_module.training.rows import Rows

HIDDEN, HEADS, WORDS, POSITIONS = 8, 2, 30, 16


class Records(logging.Handler):
    """Collects what a logger says: `with Records(name) as records`."""

    def __init__(self, logger: str) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._logger = logging.getLogger(logger)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __enter__(self) -> list[logging.LogRecord]:
        self._before = self._logger.level
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        return self.records

    def __exit__(self, *error: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._before)


@pytest.fixture(scope="session")
def bert_4() -> EncoderLayout:
    """A BERT of 4 blocks, named like the Hub's current encoders."""
    return _bert(blocks=4)


@pytest.fixture(scope="session")
def bert_12() -> EncoderLayout:
    """A BERT of 12 blocks, so that `layer_1` and `layer_10` both exist."""
    return _bert(blocks=12)


@pytest.fixture(scope="session")
def albert() -> EncoderLayout:
    """An ALBERT: all layers share one block, whose name has no number."""
    variables = (*_embeddings(), *_block("transformer", ENCODER), *_pooler())
    return replace(_layout("albert", blocks=0, shared_blocks=True, variables=variables), layers=6)


@pytest.fixture(scope="session")
def unnumbered() -> EncoderLayout:
    """An encoder with several blocks that can't be told apart by their names."""
    variables = (*_embeddings(), *_block("transformer_scaffold", ENCODER))
    return _layout("talking_heads", blocks=0, shared_blocks=False, variables=variables)


def _bert(blocks: int) -> EncoderLayout:
    stack = [
        variable for index in range(blocks) for variable in _block(f"transformer/layer_{index}", block_name(index))
    ]
    variables = (*_embeddings(), *stack, *_pooler())
    return _layout("bert", blocks=blocks, shared_blocks=False, variables=variables)


def _layout(family: str, blocks: int, shared_blocks: bool, variables: tuple[HubVariable, ...]) -> EncoderLayout:
    return EncoderLayout(family, blocks, HIDDEN, HEADS, POSITIONS, shared_blocks, variables)


def _embeddings() -> tuple[HubVariable, ...]:
    return (
        HubVariable("word_embeddings/embeddings", (WORDS, HIDDEN), EMBEDDINGS, "word/embeddings"),
        HubVariable("position_embedding/embeddings", (POSITIONS, HIDDEN), EMBEDDINGS, "position/embeddings"),
        HubVariable("type_embeddings/embeddings", (2, HIDDEN), EMBEDDINGS, "type/embeddings"),
        HubVariable("embeddings/layer_norm/gamma", (HIDDEN,), EMBEDDINGS, "layer_norm/gamma"),
        HubVariable("embeddings/layer_norm/beta", (HIDDEN,), EMBEDDINGS, "layer_norm/beta"),
    )


def _block(prefix: str, block: str) -> tuple[HubVariable, ...]:
    heads = (HEADS, HIDDEN // HEADS)
    kernels = {
        "self_attention/query": ((HIDDEN,), heads),
        "self_attention/key": ((HIDDEN,), heads),
        "self_attention/value": ((HIDDEN,), heads),
        "self_attention/attention_output": (heads, (HIDDEN,)),
        "intermediate": ((HIDDEN,), (4 * HIDDEN,)),
        "output": ((4 * HIDDEN,), (HIDDEN,)),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (before, after) in kernels.items():
        shapes[f"{layer}/kernel"] = (*before, *after)
        shapes[f"{layer}/bias"] = after
    for layer in ("self_attention_layer_norm", "output_layer_norm"):
        shapes[f"{layer}/gamma"] = shapes[f"{layer}/beta"] = (HIDDEN,)
    assert sum(map(prod, shapes.values())) == 12 * HIDDEN**2 + 13 * HIDDEN
    return tuple(HubVariable(f"{prefix}/{role}", shape, block, role) for role, shape in shapes.items())


def _pooler() -> tuple[HubVariable, ...]:
    return (
        HubVariable("pooler_transform/kernel", (HIDDEN, HIDDEN), POOLER, "kernel"),
        HubVariable("pooler_transform/bias", (HIDDEN,), POOLER, "bias"),
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_hub: Path) -> HubModel:
    return _loaded_once(tiny_hub)


@pytest.fixture(scope="session")
def one_block_model(tiny_model: HubModel, tmp_path_factory: pytest.TempPathFactory) -> HubModel:
    """`tiny_hub`'s lowest block, for tests that save it or load it and don't ask how many there are."""
    return _lower_blocks(tiny_model, 1, tmp_path_factory.mktemp("one_block"))


@pytest.fixture(scope="session")
def two_block_model(tiny_model: HubModel, tmp_path_factory: pytest.TempPathFactory) -> HubModel:
    """`tiny_hub`'s two lower blocks, for tests that train: how long it takes to trace depends on the blocks."""
    return _lower_blocks(tiny_model, 2, tmp_path_factory.mktemp("two_blocks"))


def _lower_blocks(model: HubModel, count: int, folder: Path) -> HubModel:
    from trainer_module.hub.variable_names import read_layout
    from trainer_module.hugging_face.hub_export import save_hub_encoder

    upper = [block_name(index) for index in range(count, model.layout.blocks)]
    shapes = [(each.name, each.shape) for each in model.layout.variables if each.block not in upper]
    save_hub_encoder(
        folder,
        read_layout(shapes, folder.name),
        {name: model.weights[name] for name, _ in shapes},
        activation="gelu_tanh",
        epsilon=1e-12,
        vocab_path=Path(model.vocab_path or ""),
        lower_case=True,
    )
    return _loaded_once(folder)


@pytest.fixture(scope="session")
def loaded_once(hub_model: Callable[[str], Path]) -> Callable[[str], HubModel]:
    """Gives a Hub encoder by its name, whose program is loaded once for all tests; it must not be trained."""
    return cache(lambda name: _loaded_once(hub_model(name)))


def _loaded_once(path: Path) -> HubModel:
    from trainer_module.hub.hub_model import HubModel

    class LoadedOnce(HubModel):
        @cached_property
        def program(self) -> Any:
            return super().load()

        def load(self) -> Any:
            return self.program

    return LoadedOnce(str(path))


@dataclass(frozen=True)
class Planned:
    """An encoder with a freeze plan."""

    plan: FreezePlan
    encoder: BertEncoder


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: HubModel) -> Callable[..., Planned]:
    """Makes an encoder of `tiny_hub`'s weights, as `rebuild` does but without the probe."""

    def make(*rules: dict[str, str], pooling: str = "pooled", dropout: float = 0.1) -> Planned:
        from trainer_module.encoder import BertEncoder
        from trainer_module.encoder.hub_weights import HubWeights
        from trainer_module.freezing.planning import plan_freeze
        from trainer_module.settings import ModelSettings

        settings = ModelSettings.model_validate(
            {"hub": tiny_model.handle, "freeze": list(rules), "pooling": pooling, "max_tokens": 16}
        )
        plan = plan_freeze(settings, tiny_model)
        weights = HubWeights(tiny_model.layout, tiny_model.weights, plan.is_trainable)
        return Planned(plan, BertEncoder(tiny_model.layout, weights, activation="gelu_tanh", dropout=dropout))

    return make


@dataclass(frozen=True)
class Transformed:
    """What Transform made of some rows.

    Attributes:
        settings: That it was given.
        rows: As they come out, in order.
        output: With the graph.
        records: A file such as Transform writes.
    """

    settings: BertSettings
    rows: list[dict[str, Any]]
    output: tft.TFTransformOutput
    records: Path

    @property
    def tokens(self) -> Rows:
        from trainer_module.training.rows import read_rows

        return read_rows([str(self.records)], self.output)


REVIEWS = [
    (f"{article} {thing} is {degree}{verdict}", "positive" if verdict in ("good", "great") else "negative")
    for article in ("the", "A")
    for thing in ("film", "story", "end", "x1!")
    for degree in ("", "very ")
    for verdict in ("good", "great", "bad", "awful")
]


@pytest.fixture(scope="session")
def reviews(tiny_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """64 rows of one text column, dense, and string labels, sparse; half of the rows of each class."""
    import tensorflow as tf

    columns = {
        "sentence": tf.constant([[text] for text, _ in REVIEWS]),
        "label": tf.sparse.from_dense([[label] for _, label in REVIEWS]),
    }
    spec = {"sentence": tf.io.FixedLenFeature([1], tf.string), "label": tf.io.VarLenFeature(tf.string)}
    bert: dict[str, Any] = {"hub": str(tiny_hub), "text": ["sentence"], "label": "label", "max_tokens": 16}
    return _transform(columns, spec, bert, tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def scored_pairs(tiny_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Two rows of two sparse text columns and a number to predict."""
    import tensorflow as tf

    columns = {
        "#1 String": tf.sparse.from_dense([["good film"], ["a a a a a a a a"]]),
        "#2 String": tf.sparse.from_dense([["bad"], ["the story is not good"]]),
        "score": tf.constant([0.5, -2.0]),
    }
    spec = {
        "#1 String": tf.io.VarLenFeature(tf.string),
        "#2 String": tf.io.VarLenFeature(tf.string),
        "score": tf.io.FixedLenFeature([], tf.float32),
    }
    bert: dict[str, Any] = {"hub": str(tiny_hub), "text": ["#1 String", "#2 String"], "label": "score"}
    bert |= {"task": "regression", "max_tokens": 10}
    return _transform(columns, spec, bert, tmp_path_factory.mktemp("scored_pairs"))


def _transform(columns: dict[str, Any], spec: dict[str, Any], bert: dict[str, Any], folder: Path) -> Transformed:
    """Analyzes on Beam; applies the resulting graph without, which is quicker."""
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import metadata_io

    from trainer_module.settings import BertSettings
    from trainer_module.transform import preprocessing_fn

    settings = BertSettings.from_custom_config({"bert": bert})
    ragged = {
        name: tf.RaggedTensor.from_sparse(column) if isinstance(column, tf.SparseTensor) else column
        for name, column in columns.items()
    }
    count = ragged[settings.label].shape[0]
    rows = [{name: column[index].numpy().tolist() for name, column in ragged.items()} for index in range(count)]
    metadata = tft.DatasetMetadata.from_feature_spec(spec)
    with beam.Pipeline() as pipeline, tft_beam.Context(str(folder / "temp"), force_tf_compat_v1=False):
        transform_fn = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, settings.to_transform_config())
        )
        transform_fn | tft_beam.WriteTransformFn(str(folder / "output"))
    output = tft.TFTransformOutput(str(folder / "output"))
    metadata_io.write_metadata(metadata, str(folder / "output" / output.RAW_METADATA_DIR))
    made = output.transform_features_layer()(columns)
    lists = {
        name: tf.RaggedTensor.from_sparse(column) if isinstance(column, tf.SparseTensor) else column
        for name, column in made.items()
    }
    transformed = [{name: column[index].numpy() for name, column in lists.items()} for index in range(count)]
    write_records(folder / "records.gz", transformed)
    return Transformed(settings, transformed, output, folder / "records.gz")


def write_records(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Gzipped records of tf.Examples, as Transform writes them."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, value in row.items():
                values = np.atleast_1d(value)
                feature = example.features.feature[name]
                kind = feature.float_list if values.dtype == np.float32 else feature.int64_list
                kind.value.extend(values.tolist())
            writer.write(example.SerializeToString())


def rewrite(model: Path, changes: Mapping[str, Callable[[np.ndarray], np.ndarray]]) -> None:
    """Saves a SavedModel's variables again, with right checksums; `changes` by the variable's name."""
    import tensorflow as tf

    from trainer_module.hub.saved_model_reader import SavedModelReader

    prefix = str(model / "variables" / "variables")
    checkpoint = tf.train.load_checkpoint(prefix)
    values = {key: checkpoint.get_tensor(key) for key in sorted(checkpoint.get_variable_to_shape_map())}
    for variable in SavedModelReader(str(model)).variables():
        if variable.name in changes:
            values[variable.checkpoint_key] = changes[variable.name](values[variable.checkpoint_key])
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., Rows]:
    """Makes rows out of lists of token ids; without labels, row `i` has label `i`."""

    def make(*words: Sequence[int], labels: Sequence[float] | None = None, second_from: int | None = None) -> Rows:
        from trainer_module.training.rows import Rows

        ids = np.concatenate([np.asarray(each, np.int32) for each in words])
        places = np.concatenate([np.arange(len(each)) for each in words])
        types = None if second_from is None else (places >= second_from).astype(np.int8)
        offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
        kind = np.float32 if labels is not None and any(isinstance(each, float) for each in labels) else np.int64
        return Rows(ids, types, offsets, np.asarray(range(len(words)) if labels is None else labels, kind))

    return make


@dataclass(frozen=True)
class Trained:
    """`reviews` learnt: embeddings and the first block frozen, 6 epochs of 8 batches."""

    settings: BertSettings
    planned: Planned
    classifier: BertClassifier
    history: Any
    log_dir: Path


@pytest.fixture(scope="session")
def train_reviews(tiny_encoder: Callable[..., Planned], reviews: Transformed) -> Callable[[Path], Trained]:
    def run(log_dir: Path) -> Trained:
        import tf_keras as keras

        from trainer_module.training.classifier import BertClassifier
        from trainer_module.training.train import train

        freeze = [{"freeze": "embeddings"}, {"freeze": "encoder[0]"}]
        bert = reviews.settings.to_custom_config()["bert"]
        bert |= {"freeze": freeze, "epochs": 6, "batch_size": 8, "learning_rate": 3e-3}
        bert["pooling"] = "mean"
        settings = type(reviews.settings).from_custom_config({"bert": bert})
        keras.utils.set_random_seed(settings.seed)
        planned = tiny_encoder(*freeze, pooling="mean")
        classifier = BertClassifier(planned.encoder, outputs=2, pooling="mean", dropout=0.1, seed=0)
        rows = reviews.tokens
        history = train(classifier, rows, rows, settings, planned.plan, log_dir=str(log_dir))
        return Trained(settings, planned, classifier, history, log_dir)

    return run


@pytest.fixture(scope="session")
def trained_reviews(train_reviews: Callable[[Path], Trained], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_reviews(tmp_path_factory.mktemp("trained_reviews"))
