"""A model's program is read before it runs: what reaches beyond the model is refused, and nothing of it is run."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.framework import function_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from trainer_module.errors import UserError
from trainer_module.hub import known_ops
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.known_ops import objection_to
from trainer_module.hub.program_scan import ProgramScan, UnsafeOp, problem_with_calls, scan_program
from trainer_module.hub.saved_model_reader import read_meta_graph
from trainer_module.settings import BertSettings, ModelSettings
from trainer_module.text.text_encoder import make_tokenizer
from trainer_module.text.tokenizer_source import find_tokenizer
from trainer_module.transform import preprocessing_fn

NUMBER = tf.TensorSpec([], tf.float32)
CHECKPOINTS = "reads or writes checkpoints outside of the model's saver"
NO_ASSET = "reads a file that isn't shown to be the model's asset"
Body = Callable[[tf.Tensor], tf.Tensor]


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., meta_graph_pb2.MetaGraphDef]:
    """Saves a module, whose `__call__` may be given as a function, and gives its program."""

    def save(body: Body | None = None, module: tf.Module | None = None) -> meta_graph_pb2.MetaGraphDef:
        module = module or tf.Module()
        if body is not None:
            module.__call__ = tf.function(body, input_signature=[NUMBER], autograph=False)
        tf.saved_model.save(module, str(tmp_path / "saved"))
        return read_meta_graph(str(tmp_path / "saved"))

    return save


def found(program: meta_graph_pb2.MetaGraphDef) -> dict[str, str]:
    """Each type of unsafe operation, and what it does."""
    return {unsafe.op: unsafe.reason for unsafe in scan_program(program).unsafe}


# Honest models.


@pytest.mark.parametrize(
    ("name", "functions", "ops"),
    [
        ("albert_L-4_H-32", 71, 5288),
        ("bert_L-12_H-16", 134, 18684),
        ("bert_L-4_H-32", 86, 7236),
        ("bert_list_io_L-3_H-32", 63, 3942),
        ("bert_preprocess", 239, 5678),
        ("bert_relu_L-2_H-32", 74, 4038),
        ("bert_v2_L-3_H-32", 14, 2460),
        ("electra_L-3_H-32_E-16", 83, 5874),
        ("mobilebert_L-3", 65, 9947),
    ],
)
def test_the_model_gardens_exports_pass(hub_model: Callable[[str], Path], name: str, functions: int, ops: int) -> None:
    scan = scan_program(read_meta_graph(str(hub_model(name))))
    assert scan == ProgramScan(functions, ops, ())
    assert scan.summary == f"{ops} ops in {functions} functions, nothing that reaches beyond the model"


@pytest.mark.slow
def test_an_encoder_that_we_wrote_passes(tiny_model: HubModel, tiny_hub: Path) -> None:
    program = read_meta_graph(str(tiny_hub))
    assert tiny_model.scan.unsafe == ()
    assert tiny_model.scan.functions == len(program.graph_def.library.function)
    assert tiny_model.scan.ops == len(program.graph_def.node) + sum(
        len(function.node_def) for function in program.graph_def.library.function
    )


@pytest.mark.slow
def test_a_classifier_that_we_exported_passes_with_its_tokenizer(
    reviews: Any, tiny_encoder: Callable[..., Any], tiny_model: HubModel, tmp_path: Path
) -> None:
    from trainer_module.encoder.probe import probe_batch
    from trainer_module.export import ServingModel, export
    from trainer_module.training.classifier import BertClassifier

    planned = tiny_encoder({"freeze": "all"})
    classifier = BertClassifier(planned.encoder, outputs=2, pooling="pooled", dropout=0.1, seed=0)
    classifier(probe_batch(tiny_model.layout))
    export(ServingModel(classifier, reviews.output, reviews.settings, [b"0", b"1"]), str(tmp_path), planned.plan)
    program = read_meta_graph(str(tmp_path))
    ops = {node.op for function in program.graph_def.library.function for node in function.node_def}
    assert {"WordpieceTokenizeWithOffsets", "NormalizeUTF8", "InitializeTableFromTextFileV2", "RestoreV2"} <= ops
    assert found(program) == {}


@pytest.mark.slow
def test_a_keras_model_passes_with_its_optimizer_and_dropout(tmp_path: Path) -> None:
    import tf_keras as keras

    words = keras.layers.StringLookup(vocabulary=["good", "bad"])
    text = keras.Input([2], dtype=tf.string)
    hidden = keras.layers.Dropout(0.5)(keras.layers.Embedding(4, 3)(words(text)))
    model = keras.Model(text, keras.layers.BatchNormalization()(hidden))
    model.compile("adam", "mse")
    model.fit(tf.constant([["good", "bad"]] * 4), np.zeros((4, 2, 3)), verbose=0)
    model.save(str(tmp_path), save_format="tf")
    assert found(read_meta_graph(str(tmp_path))) == {}


class Honest(tf.Module):
    """State of all kinds that stays inside."""

    def __init__(self, assets: Path) -> None:
        super().__init__()
        vocabulary = assets / "words.txt"
        vocabulary.write_text("good\nbad\n")
        initializer = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticVocabularyTable(initializer, 1)
        self.mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        self.dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, -1, -2)
        self.file = tf.saved_model.Asset(str(vocabulary))
        self.random = tf.random.Generator.from_seed(1)
        self.counter = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, words):
        self.counter.assign_add(1)
        self.mutable.insert(words, self.table.lookup(words))
        total = tf.constant(0, tf.int64)
        for each in tf.data.Dataset.from_tensor_slices(self.mutable.lookup(words)).shuffle(8).batch(2):
            total += tf.reduce_sum(each)
        tf.debugging.assert_less(total, tf.constant(100, tf.int64))
        tf.print("total", total)
        read = tf.function(lambda path: tf.io.read_file(tf.identity(path)))  # no method: nobody else may call it
        line = tf.strings.length(read(self.file.asset_path))
        return total + tf.cast(line, tf.int64) + self.random.uniform([], maxval=2, dtype=tf.int64)


def test_tables_random_numbers_data_in_memory_and_assets_pass(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    saved = program(module=Honest(tmp_path))
    ops = {node.op for function in saved.graph_def.library.function for node in function.node_def}
    assert {"ReadFile", "PrintV2", "Assert", "InitializeTableFromTextFileV2", "MutableHashTableV2"} <= ops
    assert found(saved) == {}
    assert 9 <= int(tf.saved_model.load(str(tmp_path / "saved"))(tf.constant(["good", "bad"]))) <= 12


# Hostile ones. Each writes or reads when it runs; none may have run.


def write(number: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.io.write_file("written", "x")]):
        return tf.identity(number)


def in_a_nested_function(number: tf.Tensor) -> tf.Tensor:
    inner = tf.function(write, autograph=False)
    return tf.function(lambda given: inner(given), autograph=False)(number)


def in_a_branch(number: tf.Tensor) -> tf.Tensor:
    return tf.cond(number > 1e9, lambda: write(number), lambda: number)


def in_a_loop(number: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda given: given > 1e9, lambda given: [write(given)], [number])[0]


def in_a_data_set(number: tf.Tensor) -> tf.Tensor:
    return tf.data.Dataset.from_tensors(number).map(write).reduce(0.0, lambda left, right: left + right)


def in_a_gradient(number: tf.Tensor) -> tf.Tensor:
    @tf.custom_gradient
    def same(given: tf.Tensor) -> Any:
        return tf.identity(given), write

    with tf.GradientTape() as tape:
        tape.watch(number)
        result = same(number)
    return tape.gradient(result, number)


@pytest.mark.parametrize("hidden", [in_a_nested_function, in_a_branch, in_a_loop, in_a_data_set, in_a_gradient])
def test_an_operation_is_found_wherever_it_hides(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], hidden: Body
) -> None:
    scan = scan_program(program(hidden))
    assert {unsafe.op for unsafe in scan.unsafe} == {"WriteFile"}
    names = {unsafe.function for unsafe in scan.unsafe}
    assert names and "" not in names
    assert f"WriteFile takes a file or an address (`filename`) ({scan.unsafe[0].node} in " in scan.summary


def summarize(number: tf.Tensor) -> tf.Tensor:
    writer = tf.summary.create_file_writer("logs")
    with writer.as_default():
        tf.summary.scalar("number", number, step=0)
    return number


def read_records(number: tf.Tensor) -> tf.Tensor:
    return tf.data.TFRecordDataset("records").reduce(number, lambda total, record: total)


def restore(number: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.RestoreV2(prefix="elsewhere", tensor_names=["v"], shape_and_slices=[""], dtypes=[tf.float32])[0]


def save(number: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies(
        [tf.raw_ops.SaveV2(prefix="written", tensor_names=["v"], shape_and_slices=[""], tensors=[number])]
    ):
        return tf.identity(number)


def print_into_a_file(number: tf.Tensor) -> tf.Tensor:
    tf.print(number, output_stream="file://written")
    return number


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda number: tf.py_function(lambda given: given, [number], tf.float32),
         {"EagerPyFunc": "runs Python code"}),
        (lambda number: tf.numpy_function(lambda given: given, [number], tf.float32),
         {"PyFunc": "runs Python code"}),
        (lambda number: tf.numpy_function(lambda given: given, [number], tf.float32, stateful=False),
         {"PyFuncStateless": "runs Python code"}),
        (lambda number: tf.strings.to_number(tf.io.read_file("/etc/passwd")), {"ReadFile": NO_ASSET}),
        (lambda number: tf.cast(tf.size(tf.io.matching_files("/etc/*")), tf.float32),
         {"MatchingFiles": "looks for files"}),
        (read_records, {"TFRecordDatasetV2": "takes a file or an address (`filenames`)"}),
        (restore, {"RestoreV2": CHECKPOINTS}),
        (save, {"SaveV2": CHECKPOINTS}),
        (print_into_a_file, {"PrintV2": "prints into a file"}),
    ],
    ids=["py_function", "numpy_function", "stateless_function", "read_file", "matching_files", "records", "restore",
         "save", "print"],
)  # fmt: skip
def test_what_reaches_beyond_the_model_is_named(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], body: Body, expected: dict[str, str]
) -> None:
    saved = program(body)
    known = {"TFRecordDataset": "TFRecordDatasetV2"}  # which of both is written differs between releases
    assert {known.get(op, op): reason for op, reason in found(saved).items()} == expected


def test_each_operation_is_named_with_its_place(program: Callable[..., meta_graph_pb2.MetaGraphDef]) -> None:
    saved = program(lambda number: write(write(tf.strings.to_number(tf.io.read_file("/etc/passwd")))))
    scan = scan_program(saved)
    (function,) = {unsafe.function for unsafe in scan.unsafe}
    reason = "takes a file or an address (`filename`)"
    assert scan.unsafe == (
        UnsafeOp("ReadFile", "ReadFile", function, NO_ASSET),
        UnsafeOp("WriteFile", "WriteFile", function, reason),
        UnsafeOp("WriteFile", "WriteFile_1", function, reason),
    )
    with pytest.raises(UserError) as error:
        scan.refuse_unsafe("model.hub", "the/model")
    assert str(error.value) == (
        "model.hub: the/model is a program that reaches beyond the model: "
        f"ReadFile {NO_ASSET} (ReadFile in {function}); WriteFile {reason} (WriteFile in {function} and 1 more); "
        "it was not run; take another model, or set model.allow_unsafe_ops = true if you trust it"
    )


def test_a_safe_program_is_not_refused() -> None:
    ProgramScan(1, 2, ()).refuse_unsafe("model.hub", "the/model")


# What only a changed file can hold.


def function_of(program: meta_graph_pb2.MetaGraphDef, part: str) -> Any:
    (function,) = [each for each in program.graph_def.library.function if part in each.signature.name]
    return function


def method(program: meta_graph_pb2.MetaGraphDef) -> Any:
    """The function behind `__call__`."""
    nodes = program.object_graph_def.nodes
    (called,) = [child.node_id for child in nodes[0].children if child.local_name == "__call__"]
    return function_of(program, nodes[called].function.concrete_functions[0])


def test_an_operation_of_an_unknown_library_is_refused(program: Callable[..., meta_graph_pb2.MetaGraphDef]) -> None:
    saved = program(lambda number: tf.math.erf(number))
    (node,) = [node for each in saved.graph_def.library.function for node in each.node_def if node.op == "Erf"]
    node.op = "Evil>Erf"
    reason = "is unknown: neither a public operation of TensorFlow nor one of tensorflow-text"
    assert found(saved) == {"Evil>Erf": reason}


@pytest.mark.parametrize("op", ["_FusedMatMul", "XlaLaunch", "_Send", "TestAttr", ""])
def test_an_operation_that_tensorflow_keeps_to_itself_is_refused(op: str) -> None:
    assert objection_to(op) == "is unknown: neither a public operation of TensorFlow nor one of tensorflow-text"


def test_the_savers_functions_may_not_be_called_by_others(
    program: Callable[..., meta_graph_pb2.MetaGraphDef],
) -> None:
    module = tf.Module()
    module.variable = tf.Variable(1.0)
    saved = program(lambda number: number * module.variable, module)
    assert found(saved) == {}
    restoring = function_of(saved, "traced_restore").signature.name
    node = method(saved).node_def.add()
    node.name, node.op = "hidden", "StatefulPartitionedCall"
    node.attr["f"].func.name = restoring
    assert [(each.op, each.function) for each in scan_program(saved).unsafe] == [("RestoreV2", restoring)]


def test_the_savers_functions_may_not_be_methods(program: Callable[..., meta_graph_pb2.MetaGraphDef]) -> None:
    saved = program(lambda number: number)
    saving = function_of(saved, "traced_save").signature.name
    saved.object_graph_def.nodes.add().bare_concrete_function.concrete_function_name = saving
    assert found(saved) == {"SaveV2": CHECKPOINTS, "MergeV2Checkpoints": CHECKPOINTS}


def test_a_signature_may_not_be_the_savers(program: Callable[..., meta_graph_pb2.MetaGraphDef]) -> None:
    saved = program(lambda number: number)
    saved.signature_def["evil"].outputs["out"].name = saved.saver_def.save_tensor_name
    assert found(saved) == {"SaveV2": CHECKPOINTS, "MergeV2Checkpoints": CHECKPOINTS}


def test_checkpoints_in_a_function_that_looks_like_the_savers_are_refused(
    program: Callable[..., meta_graph_pb2.MetaGraphDef],
) -> None:
    saved = program(restore)
    method(saved).signature.name = "__inference__traced_restore_99"
    assert found(saved) == {"RestoreV2": CHECKPOINTS}


def test_a_function_that_is_defined_twice_is_refused_whichever_is_taken(
    program: Callable[..., meta_graph_pb2.MetaGraphDef],
) -> None:
    saved = program(write)
    name = method(saved).signature.name
    saved.graph_def.library.function.add().signature.name = name
    assert found(saved) == {
        "WriteFile": "takes a file or an address (`filename`)",
        "Function": "is defined twice",
    }


def test_a_program_with_a_second_graph_is_not_read_as_tf2(tiny_hub: Path, tmp_path: Path) -> None:
    content = saved_model_pb2.SavedModel.FromString((tiny_hub / "saved_model.pb").read_bytes())
    content.meta_graphs.add().CopyFrom(content.meta_graphs[0])
    (tmp_path / "saved_model.pb").write_bytes(content.SerializeToString())
    with pytest.raises(UserError, match="is not a TF2 SavedModel"):
        read_meta_graph(str(tmp_path))


def test_the_call_of_a_function_in_the_old_notation_is_followed(
    program: Callable[..., meta_graph_pb2.MetaGraphDef],
) -> None:
    saved = program(in_a_nested_function)
    calls = [
        node
        for function in saved.graph_def.library.function
        for node in function.node_def
        if node.op == "PartitionedCall" or node.op == "StatefulPartitionedCall"
    ]
    for node in calls:
        node.op = node.attr["f"].func.name
    assert calls
    assert found(saved) == {"WriteFile": "takes a file or an address (`filename`)"}


# Files that are assets, and those that aren't.


class Table(tf.Module):
    """A table that `_initialize` fills, as loading does, from a file whose name may come from anywhere."""

    def __init__(self, initializer: Any) -> None:
        super().__init__()
        self.table = tf.lookup.StaticHashTable(initializer, -1)


def text_file(path: Any) -> Any:
    index = tf.lookup.TextFileIndex
    return tf.lookup.TextFileInitializer(path, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)


class FromAnywhere(tf.lookup.TextFileInitializer):
    """Fills the table from a file that isn't copied into the model."""

    def initialize(self, table: Any) -> Any:
        path = tf.strings.join(["/etc/", "passwd"])
        return tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=table.resource_handle, filename=path, key_index=-2, value_index=-1
        )


def test_a_table_that_loading_fills_from_the_models_asset_passes(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("good\n")
    assert found(program(module=Table(text_file(str(tmp_path / "words.txt"))))) == {}


def test_a_table_that_loading_fills_from_another_file_is_refused(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("good\n")
    index = tf.lookup.TextFileIndex
    initializer = FromAnywhere(str(tmp_path / "words.txt"), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
    assert found(program(module=Table(initializer))) == {"InitializeTableFromTextFileV2": NO_ASSET}


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "a/../../b", "gs://bucket/file"])
def test_an_asset_outside_of_the_folder_is_refused(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path, name: str
) -> None:
    (tmp_path / "words.txt").write_text("good\n")
    saved = program(module=Table(text_file(str(tmp_path / "words.txt"))))
    saved.asset_file_def[0].filename = name
    assert scan_program(saved).unsafe == (UnsafeOp("Asset", name, "", "lies outside of the model's folder"),)


def test_a_file_that_the_caller_names_is_refused(program: Callable[..., meta_graph_pb2.MetaGraphDef]) -> None:
    module = tf.Module()
    module.read = tf.function(tf.io.read_file, input_signature=[tf.TensorSpec([], tf.string)])
    assert found(program(module=module)) == {"ReadFile": NO_ASSET}


@pytest.mark.parametrize(
    "change",
    [
        lambda path: tf.cond(tf.strings.length(path) > 0, lambda: path, lambda: tf.constant("/etc/passwd")),
        lambda path: tf.strings.join([path, "/../../../secret"]),
        lambda path: tf.strings.regex_replace(path, ".*", "/etc/passwd"),
    ],
    ids=["branch", "join", "replace"],
)
def test_a_name_that_is_made_of_an_assets_is_refused(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path, change: Callable[[tf.Tensor], tf.Tensor]
) -> None:
    (tmp_path / "words.txt").write_text("good\n")
    module = tf.Module()
    module.file = tf.saved_model.Asset(str(tmp_path / "words.txt"))
    module.read = tf.function(lambda: tf.io.read_file(change(module.file.asset_path)), input_signature=[])
    assert found(program(module=module)) == {"ReadFile": NO_ASSET}


def test_one_caller_with_another_file_is_enough_for_a_refusal(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("good\n")
    module = tf.Module()
    module.file = tf.saved_model.Asset(str(tmp_path / "words.txt"))
    read = tf.function(lambda path: tf.io.read_file(path), input_signature=[tf.TensorSpec([], tf.string)])
    module.good = tf.function(lambda: read(module.file.asset_path), input_signature=[])
    assert found(program(module=module)) == {}
    module.bad = tf.function(lambda: read(tf.constant("/etc/passwd")), input_signature=[])
    assert found(program(module=module)) == {"ReadFile": NO_ASSET}


def main_graph_call(program: meta_graph_pb2.MetaGraphDef, name: str) -> Any:
    """The main graph's call of the function whose name holds `name`."""
    (node,) = [each for each in program.graph_def.node if name in each.attr["f"].func.name]
    return node


@pytest.fixture
def older(program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path) -> meta_graph_pb2.MetaGraphDef:
    """A table as TensorFlow 2.5 saved it (bert_en_uncased_preprocess/3): only the init op calls what fills it."""
    (tmp_path / "words.txt").write_text("good\n")
    saved = program(module=Table(text_file(str(tmp_path / "words.txt"))))
    call = main_graph_call(saved, "initializer")
    copy = saved.graph_def.library.function.add()
    copy.CopyFrom(function_of(saved, "initializer"))
    copy.signature.name = "__inference_<lambda>_99"
    call.attr["f"].func.name = copy.signature.name
    return saved


def test_a_table_that_only_the_init_op_fills_from_the_models_asset_passes(older: meta_graph_pb2.MetaGraphDef) -> None:
    assert found(older) == {}


def test_a_table_that_the_init_op_fills_from_another_file_is_refused(older: meta_graph_pb2.MetaGraphDef) -> None:
    other = older.graph_def.node.add()
    other.name, other.op = "other", "Const"
    other.attr["dtype"].type = tf.string.as_datatype_enum
    other.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/etc/passwd"))
    call = main_graph_call(older, "<lambda>")
    (place,) = [place for place, name in enumerate(call.input) if "ReadVariableOp" in name]
    call.input[place] = "other"
    assert found(older) == {"InitializeTableFromTextFileV2": NO_ASSET}


def test_a_variable_that_also_gets_something_else_is_no_assets_path(older: meta_graph_pb2.MetaGraphDef) -> None:
    (assign,) = [node for node in older.graph_def.node if node.op == "AssignVariableOp"]
    again = older.graph_def.node.add()
    again.CopyFrom(assign)
    again.name = "again"
    assert found(older) == {}
    again.input[1] = "elsewhere"
    assert found(older) == {"InitializeTableFromTextFileV2": NO_ASSET}


def test_a_variable_that_another_node_shares_is_no_assets_path(older: meta_graph_pb2.MetaGraphDef) -> None:
    (assign,) = [node for node in older.graph_def.node if node.op == "AssignVariableOp"]
    handle = next(node for node in older.graph_def.node if node.name == assign.input[0])
    twin = function_of(older, "<lambda>").node_def.add()
    twin.CopyFrom(handle)
    twin.name = "twin"
    assert found(older) == {"InitializeTableFromTextFileV2": NO_ASSET}


def test_a_file_that_nothing_is_known_to_read_is_refused(older: meta_graph_pb2.MetaGraphDef) -> None:
    older.graph_def.node.remove(main_graph_call(older, "<lambda>"))
    assert found(older) == {"InitializeTableFromTextFileV2": NO_ASSET}


class ReadsAsset(tf.Module):
    """Reads its asset through a function that nothing else calls."""

    def __init__(self, folder: Path, handed_on: int = 0) -> None:
        super().__init__()
        (folder / "words.txt").write_text("good\n")
        self.file = tf.saved_model.Asset(str(folder / "words.txt"))

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
        def read_one(path: tf.Tensor) -> tf.Tensor:
            for _ in range(handed_on):
                path = tf.identity(path)
            return tf.io.read_file(path)

        self.__call__ = tf.function(lambda: read_one(self.file.asset_path), input_signature=[], autograph=False)


def test_a_name_that_is_handed_on_thousands_of_times_passes(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    assert found(program(module=ReadsAsset(tmp_path, handed_on=3_000))) == {}


def test_a_list_of_arguments_can_not_hide_which_one_is_the_file(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    saved = program(module=ReadsAsset(tmp_path))
    reading = function_of(saved, "read_one")
    path = reading.signature.input_arg.pop()
    several = reading.signature.input_arg.add()
    several.name, several.number_attr, several.type = "several", "N", tf.string.as_datatype_enum
    reading.signature.input_arg.append(path)
    (call,) = [node for node in method(saved).node_def if node.attr["f"].func.name == reading.signature.name]
    call.input[:] = ["evil", call.input[0], "evil"]
    assert found(saved) == {"ReadFile": NO_ASSET}


def test_a_function_that_also_serves_as_a_gradient_gets_any_tensor(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    saved = program(module=ReadsAsset(tmp_path))
    assert found(saved) == {}
    gradient = saved.graph_def.library.registered_gradients.add()
    gradient.registered_op_type = "CustomGradient-1"
    gradient.gradient_func = function_of(saved, "read_one").signature.name
    assert found(saved) == {"ReadFile": NO_ASSET}


def test_a_function_that_is_named_beside_a_call_gets_any_tensor(
    program: Callable[..., meta_graph_pb2.MetaGraphDef], tmp_path: Path
) -> None:
    saved = program(module=ReadsAsset(tmp_path))
    reading = function_of(saved, "read_one").signature.name
    (call,) = [node for node in method(saved).node_def if node.attr["f"].func.name == reading]
    call.attr["f"].func.name = method(saved).signature.name
    call.attr["f"].func.attr["g"].func.name = reading
    assert found(saved) == {"ReadFile": NO_ASSET}


def test_an_operation_whose_parameter_the_caller_sets_is_refused(
    program: Callable[..., meta_graph_pb2.MetaGraphDef],
) -> None:
    saved = program(lambda number: tf.math.erf(number))
    (node,) = [node for each in saved.graph_def.library.function for node in each.node_def if node.op == "Erf"]
    node.attr["descriptor_source"].placeholder = "source"
    assert found(saved) == {"Erf": "leaves a parameter to its function's caller"}


# Functions that call each other.


def library(calls: dict[str, list[str]]) -> function_pb2.FunctionDefLibrary:
    """Functions by name, each with those that it calls, in their order."""
    made = function_pb2.FunctionDefLibrary()
    for name, called in calls.items():
        function = made.function.add()
        function.signature.name = name
        for number, each in enumerate(called):
            node = function.node_def.add()
            node.name, node.op = f"call_{number}", "PartitionedCall"
            node.attr["f"].func.name = each
    return made


def test_functions_may_call_each_other() -> None:
    assert problem_with_calls(library({"a": ["b", "c"], "b": ["c"], "c": []})) == ""
    assert problem_with_calls(library({f"f{number}": [f"f{number + 1}"] for number in range(199)})) == ""


def test_a_function_without_a_name_is_refused() -> None:
    assert problem_with_calls(library({"": []})) == "a function of it has no name"


@pytest.mark.parametrize("calls", [{"a": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["b"]}])
def test_a_function_may_not_call_itself(calls: dict[str, list[str]]) -> None:
    assert problem_with_calls(library(calls)).startswith("a function of it calls itself (")


@pytest.mark.parametrize("depth", [250, 20_000])
def test_functions_may_not_be_nested_without_end(depth: int) -> None:
    nested = {f"f{number}": [f"f{number + 1}"] for number in range(depth)} | {f"f{depth}": []}
    assert problem_with_calls(library(nested)).startswith("its functions are nested more than 200 deep (")


def test_functions_may_not_unfold_without_end() -> None:
    doubling = {f"f{number}": [f"f{number + 1}"] * 2 for number in range(40)} | {"f40": []}
    assert problem_with_calls(library(doubling)).startswith("its functions unfold to more than 20,000,000 operations (")


# What is known of TensorFlow's operations.


@pytest.mark.parametrize(
    "op",
    """
    Abort BigQueryReader CacheDataset CacheDatasetV2 CollectiveReduceV2 ConfigureDistributedTPU CreateSummaryDbWriter
    CreateSummaryFileWriter DataServiceDatasetV4 DatasetFromGraph DatasetToTFRecord DebugIdentity DebugIdentityV3
    DumpTensor EagerPyFunc FixedLengthRecordDatasetV2 FixedUnigramCandidateSampler GenerateVocabRemapping ImmutableConst
    LMDBDataset LMDBReader LoadAndRemapMatrix LoadDataset MatchingFiles MatchingFilesDataset PyFunc PyFuncStateless
    RecordInput Recv RegisterDatasetV2 RemoteCall Restore RpcCall Save SaveDatasetV2 Send ShutdownDistributedTPU
    SnapshotDatasetV2 SqlDataset TFRecordDataset TFRecordReaderV2 TextLineDataset TextLineReaderV2 WholeFileReaderV2
    WriteFile WriteScalarSummary XlaCallModule XlaCustomCallV2
    """.split(),  # noqa: SIM905 - as a list they take a screen
)
def test_operations_that_do_io_are_refused(op: str) -> None:
    assert objection_to(op)


@pytest.mark.parametrize(
    "op", ["MatMul", "VarHandleOp", "If", "RandomUniform", "HashTableV2", "TensorSliceDataset", "NormalizeUTF8"]
)
def test_operations_that_compute_are_allowed(op: str) -> None:
    assert objection_to(op) == ""


def test_an_operation_with_state_that_is_not_known_is_refused() -> None:
    assert objection_to("Timestamp") == "keeps state that isn't known to stay inside the model"


def test_the_lists_hold_operations_that_exist() -> None:
    assert [op for op in known_ops._HARMLESS_STATE if not known_ops.is_public(op)] == []
    assert [op for op in known_ops._REASONS if not known_ops.is_public(op)] == []
    assert not known_ops._HARMLESS_STATE & known_ops._REASONS.keys()


def test_every_operation_of_tensorflow_text_is_allowed() -> None:
    import tensorflow_text  # noqa: F401 - registers its operations
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    every = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    names = {op.name for op in every.op}
    assert {op for op in names if op.startswith("TFText>") and objection_to(op)} == set()
    assert {op for op in known_ops._TEXT_OPS if op not in names} == set()


# Through the models that use it.


class Hostile:
    """An encoder as good as `tiny_hub`, which does something more when it is called."""

    def __init__(self, tiny_hub: Path, folder: Path, extra: Callable[[], Any]) -> None:
        self.path = folder / "hostile"
        self.written = folder / "written"
        self.loaded_too = folder / "loaded"
        honest = tf.saved_model.load(str(tiny_hub))
        root = tf.train.Checkpoint()
        root.variables = list(honest.variables)
        root.trainable_variables = list(honest.trainable_variables)
        root.regularization_losses = []
        root.vocab_file = honest.vocab_file
        root.do_lower_case = honest.do_lower_case
        shape = tf.TensorSpec([None, None], tf.int32)

        @tf.function(autograph=False)
        def call(inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
            effect = extra()
            outputs = honest(inputs, training=training)
            with tf.control_dependencies([effect]):
                answers: dict[str, Any] = tf.nest.map_structure(tf.identity, outputs)
            return answers

        names = ("input_word_ids", "input_mask", "input_type_ids")
        for training in (True, False):
            call.get_concrete_function(
                {name: tf.TensorSpec(shape.shape, shape.dtype, name) for name in names}, training=training
            )
        root.__call__ = call
        tf.saved_model.save(root, str(self.path))

    def ask(self, model: Any) -> tuple[int, ...]:
        batch = {name: tf.ones([1, 4], tf.int32) for name in ("input_word_ids", "input_mask", "input_type_ids")}
        return tuple(model(batch, training=False)["pooled_output"].shape)


@pytest.fixture(scope="module")
def hostile(tiny_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    folder = tmp_path_factory.mktemp("hostile")
    return Hostile(tiny_hub, folder, lambda: tf.io.write_file(str(folder / "written"), "x"))


@pytest.fixture
def refused(hostile: Hostile) -> str:
    return f"model.hub: {hostile.path} is a program that reaches beyond the model: WriteFile takes a file or an address"


def test_a_hostile_encoder_is_refused_before_anything_of_it_runs(
    hostile: Hostile, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise AssertionError("the program was loaded")

    monkeypatch.setattr(tf.saved_model, "load", load)
    with pytest.raises(UserError) as error:
        HubModel(str(hostile.path))
    assert str(error.value).startswith(refused)
    assert str(error.value).endswith("take another model, or set model.allow_unsafe_ops = true if you trust it")
    assert not hostile.written.exists()


def test_settings_decide(hostile: Hostile) -> None:
    settings = ModelSettings.model_validate({"hub": str(hostile.path)})
    with pytest.raises(UserError, match="allow_unsafe_ops"):
        HubModel.from_settings(settings)
    trusting = HubModel.from_settings(settings.model_copy(update={"allow_unsafe_ops": True}))
    assert {unsafe.op for unsafe in trusting.scan.unsafe} == {"WriteFile"}
    assert "WriteFile takes a file or an address" in trusting.scan.summary
    assert not hostile.written.exists()


@pytest.mark.parametrize("pinned", [False, True])
def test_a_hostile_program_that_takes_the_scanned_ones_place_is_not_run(
    hostile: Hostile,
    tiny_hub: Path,
    tiny_model: HubModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pinned: bool,
) -> None:
    folder = Path(shutil.copytree(tiny_hub, tmp_path / "model"))

    def swap_after_scan(program: meta_graph_pb2.MetaGraphDef) -> ProgramScan:
        scan = scan_program(program)
        shutil.rmtree(folder)
        shutil.copytree(hostile.path, folder)
        return scan

    monkeypatch.setattr("trainer_module.hub.hub_model.scan_program", swap_after_scan)
    model = HubModel(str(folder), tiny_model.digest if pinned else None)
    assert hostile.ask(model.load()) == (1, 32)
    assert not hostile.written.exists()
    assert model.digest == tiny_model.digest


@pytest.mark.slow
def test_who_trusts_it_gets_it_with_all_that_it_does(tiny_hub: Path, tmp_path: Path) -> None:
    model = Hostile(tiny_hub, tmp_path, lambda: tf.io.write_file(str(tmp_path / "written"), "x"))
    trusted = HubModel(str(model.path), allow_unsafe_ops=True)
    assert not model.written.exists()
    assert model.ask(trusted.load()) == (1, 32)
    assert model.written.read_text() == "x"


def test_an_encoder_that_runs_python_is_refused(tiny_hub: Path, tmp_path: Path) -> None:
    model = Hostile(tiny_hub, tmp_path, lambda: tf.py_function(lambda: tf.constant(1), [], tf.int32))
    with pytest.raises(
        UserError, match=r"EagerPyFunc runs Python code \(EagerPyFunc in __inference_call_\d+ and 1 mor"
    ):
        HubModel(str(model.path))


@pytest.mark.slow
def test_the_command_refuses_it_with_exit_code_2(hostile: Hostile, refused: str) -> None:
    command = Path(sys.executable).with_name("permafrost")
    done = subprocess.run(
        [str(command), "plan", "--hub", str(hostile.path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {refused}")
    assert "Traceback" not in done.stderr
    assert not hostile.written.exists()


class Tokenizer(tf.Module):
    """What a preprocessing model offers, with a resource that does its harm while it is loaded."""

    class Harm(tf.saved_model.experimental.TrackableResource):
        def __init__(self, file: Path) -> None:
            super().__init__()
            self.file = str(file)

        def _create_resource(self) -> tf.Tensor:
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="harm")

        def _initialize(self) -> None:
            tf.io.write_file(self.file, "x")

    def __init__(self, written: Path) -> None:
        super().__init__()
        self.harm = self.Harm(written)
        self.handle = self.harm.resource_handle

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def tokenize(self, texts: tf.Tensor) -> tf.Tensor:
        return texts


def test_a_preprocessing_model_that_takes_the_scanned_ones_place_is_not_loaded(tiny_hub: Path, tmp_path: Path) -> None:
    written, path = tmp_path / "written", tmp_path / "preprocess"
    module = tf.Module()
    module.tokenize = tf.function(lambda texts: texts, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(path))
    settings = BertSettings.model_validate({"hub": str(tiny_hub), "text": ["t"], "label": "l", "preprocess": str(path)})
    source = find_tokenizer(settings)
    tf.saved_model.save(Tokenizer(written), str(path))
    written.unlink(missing_ok=True)
    with pytest.raises(UserError, match="can't be loaded"):  # the scanned one, too, has no special tokens
        make_tokenizer(source)
    assert not written.exists()


def test_a_preprocessing_model_that_does_harm_while_it_loads_is_refused(
    tiny_hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, path = tmp_path / "written", tmp_path / "preprocess"
    tf.saved_model.save(Tokenizer(written), str(path))
    written.unlink(missing_ok=True)
    monkeypatch.setattr(tft, "make_and_track_object", lambda factory, name=None: factory())
    bert = {"hub": str(tiny_hub), "text": ["t"], "label": "l", "task": "regression", "preprocess": str(path)}
    columns = {"t": tf.constant([["x"]]), "l": tf.constant([1.0])}
    with pytest.raises(UserError) as error:
        preprocessing_fn(columns, {"bert": bert})
    expected = f"model.preprocess: {path} is a program that reaches beyond the model: WriteFile takes a file or an addr"
    assert str(error.value).startswith(expected)
    assert not written.exists()

    # It has no special tokens; but loading, now allowed, has done the harm.
    with pytest.raises(UserError, match="can't be loaded"):
        preprocessing_fn(columns, {"bert": {**bert, "allow_unsafe_ops": True}})
    assert written.read_text() == "x"
