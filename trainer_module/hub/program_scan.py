"""Reads a SavedModel's program, without running it, for operations that reach beyond the model."""

import posixpath
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tensorflow.core.framework import attr_value_pb2, function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from trainer_module.errors import UserError
from trainer_module.hub.known_ops import is_public, objection_to


@dataclass(frozen=True)
class UnsafeOp:
    """An operation that may do more than compute.

    Attributes:
        op: Its type, e.g. `WriteFile`.
        node: Its name in the graph.
        function: Where it is; empty in the graph that calls the functions.
        reason: What it does, as in "runs Python code".
    """

    op: str
    node: str
    function: str
    reason: str


@dataclass(frozen=True)
class ProgramScan:
    """What was read of a program.

    Attributes:
        functions: How many it has.
        ops: How many operations they and the graph around them hold.
        unsafe: Those that reach beyond the model, in the order of the file.
    """

    functions: int
    ops: int
    unsafe: tuple[UnsafeOp, ...]

    @property
    def summary(self) -> str:
        """One line, as in "214 ops in 31 functions, nothing that reaches beyond the model"."""
        found = "; ".join(_described(self.unsafe)) or "nothing that reaches beyond the model"
        return f"{self.ops} ops in {self.functions} functions, {found}"

    def refuse_unsafe(self, key: str, handle: str) -> None:
        """Raises a UserError that names each kind of unsafe operation, and where the first of its kind is.

        Args:
            key: Of the setting that names the model, such as `model.hub`.
            handle: The model.
        """
        if self.unsafe:
            raise UserError(
                f"{key}: {handle} is a program that reaches beyond the model: {'; '.join(_described(self.unsafe))}; "
                "it was not run; take another model, or set model.allow_unsafe_ops = true if you trust it"
            )


def scan_program(meta_graph: meta_graph_pb2.MetaGraphDef) -> ProgramScan:
    """Reads every operation of a TF2 SavedModel: those that loading runs, that a call runs, and all others.

    `known_ops` says which types of operations may be used. Beyond that:

    - Checkpoints are read and written only by the functions that the SavedModel names as its saver's, and by them only
      as long as nothing else calls them. `tf.saved_model.load` runs none of these: it restores variables by itself.
    - A table may be filled from a file, and a file be read, when the file's name is shown to be one of the
      model's assets, handed on as it is: an asset that a held function captured, or one that the main graph (whose
      signatures and init op call functions, too) passes. Names that branches, loops or gradients pass count as not
      shown, and so do those in a function that nothing calls.
    - No operation may leave a parameter to the function's caller, because it couldn't be checked.
    - An asset's own name may not lead out of the model's folder, and no function may be defined twice.

    The scan guards `tf.saved_model.load`, which revives no Python code; Keras' `load_model` does, and isn't used here.
    See https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md: TensorFlow models are programs.

    Args:
        meta_graph: The only one of its SavedModel.
    """
    library = meta_graph.graph_def.library.function
    program = _Program(meta_graph)
    graphs = [(_MAIN_GRAPH, meta_graph.graph_def.node), *((each.signature.name, each.node_def) for each in library)]
    unsafe = [
        UnsafeOp(node.op, node.name, function, reason)
        for function, nodes in graphs
        for node in nodes
        if (reason := program.objection(node, function))
    ]
    unsafe += [
        UnsafeOp("Asset", asset.filename, "", "lies outside of the model's folder")
        for asset in meta_graph.asset_file_def
        if _leads_out(asset.filename)
    ]
    # Which of them TensorFlow would take isn't known.
    counts = Counter(each.signature.name for each in library)
    unsafe += [UnsafeOp("Function", name, "", "is defined twice") for name, count in counts.items() if count > 1]
    return ProgramScan(len(library), sum(len(nodes) for _, nodes in graphs), tuple(unsafe))


def problem_with_calls(library: function_pb2.FunctionDefLibrary) -> str:
    """Says why nobody should try to load functions that call each other like this; empty if all is well.

    TensorFlow loads no functions that call themselves, needs a time that grows with the square of their nesting, and
    puts a copy of a function wherever it is called.
    """
    functions = {each.signature.name: each for each in library.function}
    if "" in functions:
        return "a function of it has no name"
    called = {
        name: [found for node in each.node_def for found in _names_in(node) if found in functions]
        for name, each in functions.items()
    }
    callers: dict[str, set[str]] = {name: set() for name in functions}
    for name, names in called.items():
        for each in names:
            callers[each].add(name)
    waits_for = {name: len(set(names)) for name, names in called.items()}
    ready = [name for name, count in waits_for.items() if not count]
    depths: dict[str, int] = {}
    copies: dict[str, int] = {}  # operations, with those of the functions called
    while ready:
        name = ready.pop()
        depths[name] = 1 + max((depths[each] for each in called[name]), default=0)
        copies[name] = len(functions[name].node_def) + sum(copies[each] for each in called[name])
        if depths[name] > _MOST_NESTED:
            return f"its functions are nested more than {_MOST_NESTED} deep ({name})"
        if copies[name] > _MOST_COPIES:
            return f"its functions unfold to more than {_MOST_COPIES:,} operations ({name})"
        for caller in callers[name]:
            waits_for[caller] -= 1
            if not waits_for[caller]:
                ready.append(caller)
    if len(depths) < len(functions):
        return f"a function of it calls itself ({next(name for name in functions if name not in depths)})"
    return ""


_MOST_NESTED = 200
_MOST_COPIES = 20_000_000
_MAIN_GRAPH = ""
_CHECKPOINT_OPS = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2"})
_FILE_INPUT = {"InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1, "ReadFile": 0}
_CONSOLE = frozenset({b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)"})
_VARIABLE_USERS = frozenset({"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


class _Place(NamedTuple):
    """A tensor, by the function it is in and its name there."""

    function: str
    tensor: str


class _Program:
    """A program's functions, and who calls them."""

    def __init__(self, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
        self._meta_graph = meta_graph
        self._objects = meta_graph.object_graph_def
        self._functions = {each.signature.name: each for each in meta_graph.graph_def.library.function}
        self._shown: dict[_Place, bool] = {}

    def objection(self, node: node_def_pb2.NodeDef, function: str) -> str:
        """What speaks against an operation in a function, or in the graph around; empty: nothing."""
        if any(attribute.WhichOneof("value") == "placeholder" for attribute in node.attr.values()):
            return "leaves a parameter to its function's caller"
        if node.op in _CHECKPOINT_OPS:
            by_saver = function in self._saver_functions if function else node.name in self._saver_nodes
            return "" if by_saver else "reads or writes checkpoints outside of the model's saver"
        if node.op in _FILE_INPUT:
            is_asset = self._is_asset(function, _input(node, _FILE_INPUT[node.op]))
            return "" if is_asset else "reads a file that isn't shown to be the model's asset"
        if node.op == "PrintV2":
            stream = node.attr["output_stream"].s if "output_stream" in node.attr else b"stderr"
            return "" if stream in _CONSOLE else "prints into a file"
        if node.op in ("DecodeProtoV2", "EncodeProto"):
            source = node.attr["descriptor_source"].s if "descriptor_source" in node.attr else b""
            inside = source in (b"", b"local://") or source.startswith(b"bytes://")
            return "" if inside else "reads a file of message types"
        if node.op in self._functions and not is_public(node.op):
            return ""  # the call of a function, in the notation of TensorFlow 1
        return objection_to(node.op)

    @cached_property
    def _around(self) -> dict[str, node_def_pb2.NodeDef]:
        return {node.name: node for node in self._meta_graph.graph_def.node}

    @cached_property
    def _saver_nodes(self) -> set[str]:
        """The nodes around the functions that save and restore, and serve nothing else."""
        saver = self._meta_graph.saver_def
        return self._upstream([saver.save_tensor_name, saver.restore_op_name]) - self._other_nodes

    @cached_property
    def _other_nodes(self) -> set[str]:
        saver = self._meta_graph.saver_def
        rest = self._around.keys() - self._upstream([saver.save_tensor_name, saver.restore_op_name])
        signatures = self._meta_graph.signature_def.values()
        return self._upstream([*rest, *(info.name for each in signatures for info in each.outputs.values())])

    @cached_property
    def _saver_functions(self) -> set[str]:
        """The functions that only the saver's nodes reach."""
        others = [name for node in self._other_nodes for name in self._called(self._around[node])]
        others += self._gradients
        savers = [name for node in self._saver_nodes for name in self._called(self._around[node])]
        return self._reached(savers) - self._reached([*others, *self._held])

    @cached_property
    def _held(self) -> set[str]:
        """The functions that the model's objects hold: methods, signatures, and what sets up and restores resources."""
        held = set(self._objects.concrete_functions)
        for node in self._objects.nodes:
            held.update([*node.function.concrete_functions, node.bare_concrete_function.concrete_function_name])
        return held

    @cached_property
    def _gradients(self) -> set[str]:
        """The functions that compute gradients: TensorFlow calls them with tensors that no node passes."""
        library = self._meta_graph.graph_def.library
        return {each.gradient_func for each in (*library.gradient, *library.registered_gradients)}

    @cached_property
    def _nodes(self) -> dict[str, dict[str, node_def_pb2.NodeDef]]:
        """The nodes of each function and of the main graph, by name."""
        nodes = {name: {node.name: node for node in each.node_def} for name, each in self._functions.items()}
        return {**nodes, _MAIN_GRAPH: self._around}

    @cached_property
    def _callers(self) -> dict[str, list[tuple[str, node_def_pb2.NodeDef]]]:
        """For each function: the nodes that name it, each with the function that it is in."""
        callers: dict[str, list[tuple[str, node_def_pb2.NodeDef]]] = {}
        graphs = {name: each.node_def for name, each in self._functions.items()}
        for place, nodes in {**graphs, _MAIN_GRAPH: self._meta_graph.graph_def.node}.items():
            for node in nodes:
                for called in self._called(node):
                    callers.setdefault(called, []).append((place, node))
        return callers

    @cached_property
    def _fed_assets(self) -> set[str]:
        """The nodes of the main graph that stand for an asset: whoever runs it puts the asset's path there."""
        nodes = (_node_name(each.tensor_info.name) for each in self._meta_graph.asset_file_def)
        return {name for name in nodes if name in self._around and self._around[name].op in ("Const", "Placeholder")}

    def _upstream(self, tensors: Iterable[str]) -> set[str]:
        """The nodes around the functions on which tensors or nodes depend, themselves included."""
        return _closure(
            map(_node_name, tensors), lambda name: map(_node_name, self._around[name].input), self._around.keys()
        )

    def _reached(self, names: Iterable[str]) -> set[str]:
        """The functions that calling some functions may call, themselves included."""
        return _closure(
            names,
            lambda name: (called for node in self._functions[name].node_def for called in self._called(node)),
            self._functions.keys(),
        )

    def _called(self, node: node_def_pb2.NodeDef) -> Iterator[str]:
        return (name for name in _names_in(node) if name in self._functions)

    def _is_asset(self, function: str, tensor: str) -> bool:
        """Whether a tensor is shown to be the path of one of the model's assets, wherever its value comes from."""
        start = _Place(function, tensor)
        seen = {start}
        queue = [start]
        while queue:
            place = queue.pop()
            sources = None if self._shown.get(place) is False else self._sources(place)
            if sources is None:
                self._shown[start] = False
                return False
            new = [source for source in sources if source not in seen and not self._shown.get(source)]
            seen.update(new)
            queue.extend(new)
        self._shown.update(dict.fromkeys(seen, True))
        return True

    def _sources(self, place: _Place) -> list[_Place] | None:
        """The tensors that a tensor's value may be: none for an asset's path; None where that isn't known."""
        function, tensor = place
        if tensor.startswith("^"):  # no tensor
            return None
        name = _node_name(tensor)
        definition = self._functions.get(function)
        if definition is not None and name in (each.name for each in definition.signature.input_arg):
            return self._argument_sources(definition, name)
        if definition is None and name in self._fed_assets:
            return []
        node = self._nodes[function].get(name)
        if node is None:
            return None
        if definition is None and node.op == "ReadVariableOp":
            return self._assigned(_node_name(_input(node, 0)))
        return [_Place(function, _input(node, 0))] if node.op == "Identity" else None

    def _assigned(self, handle: str) -> list[_Place] | None:
        """What the main graph assigns to a variable: it keeps each asset's path in one. None if others may assign."""
        if handle not in self._around or self._around[handle].op != "VarHandleOp":
            return None
        users = [
            node
            for node in self._meta_graph.graph_def.node
            if handle in (_node_name(each) for each in node.input if not each.startswith("^"))
        ]
        shared = self._variable_handles[_shared_name(self._around[handle])] > 1
        if shared or not {node.op for node in users} <= _VARIABLE_USERS:
            return None
        return [_Place(_MAIN_GRAPH, _input(node, 1)) for node in users if node.op == "AssignVariableOp"] or None

    @cached_property
    def _variable_handles(self) -> Counter[str]:
        """How many nodes there are for each variable's name, by which they share it."""
        nodes = (node for each in self._nodes.values() for node in each.values() if node.op == "VarHandleOp")
        return Counter(map(_shared_name, nodes))

    def _argument_sources(self, definition: function_pb2.FunctionDef, argument: str) -> list[_Place] | None:
        function, arguments = definition.signature.name, definition.signature.input_arg
        # An argument that is a list takes several inputs, so that those behind it can't be told by their number.
        if function in self._gradients or any(each.number_attr or each.type_list_attr for each in arguments):
            return None
        index = [each.name for each in arguments].index(argument)
        if function in self._held:
            known = function in self._objects.concrete_functions
            captured = self._objects.concrete_functions[function].bound_inputs if known else []
            # What a function captured comes after what its caller gives.
            place = index - len(arguments) + len(captured)
            if place < 0 or self._kind(captured[place]) != "asset":
                return None
        sources = []
        for caller, node in self._callers.get(function, []):
            if node.op not in _CALLS or list(self._called(node)) != [node.attr["f"].func.name]:
                return None
            sources.append(_Place(caller, _input(node, index)))
        return sources if sources or function in self._held else None

    def _kind(self, number: int) -> str | None:
        nodes = self._objects.nodes
        kind: str | None = nodes[number].WhichOneof("kind") if 0 <= number < len(nodes) else None
        return kind


def _closure(start: Iterable[str], following: Callable[[str], Iterable[str]], known: Collection[str]) -> set[str]:
    """All of `known` that can be reached."""
    found: set[str] = set()
    queue = list(start)
    while queue:
        name = queue.pop()
        if name in known and name not in found:
            found.add(name)
            queue.extend(following(name))
    return found


def _input(node: node_def_pb2.NodeDef, index: int) -> str:
    return str(node.input[index]) if index < len(node.input) else ""


def _shared_name(variable: node_def_pb2.NodeDef) -> str:
    return (variable.attr["shared_name"].s if "shared_name" in variable.attr else b"").decode(
        "latin-1"
    ) or variable.name


def _node_name(tensor: str) -> str:
    """`^node`, `node:0` and (inside a function) `node:output:0` are of `node`."""
    return tensor.removeprefix("^").partition(":")[0]


def _names_in(node: node_def_pb2.NodeDef) -> Iterator[str]:
    """What a node may call: functions, and in the notation of TensorFlow 1 its own type."""
    yield node.op
    for attribute in node.attr.values():
        yield from _function_names(attribute)


def _function_names(attribute: attr_value_pb2.AttrValue) -> Iterator[str]:
    for function in (attribute.func, *attribute.list.func):
        if function.name:
            yield function.name
        for inner in function.attr.values():
            yield from _function_names(inner)


def _leads_out(filename: str) -> bool:
    return posixpath.isabs(filename) or "://" in filename or ".." in filename.split("/")


def _described(unsafe: Iterable[UnsafeOp]) -> list[str]:
    """One phrase for each kind of operation."""
    kinds: dict[tuple[str, str], list[UnsafeOp]] = {}
    for each in unsafe:
        kinds.setdefault((each.op, each.reason), []).append(each)
    phrases = []
    for (op, reason), found in kinds.items():
        first = found[0]
        where = f"{first.node} in {first.function}" if first.function else first.node
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        phrases.append(f"{op} {reason} ({where}{more})")
    return phrases
