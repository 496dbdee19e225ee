"""Finds, in a SavedModel's object graph, the object that is called like a BERT encoder."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tensorflow.core.protobuf import saved_object_graph_pb2, struct_pb2

ENCODER_INPUTS = ("input_word_ids", "input_mask", "input_type_ids")
"""What a Hub encoder reads, each `[batch, seq]` int32: the order in which the first TF2 generation takes them."""

# Bounds of what an untrusted file makes this process allocate.
_LONGEST_PATH = 100
_LONGEST_INPUT = 1 << 20


@dataclass(frozen=True)
class HubInterface:
    """How an encoder inside a SavedModel is reached and called.

    Attributes:
        node: Of the object graph.
        path: Attributes from the root to the encoder; empty when the SavedModel itself is one.
        inputs: Whether it takes the three inputs as a `dict` or, as the first TF2 generation, as a `list`.
        sequence_length: The only length it takes; 0: any.
        hidden: Width of its sequence output.
        layers: How many outputs of layers it gives; 0 when it doesn't give them.
    """

    node: int
    path: tuple[str, ...]
    inputs: Literal["dict", "list"]
    sequence_length: int
    hidden: int
    layers: int


def find_encoders(objects: saved_object_graph_pb2.SavedObjectGraph) -> list[HubInterface]:
    """Every object that takes an encoder's three inputs and gives a sequence output, the outermost first.

    A published encoder is one itself. A fine-tuned Keras export holds one among its layers, and the same one again
    inside that layer; those that take texts of any length come before those that take one length only.
    """
    found = [
        interface
        for node, path in _walk(objects)
        for interface in _interfaces(objects, node, path)
        if objects.nodes[node].WhichOneof("kind") == "user_object"
    ]
    return sorted(found, key=lambda interface: interface.sequence_length > 0)  # stable


def _walk(objects: saved_object_graph_pb2.SavedObjectGraph) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each object once, by its shortest path; none of those that only a path of absurd length leads to."""
    queue: deque[tuple[int, tuple[str, ...]]] = deque([(0, ())])
    seen = {0}
    while queue:
        node, path = queue.popleft()
        yield node, path
        for child in objects.nodes[node].children if len(path) < _LONGEST_PATH else ():
            if child.node_id not in seen:
                seen.add(child.node_id)
                queue.append((child.node_id, (*path, child.local_name)))


def _interfaces(
    objects: saved_object_graph_pb2.SavedObjectGraph, node: int, path: tuple[str, ...]
) -> Iterator[HubInterface]:
    """The first way of calling an object that is an encoder's; none for most objects."""
    calls = [child.node_id for child in objects.nodes[node].children if child.local_name == "__call__"]
    for call in calls:
        for name in objects.nodes[call].function.concrete_functions:
            function = objects.concrete_functions[name]
            arguments = function.canonicalized_input_signature.tuple_value.values
            given = arguments[0].tuple_value.values if arguments else ()
            taken = _inputs(given[0]) if given else None
            sequence = _sequence_output(function.output_signature)
            if taken is None or sequence is None:
                continue
            kind, length = taken
            outputs = function.output_signature.dict_value.fields
            layers = len(_items(outputs["encoder_outputs"])) if "encoder_outputs" in outputs else 0
            yield HubInterface(node, path, kind, max(length, 0), int(sequence.shape.dim[2].size), layers)
            return


def _inputs(value: struct_pb2.StructuredValue) -> tuple[Literal["dict", "list"], int] | None:
    """How the three inputs are taken, and their length (-1: any)."""
    kind: Literal["dict", "list"] = "dict"
    if value.WhichOneof("kind") == "dict_value":
        fields = value.dict_value.fields
        if set(fields) != set(ENCODER_INPUTS):
            return None
        values: Sequence[struct_pb2.StructuredValue] = [fields[name] for name in ENCODER_INPUTS]
    else:
        kind, values = "list", _items(value)
        # Layers inside a network take lists of tensors too, but of states.
        if len(values) != len(ENCODER_INPUTS) or any(not _is_tokens(each) for each in values):
            return None
    shapes = [each.tensor_spec_value.shape.dim for each in values]
    if any(len(shape) != 2 or shape[1].size > _LONGEST_INPUT for shape in shapes):
        return None
    return kind, int(shapes[0][1].size)


def _is_tokens(value: struct_pb2.StructuredValue) -> bool:
    spec = value.tensor_spec_value
    return value.WhichOneof("kind") == "tensor_spec_value" and len(spec.shape.dim) == 2


def _sequence_output(value: struct_pb2.StructuredValue) -> struct_pb2.TensorSpecProto | None:
    """The states of the tokens, `[batch, seq, hidden]`: named, or the second of two as the first TF2 generation."""
    if value.WhichOneof("kind") == "dict_value":
        found = value.dict_value.fields.get("sequence_output")
    else:
        outputs = _items(value)
        found = outputs[1] if len(outputs) == 2 else None
    if found is None or len(found.tensor_spec_value.shape.dim) != 3:
        return None
    return found.tensor_spec_value


def _items(value: struct_pb2.StructuredValue) -> Sequence[struct_pb2.StructuredValue]:
    kind = value.WhichOneof("kind")
    return list(getattr(value, kind).values) if kind in ("list_value", "tuple_value") else []
