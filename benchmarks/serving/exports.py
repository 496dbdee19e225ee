"""The two exports that are compared: the same weights, the same graph but for the padding."""

from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
import tf_keras as keras
from tensorflow_transform.tf_metadata import metadata_io

from benchmarks.serving.latency import Padding
from benchmarks.serving.padded_classifier import PaddedClassifier
from benchmarks.serving.review_rows import Review
from trainer_module.encoder import make_encoder
from trainer_module.export import ServingModel, export
from trainer_module.features import LABEL_VOCABULARY, MASK, TYPE_IDS, WORD_IDS
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.transform import preprocessing_fn

_ANALYZED_ROWS = 200  # only the labels are learnt from them


def make_exports(settings: BertSettings, reviews: Sequence[Review], folder: Path) -> dict[Padding, Path]:
    """Exports a Hub encoder with a head that wasn't trained, once for each padding.

    Args:
        settings: One text column.
        reviews: Of every class some among the first.
        folder: Must exist.

    Raises:
        UserError: The Hub model isn't there.
    """
    keras.utils.set_random_seed(settings.seed)
    hub_model = HubModel.from_settings(settings)
    plan = plan_freeze(settings, hub_model)
    encoder = make_encoder(hub_model, plan.is_trainable, settings.dropout).encoder
    transform_output = _analyze(settings, reviews[:_ANALYZED_ROWS], folder / "transform")
    labels = transform_output.vocabulary_by_name(LABEL_VOCABULARY)
    classifiers: dict[Padding, BertClassifier] = {
        "longest": BertClassifier(
            encoder,
            outputs=len(labels),
            pooling=settings.pooling,
            dropout=settings.dropout,
            seed=settings.seed,
        ),
        "max_tokens": PaddedClassifier(
            encoder,
            outputs=len(labels),
            pooling=settings.pooling,
            dropout=settings.dropout,
            seed=settings.seed,
            max_tokens=settings.max_tokens,
        ),
    }
    paths: dict[Padding, Path] = {}
    for padding, classifier in classifiers.items():
        # The head's variables come with the first call.
        classifier({name: tf.ones([1, 3], tf.int32) for name in (WORD_IDS, MASK, TYPE_IDS)})
        paths[padding] = folder / padding
        export(ServingModel(classifier, transform_output, settings, labels), str(paths[padding]), plan)
    return paths


def _analyze(settings: BertSettings, reviews: Sequence[Review], folder: Path) -> tft.TFTransformOutput:
    """What the component Transform puts out, of a few rows."""
    (text,) = settings.text
    rows = [{text: [review.text], settings.label: [review.label]} for review in reviews]
    # As in the pipeline's schema, whose shapes aren't inferred.
    metadata = tft.DatasetMetadata.from_feature_spec(
        {text: tf.io.VarLenFeature(tf.string), settings.label: tf.io.VarLenFeature(tf.string)}
    )
    with beam.Pipeline() as pipeline, tft_beam.Context(str(folder / "temp"), force_tf_compat_v1=False):
        analyzed = (pipeline | "Rows" >> beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, settings.to_transform_config())
        )
        _ = analyzed | tft_beam.WriteTransformFn(str(folder / "output"))
    output = tft.TFTransformOutput(str(folder / "output"))
    metadata_io.write_metadata(metadata, str(folder / "output" / output.RAW_METADATA_DIR))
    return output
