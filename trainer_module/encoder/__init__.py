"""The Hub encoder as a Keras layer, each variable trainable or not as the plan says."""

from trainer_module.encoder.bert_encoder import BertEncoder
from trainer_module.encoder.encoder import Encoder
from trainer_module.encoder.hub_layer_encoder import HubLayerEncoder
from trainer_module.encoder.make_encoder import MadeEncoder, make_encoder
from trainer_module.encoder.rebuild import CannotRebuild, Rebuilt, rebuild

__all__ = [
    "BertEncoder",
    "CannotRebuild",
    "Encoder",
    "HubLayerEncoder",
    "MadeEncoder",
    "Rebuilt",
    "make_encoder",
    "rebuild",
]
