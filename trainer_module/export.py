"""The SavedModel that is served: raw text in, answers out, with nothing of ours needed to load it."""

import re
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from trainer_module.audit.plan_in_model import write_plan
from trainer_module.features import LABEL, MASK, TYPE_IDS, WORD_IDS, in_class_order
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.head_in_model import record_head, write_head
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.transform_graph import Column, TransformGraph
from trainer_module.warmup import Request, write_warmup

Outputs = dict[str, tf.Tensor]

_WARMUP_BATCH = 8


class ServingModel(tf.Module):
    """The exported object. It tracks variables and Transform's graph, not Keras layers, so that plain TensorFlow
    (with tensorflow-text for the tokenizer's ops) loads it.

    Args:
        classifier: Trained.
        transform_output: The graph that turned raw columns into token ids.
        settings: Of the run.
        labels: The class names, in the classifier's order; empty for regression.
    """

    def __init__(
        self,
        classifier: BertClassifier,
        transform_output: tft.TFTransformOutput,
        settings: BertSettings,
        labels: Sequence[bytes],
    ) -> None:
        super().__init__()
        # A closure, not an attribute: TensorFlow would export every Keras layer it finds here.
        self._predict = tf.function(lambda inputs: classifier(inputs, training=False), autograph=False)
        self.model_variables = list(classifier.variables)
        self.head_record = record_head(settings, labels, classifier.head.kernel, classifier.head.bias)
        self.transform = TransformGraph(transform_output.transform_savedmodel_dir)
        self._settings = settings
        self._text_inputs = text_inputs(settings.text)
        self._labels = in_class_order(labels)
        self._columns = [labels.index(label) for label in self._labels]
        self._raw_spec = transform_output.raw_feature_spec()
        self._required = _required(transform_output.raw_metadata.schema, settings.text)

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """What `tf.saved_model.save` takes.

        - `serving_default`: serialized tf.Examples `[batch]` → `probabilities` `[batch, classes]` float32 and `label`
          `[batch]` string; for regression `prediction` `[batch]` float32. An example without one of the text features
          is an InvalidArgument error, as is usual in TensorFlow Serving, unless the schema says that rows may lack it.
        - `predict_text`: strings `[batch]` per text column (see `text_inputs`) → the same.
        - `transform_features`: serialized tf.Examples → the label as a class index, for TFMA.
        - `classes`: nothing → the class names in the order of `probabilities`.
        """
        strings = tf.TensorSpec([None], tf.string)
        signatures = {
            "serving_default": self._serve_examples.get_concrete_function(examples=strings),
            "predict_text": self._serve_text.get_concrete_function(
                **{name: tf.TensorSpec([None], tf.string, name=name) for name in self._text_inputs}
            ),
            "transform_features": self._transform_features.get_concrete_function(examples=strings),
        }
        if self._labels:
            signatures["classes"] = self._classes.get_concrete_function()
        return signatures

    def warmup_requests(self) -> list[Request]:
        """For both serving signatures a short text alone, and a batch of texts that fill the encoder.

        What a signature does for the first time, such as to fill tables and to plan its graph, no client waits for.
        """
        requests: list[Request] = []
        for lengths in ([1], [self._settings.max_tokens] * _WARMUP_BATCH):
            # A column of numbers is text to the encoder, too, but takes nothing else.
            rows = [
                {
                    column: " ".join(["a"] * length) if self._raw_spec[column].dtype == tf.string else "1"
                    for column in self._settings.text
                }
                for length in lengths
            ]
            texts = {name: [row[column] for row in rows] for name, column in self._text_inputs.items()}
            requests.append(Request("serving_default", {"examples": [self._example(row) for row in rows]}))
            requests.append(Request("predict_text", texts))
        return requests

    def _example(self, row: dict[str, str]) -> bytes:
        example = tf.train.Example()
        for column, text in row.items():
            feature, dtype = example.features.feature[column], self._raw_spec[column].dtype
            if dtype == tf.string:
                feature.bytes_list.value.append(text.encode())
            elif dtype.is_integer:
                feature.int64_list.value.append(int(text))
            else:
                feature.float_list.value.append(float(text))
        return example.SerializeToString()

    @tf.function(autograph=False)
    def _serve_examples(self, examples: tf.Tensor) -> Outputs:
        raw, rows = self._parse(examples, self._settings.text), tf.shape(examples)[0]
        for column in self._required:
            _assert_given(column, raw[column], rows)
        return self._answer(raw, rows)

    @tf.function(autograph=False)
    def _serve_text(self, **texts: tf.Tensor) -> Outputs:
        raw = {column: self._as_raw(column, texts[name]) for name, column in self._text_inputs.items()}
        return self._answer(raw, tf.shape(next(iter(texts.values())))[0])

    @tf.function(autograph=False)
    def _transform_features(self, examples: tf.Tensor) -> Outputs:
        raw = self._parse(examples, [*self._settings.text, self._settings.label])
        label = self.transform(raw, tf.shape(examples)[0])[LABEL]
        if not self._labels:
            return {LABEL: label}
        classes = tf.constant([self._columns.index(column) for column in range(len(self._columns))], label.dtype)
        return {LABEL: tf.where(label < 0, label, tf.gather(classes, tf.maximum(label, 0)))}

    @tf.function(autograph=False)
    def _classes(self) -> Outputs:
        return {"classes": tf.constant(self._labels)}

    def _parse(self, examples: tf.Tensor, columns: Sequence[str]) -> dict[str, Column]:
        return tf.io.parse_example(examples, {column: self._raw_spec[column] for column in columns})

    def _as_raw(self, column: str, values: tf.Tensor) -> Column:
        """A batch of strings in the form that Transform's graph takes for this column."""
        spec = self._raw_spec[column]
        values = values[:, tf.newaxis]
        if spec.dtype != tf.string:
            values = tf.strings.to_number(values, spec.dtype)
        return values if isinstance(spec, tf.io.FixedLenFeature) else tf.sparse.from_dense(values)

    def _answer(self, raw: dict[str, Column], rows: tf.Tensor) -> Outputs:
        transformed = self.transform(raw, rows)
        logits = self._predict(_model_inputs(transformed))
        if not self._labels:
            return {"prediction": logits[:, 0]}
        logits = tf.gather(logits, self._columns, axis=1)
        return {
            "probabilities": tf.nn.softmax(logits),
            "label": tf.gather(tf.constant(self._labels), tf.argmax(logits, axis=-1)),
        }


def _required(schema: schema_pb2.Schema, columns: Sequence[str]) -> list[str]:
    """The columns that every row has; SchemaGen gives a `presence` below 1 to those that some rows lack."""
    optional = {
        feature.name for feature in schema.feature if feature.HasField("presence") and feature.presence.min_fraction < 1
    }
    return [column for column in columns if column not in optional]


def _assert_given(column: str, values: Column, rows: tf.Tensor) -> None:
    """Lets a request with examples that lack a feature fail, in the words in which `tf.io.parse_example` does.

    `parse_example` itself refuses them only where the feature is dense.
    """
    if isinstance(values, tf.SparseTensor):
        counts = tf.math.bincount(tf.cast(values.indices[:, 0], tf.int32), minlength=rows)
        message = f"Feature: {column} (data type: {values.dtype.name}) is required but could not be found in example"
        tf.debugging.Assert(tf.reduce_all(counts > 0), [message, tf.where(tf.equal(counts, 0))[:, 0]])


def _model_inputs(transformed: dict[str, Column]) -> dict[str, tf.Tensor]:
    """Pads to the longest text of the request."""
    words = transformed[WORD_IDS]
    lengths = tf.math.bincount(
        tf.cast(words.indices[:, 0], tf.int32), minlength=tf.cast(words.dense_shape[0], tf.int32)
    )
    word_ids = _padded(words)
    type_ids = _padded(transformed[TYPE_IDS]) if TYPE_IDS in transformed else tf.zeros_like(word_ids)
    mask = tf.sequence_mask(lengths, tf.shape(word_ids)[1], tf.int32)
    return {WORD_IDS: word_ids, MASK: mask, TYPE_IDS: type_ids}


def _padded(ids: tf.SparseTensor) -> tf.Tensor:
    # A request without any texts has no longest one, but an encoder looks for a first token.
    shape = tf.stack([ids.dense_shape[0], tf.maximum(ids.dense_shape[1], 1)])
    return tf.cast(tf.sparse.to_dense(tf.SparseTensor(ids.indices, ids.values, shape)), tf.int32)


def text_inputs(columns: Sequence[str]) -> dict[str, str]:
    """The input of `predict_text` for each text column: its name, as far as TensorFlow allows it as an input's.

    Example:
        >>> text_inputs(["sentence"]), text_inputs(["#1 String", "#2 String"])
        ({'sentence': 'sentence'}, {'text_1_String': '#1 String', 'text_2_String': '#2 String'})
    """
    names: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"[^A-Za-z0-9_]+", "_", column).strip("_")
        if not name[:1].isalpha():
            name = f"text_{name}"
        names[name if name not in names else f"{name}_2"] = column
    return names


def export(model: ServingModel, path: str, plan: FreezePlan) -> None:
    """Writes the SavedModel to `path`, with the plan that it was trained by, what its head's outputs mean, and requests
    to warm it up.

    See `plan_in_model`, `head_in_model` and `warmup`.
    """
    signatures = model.signatures()
    tf.saved_model.save(model, path, signatures=signatures)
    write_plan(path, plan)
    write_head(path, model.head_record)
    write_warmup(path, model.warmup_requests())
