"""Requests that travel with a model, for TensorFlow Serving to send it before any client does.

See https://www.tensorflow.org/tfx/serving/saved_model_warmup.
"""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

WARMUP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
"""Where TensorFlow Serving looks for them; Pusher copies it with the rest of the model."""


class Request(NamedTuple):
    """One request.

    Attributes:
        signature: Name of the signature it is for.
        inputs: Strings `[batch]` by the input's name.
    """

    signature: str
    inputs: Mapping[str, Sequence[bytes | str]]


def write_warmup(model_dir: str, requests: Sequence[Request]) -> None:
    """Puts the requests into the SavedModel folder `model_dir`, local or remote, as TFRecords of PredictionLogs."""
    file = os.path.join(model_dir, WARMUP_FILE)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.TFRecordWriter(file) as writer:
        for request in requests:
            writer.write(_log_of(request).SerializeToString())


def _log_of(request: Request) -> prediction_log_pb2.PredictionLog:
    predict = predict_pb2.PredictRequest()
    # The server knows which model it warms up.
    predict.model_spec.signature_name = request.signature
    for name, values in request.inputs.items():
        predict.inputs[name].CopyFrom(tf.make_tensor_proto(values, tf.string))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=predict))
