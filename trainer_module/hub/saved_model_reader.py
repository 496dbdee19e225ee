"""Reads a SavedModel's variables and assets without loading, hence without running, its program."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import (
    meta_graph_pb2,
    saved_model_pb2,
    saved_object_graph_pb2,
    trackable_object_graph_pb2,
)

from trainer_module.errors import UserError
from trainer_module.hub.hub_interface import HubInterface, find_encoders

_OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclass(frozen=True)
class SavedVariable:
    """A variable in a SavedModel: its name, shape, type, and where the checkpoint keeps its value."""

    name: str
    shape: tuple[int, ...]
    dtype: tf.DType
    checkpoint_key: str


def read_meta_graph(path: str, key: str = "model.hub", folder: str | None = None) -> meta_graph_pb2.MetaGraphDef:
    """The program of a TF2 SavedModel, as `tf.saved_model.load` would take it.

    Args:
        path: A folder, local or remote (`gs://`), with `saved_model.pb`.
        key: Of the setting that names the model, for messages.
        folder: Where the files of `path` are read, if not there; see `private_copy`.

    Raises:
        UserError: There is no SavedModel in the folder, or it is damaged or of TensorFlow 1.
    """
    file = os.path.join(path, "saved_model.pb")
    if not tf.io.gfile.exists(os.path.join(folder or path, "saved_model.pb")):
        raise UserError(
            f"{key}: {path} is not a SavedModel (it has no saved_model.pb); give a TF-Hub handle or "
            "the folder of a TF2 SavedModel, or convert a Hugging Face checkpoint with `permafrost import-hf`"
        )
    saved_model = saved_model_pb2.SavedModel()
    try:
        with tf.io.gfile.GFile(os.path.join(folder or path, "saved_model.pb"), "rb") as stream:
            saved_model.ParseFromString(stream.read())
    except Exception as error:  # protobuf's DecodeError differs between its implementations
        raise UserError(f"{key}: {file} is damaged ({error}); fetch the model again") from None
    # With a second graph, TensorFlow takes it for one of TensorFlow 1 and runs other parts of it.
    if len(saved_model.meta_graphs) != 1 or not saved_model.meta_graphs[0].object_graph_def.nodes:
        raise UserError(f"{key}: {path} is not a TF2 SavedModel (a TF1 Hub module?); use the handle's TF2 version")
    return saved_model.meta_graphs[0]


class SavedModelReader:
    """The static content of one SavedModel folder.

    Args:
        path: A folder, local or remote (`gs://`), with `saved_model.pb`.
        folder: Where its files are read, if not there; messages name `path` all the same.

    Raises:
        UserError: There is no SavedModel in the folder, or it is damaged or of TensorFlow 1.
    """

    def __init__(self, path: str, folder: str | None = None) -> None:
        self.path = path
        self.folder = folder or path
        self._objects = self._read_object_graph()
        graph = trackable_object_graph_pb2.TrackableObjectGraph()
        with self._refusing_damage():
            self._checkpoint = tf.train.load_checkpoint(os.path.join(self.folder, "variables", "variables"))
            graph.ParseFromString(self._checkpoint.get_tensor(_OBJECT_GRAPH_KEY))
        self._checkpoint_keys = dict(_pair_checkpoint_keys(self._objects, graph))

    @property
    def meta_graph(self) -> meta_graph_pb2.MetaGraphDef:
        """The program."""
        return self._meta_graph

    def encoders(self) -> list[HubInterface]:
        """The objects that are called like a BERT encoder; see `find_encoders`."""
        return find_encoders(self._objects)

    def variables(self, node: int = 0) -> list[SavedVariable]:
        """An object's own list of variables where it has one (a Hub layer's), else all that hang on it."""
        listed = self._child(node, "variables")
        if listed is not None:
            nodes = [child.node_id for child in self._objects.nodes[listed].children]
        else:
            nodes = self.below(node)
        return [self._variable(each) for each in nodes if each in self._checkpoint_keys]

    def value(self, variable: SavedVariable) -> np.ndarray:
        """The variable's value, from the checkpoint."""
        with self._refusing_damage():
            return np.asarray(self._checkpoint.get_tensor(variable.checkpoint_key))

    def variable_of(self, node: int, attribute: str) -> np.ndarray | None:
        """The value of the variable that an object holds as `attribute`, if it does."""
        held = self._child(node, attribute)
        if held is None or held not in self._checkpoint_keys:
            return None
        return self.value(self._variable(held))

    def asset_of(self, node: int, attribute: str) -> str | None:
        """The path of the asset file that an object holds as `attribute`, if it does."""
        held = self._child(node, attribute)
        if held is None or self._objects.nodes[held].WhichOneof("kind") != "asset":
            return None
        asset = self._meta_graph.asset_file_def[self._objects.nodes[held].asset.asset_file_def_index]
        return os.path.join(self.folder, "assets", asset.filename)

    def below(self, node: int) -> list[int]:
        """An object and all that hang on it, by their numbers."""
        seen = {node}
        queue = [node]
        while queue:
            for child in self._objects.nodes[queue.pop()].children:
                if child.node_id not in seen:
                    seen.add(child.node_id)
                    queue.append(child.node_id)
        return sorted(seen)

    def refusal(self, error: Exception, part: str = "") -> UserError:
        """The message for a model that can't be read.

        Args:
            error: The exception that was raised.
            part: A file or folder in the model's folder; default: all of it.
        """
        damaged = os.path.join(self.path, part) if part else self.path
        reason = str(error).replace(self.folder, self.path)
        return UserError(f"model.hub: {damaged} is damaged ({reason}); fetch the model again")

    @contextmanager
    def _refusing_damage(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # depends on what is damaged; each value has a checksum
            raise self.refusal(error, "variables") from None

    def _read_object_graph(self) -> saved_object_graph_pb2.SavedObjectGraph:
        self._meta_graph = read_meta_graph(self.path, folder=self.folder)
        if not tf.io.gfile.exists(os.path.join(self.folder, "variables", "variables.index")):
            raise UserError(f"model.hub: {self.path} is a SavedModel without variables; it is not a BERT encoder")
        return self._meta_graph.object_graph_def

    def _child(self, node: int, name: str) -> int | None:
        for child in self._objects.nodes[node].children:
            if child.local_name == name:
                return int(child.node_id)
        return None

    def _variable(self, node: int) -> SavedVariable:
        proto = self._objects.nodes[node].variable
        shape = tuple(int(dim.size) for dim in proto.shape.dim)
        return SavedVariable(
            proto.name.removesuffix(":0"), shape, tf.as_dtype(proto.dtype), self._checkpoint_keys[node]
        )


def _pair_checkpoint_keys(
    saved: saved_object_graph_pb2.SavedObjectGraph,
    checkpoint: trackable_object_graph_pb2.TrackableObjectGraph,
) -> Iterator[tuple[int, str]]:
    """Walks both object graphs along the same child names: the SavedModel names variables, the checkpoint values."""
    seen = {0}
    queue = [(0, 0)]
    while queue:
        saved_id, checkpoint_id = queue.pop()
        node = checkpoint.nodes[checkpoint_id]
        if saved.nodes[saved_id].WhichOneof("kind") == "variable":
            for attribute in node.attributes:
                if attribute.name == "VARIABLE_VALUE":
                    yield saved_id, attribute.checkpoint_key
        children = {child.local_name: child.node_id for child in node.children}
        for child in saved.nodes[saved_id].children:
            if child.local_name in children and child.node_id not in seen:
                seen.add(child.node_id)
                queue.append((child.node_id, children[child.local_name]))


def all_finite(values: np.ndarray) -> bool:
    """Whether no number is NaN or infinite, also as the float32 that it becomes in training."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.asarray(values, np.float32)).all())
