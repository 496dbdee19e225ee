"""What a configuration tokenizes with: a vocabulary file, or a Hub preprocessing model."""

import os
from dataclasses import dataclass

import tensorflow as tf

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.hub_source import resolve_handle
from trainer_module.hub.private_copy import private_copy
from trainer_module.hub.program_scan import scan_program
from trainer_module.hub.saved_model_reader import read_meta_graph
from trainer_module.settings import BertSettings
from trainer_module.text.vocabulary import LARGEST_FILE, Vocabulary, read_vocabulary


@dataclass(frozen=True)
class PreprocessingModel:
    """A SavedModel that tokenizes, fit to be loaded.

    Attributes:
        path: The folder of its private copy; see `private_copy`.
        handle: The original, for messages.
    """

    path: str
    handle: str


def find_tokenizer(settings: BertSettings, hub_model: HubModel | None = None) -> Vocabulary | PreprocessingModel:
    """Finds it without running anything.

    Args:
        hub_model: That of the settings, where it was read already.

    Raises:
        UserError: There is none, or it is not one, another model's, or unsafe to load.
    """
    if not settings.preprocess:
        return read_vocabulary(settings, hub_model or HubModel.from_settings(settings))
    path = resolve_handle(settings.preprocess, settings.hub_hosts, "model.preprocess")
    copied = private_copy(path, "model.preprocess").folder
    meta_graph = read_meta_graph(path, "model.preprocess", copied)
    if not settings.allow_unsafe_ops:
        scan_program(meta_graph).refuse_unsafe("model.preprocess", settings.preprocess)
    for asset in meta_graph.asset_file_def:
        file = os.path.join(copied, "assets", asset.filename)
        if not tf.io.gfile.exists(file):
            raise UserError(f"model.preprocess: {path} lacks assets/{asset.filename}; fetch the model again")
        if (length := tf.io.gfile.stat(file).length) > LARGEST_FILE:
            raise UserError(f"model.preprocess: {path} has {length:,} bytes of vocabulary in assets/{asset.filename}")
    if all(child.local_name != "tokenize" for child in meta_graph.object_graph_def.nodes[0].children):
        raise UserError(
            f"model.preprocess: {settings.preprocess} is a SavedModel but no preprocessing model: it has no `tokenize`"
            "; name the preprocessing model that belongs to the encoder"
        )
    return PreprocessingModel(copied, path)
