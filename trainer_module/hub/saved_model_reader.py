"""Reads a SavedModel's variables and assets without loading, hence without running, its program."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import (
    meta_graph_pb2,
    saved_model_pb2,
    saved_object_graph_pb2,
    trackable_object_graph_pb2,
)

from trainer_module.errors import UserError
from trainer_module.hub.hub_interface import HubInterface, find_encoders
from trainer_module.hub.program_scan import problem_with_calls
from trainer_module.validation import parse_message

_OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
# Bounds of what an untrusted folder makes this process allocate. No honest model comes near them.
_MOST_FILES = 10_000
_LONGEST_PROGRAM = (1 << 31) - 1  # protobuf reads no longer message
_LONGEST_NAME = 1_000


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
        key: The setting that names the model, for messages.
        folder: Where the files of `path` are read, if not there; see `private_copy`.

    Raises:
        UserError: There is no SavedModel in the folder, it is damaged or of TensorFlow 1, or it holds files that
            reading would never end with.
    """
    folder, file = folder or path, os.path.join(path, "saved_model.pb")
    if not tf.io.gfile.exists(os.path.join(folder, "saved_model.pb")):
        raise UserError(
            f"{key}: {path} is not a SavedModel (it has no saved_model.pb); give a TF-Hub handle or "
            "the folder of a TF2 SavedModel, or convert a Hugging Face checkpoint with `permafrost import-hf`"
        )
    # `tf.saved_model.load` reads all of these.
    for part in ("saved_model.pb", "fingerprint.pb", *files_in(folder, ("variables", "assets", "debug"), key)):
        refuse_special_file(os.path.join(folder, part), key)
    if (length := tf.io.gfile.stat(os.path.join(folder, "saved_model.pb")).length) > _LONGEST_PROGRAM:
        raise UserError(f"{key}: {file} is damaged (it has {length:,} bytes); fetch the model again")
    saved_model = saved_model_pb2.SavedModel()
    try:
        with tf.io.gfile.GFile(os.path.join(folder, "saved_model.pb"), "rb") as stream:
            parse_message(saved_model, stream.read())
    except Exception as error:  # protobuf's DecodeError differs between its implementations
        raise UserError(f"{key}: {file} is damaged ({error}); fetch the model again") from None
    # With a second graph, TensorFlow takes it for one of TensorFlow 1 and runs other parts of it.
    if len(saved_model.meta_graphs) != 1 or not saved_model.meta_graphs[0].object_graph_def.nodes:
        raise UserError(f"{key}: {path} is not a TF2 SavedModel (a TF1 Hub module?); use the handle's TF2 version")
    meta_graph = saved_model.meta_graphs[0]
    if problem := _problem_with_objects(meta_graph) or problem_with_calls(meta_graph.graph_def.library):
        raise UserError(f"{key}: {file} is damaged ({problem}); fetch the model again")
    return meta_graph


def refuse_special_file(file: str, key: str) -> None:
    """Raises a UserError for a pipe, a device or a socket: reading one may never end.

    Args:
        file: Its path, which may lead nowhere; a remote one is always fine.
        key: The setting that names the file, for messages.
    """
    try:
        mode = os.stat(file.removeprefix("file://")).st_mode
    except (OSError, ValueError):  # whoever reads it says why it can't be read
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UserError(
            f"{key}: {file} is not a regular file but a pipe, a device or a socket; put the file itself there"
        )


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
            self._check_sizes()
            parse_message(graph, self._checkpoint.get_tensor(_OBJECT_GRAPH_KEY))
            self._checkpoint_keys = dict(_pair_checkpoint_keys(self._objects, graph))
            self._check_shapes()

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

    def _check_sizes(self) -> None:
        """Refuses a checkpoint whose index promises more than its files hold, before any value is allocated."""
        dtypes = self._checkpoint.get_variable_to_dtype_map()
        shapes = self._checkpoint.get_variable_to_shape_map()
        needed = sum(prod(shape) * _least_bytes(dtypes[name]) for name, shape in shapes.items())
        folder = os.path.join(self.folder, "variables")
        files = [name for name in tf.io.gfile.listdir(folder) if name.startswith("variables.data-")]
        stored = sum(tf.io.gfile.stat(os.path.join(folder, name)).length for name in files)
        if needed > stored:
            raise ValueError(f"its variables take {needed:,} bytes, its data files have {stored:,}")

    def _check_shapes(self) -> None:
        """Refuses variables that the checkpoint doesn't have, or has in another shape or type than the program."""
        shapes = self._checkpoint.get_variable_to_shape_map()
        dtypes = self._checkpoint.get_variable_to_dtype_map()
        for node, key in self._checkpoint_keys.items():
            variable = self._variable(node)
            if key not in shapes:
                raise ValueError(f"the checkpoint lacks {variable.name}")
            stored = list(shapes[key])
            if dtypes[key] != variable.dtype or not tf.TensorShape(stored).is_compatible_with(
                self._objects.nodes[node].variable.shape
            ):
                raise ValueError(
                    f"{variable.name} is {variable.dtype.name} {list(variable.shape)} in the program and "
                    f"{dtypes[key].name} {stored} in the checkpoint"
                )

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


def _problem_with_objects(meta_graph: meta_graph_pb2.MetaGraphDef) -> str:
    """Says which reference in the object graph leads nowhere or which name is too long; empty if all is well."""
    objects = meta_graph.object_graph_def
    count = len(objects.nodes)
    for number, node in enumerate(objects.nodes):
        references = [child.node_id for child in (*node.children, *node.dependencies)]
        references += [slot.original_variable_node_id for slot in node.slot_variables]
        references += [slot.slot_variable_node_id for slot in node.slot_variables]
        if not all(0 <= each < count for each in references):
            return f"object {number} refers to one that isn't there"
        called = [*node.function.concrete_functions, node.bare_concrete_function.concrete_function_name]
        for name in filter(None, called):
            if name not in objects.concrete_functions:
                return f"object {number} refers to a function that isn't there"
        kind = node.WhichOneof("kind")
        if kind == "asset" and not 0 <= node.asset.asset_file_def_index < len(meta_graph.asset_file_def):
            return f"object {number} refers to an asset that isn't there"
        if kind == "variable" and node.variable.dtype not in _DTYPES:
            return f"object {number} has a type that TensorFlow doesn't know"
        if len(node.variable.name) > _LONGEST_NAME:
            return f"object {number} has a name of {len(node.variable.name):,} characters"
    for name, function in objects.concrete_functions.items():
        if not all(0 <= each < count for each in function.bound_inputs):
            return f"function {name} refers to an object that isn't there"
    return ""


_DTYPES = frozenset(types_pb2.DataType.values()) - {types_pb2.DT_INVALID}


def _least_bytes(dtype: tf.DType) -> int:
    """How few bytes of a checkpoint an element takes: a string may be empty, and has its length written down."""
    return 1 if dtype == tf.string else int(dtype.size)


def files_in(path: str, folders: Sequence[str], key: str) -> list[str]:
    """The files in some folders of a SavedModel's, relative to it."""
    files: list[str] = []
    seen = 0
    for folder in folders:
        for inner, below, names in tf.io.gfile.walk(os.path.join(path, folder)):
            seen += len(below) + len(names)
            if seen > _MOST_FILES:  # a link to a folder above it has no end
                raise UserError(f"{key}: {path} has more than {_MOST_FILES:,} files; name the folder of a SavedModel")
            files += (os.path.relpath(os.path.join(inner, name), path) for name in names)
    return files


def all_finite(values: np.ndarray) -> bool:
    """Whether no number is NaN or infinite, also as the float32 that it becomes in training."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.asarray(values, np.float32)).all())
