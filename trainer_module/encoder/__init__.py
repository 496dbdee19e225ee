"""The Hub encoder rebuilt in Keras, one layer per block, each variable trainable or not as the plan says."""

from trainer_module.encoder.bert_encoder import BertEncoder
from trainer_module.encoder.rebuild import Rebuilt, rebuild

__all__ = ["BertEncoder", "Rebuilt", "rebuild"]
