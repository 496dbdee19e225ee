"""Names, shapes and values are those that TensorFlow would load; what can't be read is refused in words."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2, saved_object_graph_pb2

from trainer_module.errors import UserError
from trainer_module.hub.hub_interface import find_encoders
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.saved_model_reader import SavedModelReader


@pytest.fixture
def copy(tiny_hub: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(tiny_hub, tmp_path / "copy"))


def flip_byte(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as error:
        SavedModelReader(str(path))
    return str(error.value)


def assert_reads_what_tensorflow_loads(reader: SavedModelReader, loaded: tf.Variable) -> None:
    variables = reader.variables()
    assert [f"{variable.name}:0" for variable in variables] == [variable.name for variable in loaded.variables]
    for variable, expected in zip(variables, loaded.variables, strict=True):
        assert variable.shape == tuple(expected.shape)
        assert variable.dtype == expected.dtype
        np.testing.assert_array_equal(reader.value(variable), expected.numpy())
        assert reader.value(variable).dtype == expected.numpy().dtype


def test_reads_the_variables_that_tensorflow_loads(tiny_hub: Path, tiny_model: HubModel) -> None:
    assert_reads_what_tensorflow_loads(SavedModelReader(str(tiny_hub)), tiny_model.load())


@pytest.mark.parametrize("name", ["bert_relu_L-2_H-32", "bert_list_io_L-3_H-32"])
def test_reads_the_variables_of_the_model_gardens_exports(
    hub_model: Callable[[str], Path], loaded_once: Callable[[str], HubModel], name: str
) -> None:
    assert_reads_what_tensorflow_loads(SavedModelReader(str(hub_model(name))), loaded_once(name).load())


def test_leaves_out_the_variables_of_the_language_model_head(hub_model: Callable[[str], Path]) -> None:
    reader = SavedModelReader(str(hub_model("bert_L-4_H-32")))
    assert len(reader.variables()) == 72  # 71 weights and `do_lower_case`
    assert not [variable.name for variable in reader.variables() if "cls" in variable.name or "mlm" in variable.name]


def test_without_a_list_of_its_own_the_root_has_all_variables(tmp_path: Path) -> None:
    root = tf.Module()
    root.left = tf.Variable([1.0, 2.0], name="left")
    root.child = tf.Module()
    root.child.right = tf.Variable([[3]], name="right", dtype=tf.int64)
    tf.saved_model.save(root, str(tmp_path))
    reader = SavedModelReader(str(tmp_path))
    found = {variable.name: (variable.shape, variable.dtype) for variable in reader.variables()}
    assert found == {"left": ((2,), tf.float32), "right": ((1, 1), tf.int64)}
    assert {v.name: reader.value(v).tolist() for v in reader.variables()} == {"left": [1.0, 2.0], "right": [[3]]}


def test_an_object_inside_has_its_own_variables_and_attributes(tmp_path: Path) -> None:
    root = tf.Module()
    root.before = tf.Variable(1.0, name="before")
    root.child = tf.Module()
    root.child.leaf = tf.Variable([3.0], name="leaf")
    tf.saved_model.save(root, str(tmp_path))
    reader = SavedModelReader(str(tmp_path))
    child = next(node for node in reader.below(0) if node and reader.variable_of(node, "leaf") is not None)
    assert [variable.name for variable in reader.variables(child)] == ["leaf"]
    assert set(reader.below(child)) < set(reader.below(0))
    assert reader.variable_of(child, "before") is None


def test_an_objects_attributes_are_found_by_name(tiny_hub: Path) -> None:
    reader = SavedModelReader(str(tiny_hub))
    assert reader.variable_of(0, "do_lower_case") == np.array(True)
    assert reader.asset_of(0, "vocab_file") == str(tiny_hub / "assets" / "vocab.txt")
    assert reader.variable_of(0, "no_such_thing") is None
    assert reader.asset_of(0, "no_such_thing") is None
    assert reader.variable_of(0, "vocab_file") is None
    assert reader.asset_of(0, "do_lower_case") is None


def test_a_folder_without_saved_model_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    assert message.startswith(f"model.hub: {tmp_path} is not a SavedModel (it has no saved_model.pb)")
    assert "permafrost import-hf" in message


@pytest.mark.parametrize("content", [b"\xff" * 100, b"not a protocol buffer", b"\x0a"])
def test_a_damaged_program_is_refused(copy: Path, content: bytes) -> None:
    file = copy / "saved_model.pb"
    file.write_bytes(content)
    assert refusal(copy).startswith(f"model.hub: {file} is damaged (")


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")
def test_a_program_that_only_a_part_of_can_be_read_is_refused(copy: Path) -> None:
    file = copy / "saved_model.pb"
    file.write_bytes(file.read_bytes() + b"\x0c" + b"\x00" * 9)
    assert refusal(copy).startswith(f"model.hub: {file} is damaged (")


def test_a_truncated_program_is_refused(copy: Path) -> None:
    file = copy / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-1])
    assert refusal(copy).startswith(f"model.hub: {file} is damaged (")


def test_a_tf1_module_is_refused(copy: Path) -> None:
    module = saved_model_pb2.SavedModel()
    module.meta_graphs.add().meta_info_def.tags.append("serve")
    for content in (b"", module.SerializeToString()):
        (copy / "saved_model.pb").write_bytes(content)
        assert "is not a TF2 SavedModel (a TF1 Hub module?)" in refusal(copy)


def test_a_saved_model_without_variables_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "variables")
    assert refusal(copy) == f"model.hub: {copy} is a SavedModel without variables; it is not a BERT encoder"


def test_a_damaged_index_of_variables_is_refused(copy: Path) -> None:
    (copy / "variables" / "variables.index").write_bytes(b"nothing of use")
    assert refusal(copy).startswith(f"model.hub: {copy}/variables is damaged (")


def test_missing_values_are_refused(copy: Path) -> None:
    (copy / "variables" / "variables.data-00000-of-00001").unlink()
    assert refusal(copy).startswith(f"model.hub: {copy}/variables is damaged (")


def test_a_value_with_a_flipped_bit_is_refused(copy: Path) -> None:
    reader = SavedModelReader(str(copy))
    flip_byte(copy / "variables" / "variables.data-00000-of-00001", 1000)
    with pytest.raises(UserError, match="is damaged"):
        for variable in reader.variables():
            reader.value(variable)


def test_what_is_read_elsewhere_is_named_by_the_models_own_folder(copy: Path, tmp_path: Path) -> None:
    (copy / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError) as error:
        SavedModelReader("models/bert", str(copy))
    assert str(error.value).startswith("model.hub: models/bert/variables is damaged (")
    assert str(copy) not in str(error.value)


def test_a_file_of_values_that_is_cut_off_while_it_is_read_is_refused(tmp_path: Path) -> None:
    root = tf.Module()
    # More than TensorFlow reads ahead.
    root.variables_ = [tf.Variable(tf.ones([1 << 18]), name=f"v{index}") for index in range(4)]
    tf.saved_model.save(root, str(tmp_path))
    reader = SavedModelReader(str(tmp_path))
    variables = reader.variables()
    reader.value(variables[0])
    with (tmp_path / "variables" / "variables.data-00000-of-00001").open("r+b") as file:
        file.truncate(1 << 20)
    with pytest.raises(UserError) as error:
        for variable in variables:
            reader.value(variable)
    message = str(error.value)
    assert message.startswith(f"model.hub: {tmp_path}/variables is damaged (")
    assert message.endswith("; fetch the model again")


# Hostile and damaged ones: nothing of the size that they claim is allocated, and nothing without an end is read.


@pytest.mark.parametrize(
    "part", ["saved_model.pb", "fingerprint.pb", "assets/vocab.txt", "variables/variables.index", "debug/info.pb"]
)
def test_only_regular_files_are_read(copy: Path, part: str) -> None:
    file = copy / part
    file.unlink(missing_ok=True)
    file.parent.mkdir(exist_ok=True)
    os.mkfifo(file)
    assert refusal(copy) == (
        f"model.hub: {file} is not a regular file but a pipe, a device or a socket; put the file itself there"
    )
    file.unlink()
    file.symlink_to("/dev/zero")
    assert "is not a regular file" in refusal(copy)


def test_a_folder_that_holds_itself_is_refused(copy: Path) -> None:
    for name in ("left", "right"):
        (copy / "assets" / name).symlink_to(copy / "assets")
    assert refusal(copy) == f"model.hub: {copy} has more than 10,000 files; name the folder of a SavedModel"


def test_a_program_of_absurd_length_is_refused(copy: Path) -> None:
    with (copy / "saved_model.pb").open("r+b") as file:
        file.truncate(1 << 40)  # sparse
    assert refusal(copy) == (
        f"model.hub: {copy}/saved_model.pb is damaged (it has 1,099,511,627,776 bytes); fetch the model again"
    )


Change = Callable[[meta_graph_pb2.MetaGraphDef], object]


def change_program(copy: Path, change: Change) -> None:
    content = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    change(content.meta_graphs[0])
    (copy / "saved_model.pb").write_bytes(content.SerializeToString())


def first(program: meta_graph_pb2.MetaGraphDef, kind: str) -> Any:
    return next(node for node in program.object_graph_def.nodes if node.WhichOneof("kind") == kind)


def call_itself(program: meta_graph_pb2.MetaGraphDef) -> None:
    function = program.graph_def.library.function[0]
    function.node_def.add(name="again", op="PartitionedCall").attr["f"].func.name = function.signature.name


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda program: setattr(program.object_graph_def.nodes[0].children[0], "node_id", 99_999),
         "object 0 refers to one that isn't there"),
        (lambda program: setattr(first(program, "asset").asset, "asset_file_def_index", 7),
         "refers to an asset that isn't there"),
        (lambda program: first(program, "function").function.concrete_functions.append("nowhere"),
         "refers to a function that isn't there"),
        (lambda program: program.object_graph_def.concrete_functions["new"].bound_inputs.append(-1),
         "function new refers to an object that isn't there"),
        (lambda program: setattr(first(program, "variable").variable, "dtype", 77),
         "has a type that TensorFlow doesn't know"),
        (lambda program: setattr(first(program, "variable").variable, "name", "a/" * 600),
         "has a name of 1,200 characters"),
        (call_itself, "a function of it calls itself ("),
    ],
    ids=["object", "asset", "function", "captured", "type", "name", "recursion"],
)  # fmt: skip
def test_a_program_with_loose_ends_is_refused(copy: Path, change: Change, problem: str) -> None:
    change_program(copy, change)
    message = refusal(copy)
    assert message.startswith(f"model.hub: {copy}/saved_model.pb is damaged (")
    assert problem in message
    assert message.endswith("; fetch the model again")


def test_a_shape_that_is_not_the_checkpoints_is_refused(copy: Path) -> None:
    def widen(program: meta_graph_pb2.MetaGraphDef) -> None:
        nodes = program.object_graph_def.nodes
        variable = next(node.variable for node in nodes if node.variable.shape.dim)
        variable.name = "wide"
        variable.shape.dim[0].size = 1 << 40

    change_program(copy, widen)
    message = refusal(copy)
    assert message.startswith(f"model.hub: {copy}/variables is damaged (wide is float32 [{1 << 40}, ")
    assert " in the program and float32 [" in message


def test_values_that_are_cut_off_are_refused_unread(copy: Path) -> None:
    file = copy / "variables" / "variables.data-00000-of-00001"
    length = file.stat().st_size
    with file.open("r+b") as stream:
        stream.truncate(length // 2)
    message = refusal(copy)
    assert message.startswith(f"model.hub: {copy}/variables is damaged (its variables take ")
    assert message.endswith(f" bytes, its data files have {length // 2:,}); fetch the model again")


def test_an_object_is_not_looked_for_at_the_end_of_an_endless_path(tmp_path: Path) -> None:
    objects = saved_object_graph_pb2.SavedObjectGraph()
    for number in range(100_000):
        objects.nodes.add().user_object.identifier = "_generic_user_object"
        objects.nodes[number].children.add(node_id=number + 1, local_name="next")
    objects.nodes.add()
    assert find_encoders(objects) == []
