"""A user's mistake ends in one message that says what, where and what to do, and nothing is pushed."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from tests.support.project import Project
from trainer_module.errors import UserError

COMMAND = Path(sys.executable).with_name("permafrost")


@pytest.fixture
def project(make_small_project: Callable[..., Project]) -> Project:
    return make_small_project()


def message(project: Project, *overrides: str) -> str:
    """The one message that a run ends in, with the project's folder as `.`."""
    with pytest.raises(UserError) as caught:
        project.run(*overrides)
    assert_nothing_made(project)
    return str(caught.value).replace(str(project.folder), ".")


def assert_nothing_made(project: Project) -> None:
    """Nothing is served, and no component that knows the rows left an artifact that looks whole."""
    assert project.pushed() == []
    left = {path.parent for path in project.artifacts.rglob("*") if path.is_file()}
    assert {folder.parts[len(project.artifacts.parts)] for folder in left} <= {"FreezePlanner"}


# The config. Nothing runs.


def test_config_missing(project: Project) -> None:
    project.config_file = project.folder / "mien.toml"
    assert message(project) == "./mien.toml: no such file; did you mean ./mine.toml?"
    assert project.events.heard == []


def test_config_is_not_toml(project: Project) -> None:
    project.config_file.write_text("[data\ntrain = 1")
    assert re.fullmatch(r"\./mine\.toml: is not valid TOML: .* \(at line 1, column 6\)", message(project))


def test_all_wrong_keys_and_types_at_once(project: Project) -> None:
    overrides = ("model.max_token=16", 'train.epochs="3"', "data.text=text", "train.learning_rate=-1.0", "modle.hub=x")
    assert message(project, *overrides).splitlines() == [
        "5 problems:",
        "  - data.text: should be a valid list; given 'text'",
        "  - model.max_token: is not a known key; did you mean 'max_tokens'?",
        "  - train.epochs: should be a valid integer; given '3'",
        "  - train.learning_rate: should be greater than 0; given -1.0",
        "  - modle: is not a known key; did you mean 'model'?",
    ]


# The model and its rules. No component runs.


def test_no_such_model(project: Project) -> None:
    assert message(project, "model.hub=nowhere") == (
        "model.hub: no such folder: ./nowhere; give a TF-Hub handle or the folder of a SavedModel"
    )


def test_a_folder_that_is_no_saved_model(project: Project) -> None:
    (project.folder / "empty").mkdir()
    assert message(project, "model.hub=empty") == (
        "model.hub: ./empty is not a SavedModel (it has no saved_model.pb); give a TF-Hub handle or the folder of a "
        "TF2 SavedModel, or convert a Hugging Face checkpoint with `permafrost import-hf`"
    )


def test_a_damaged_saved_model(project: Project) -> None:
    (project.folder / "damaged").mkdir()
    project.write("damaged/saved_model.pb", b"\xff" * 100)
    assert message(project, "model.hub=damaged").startswith("model.hub: ./damaged/saved_model.pb is damaged (")


def test_a_saved_model_that_is_no_bert(project: Project) -> None:
    module = tf.Module()
    module.kernel = tf.Variable(tf.ones([2, 3]), name="dense/kernel")
    module.bias = tf.Variable(tf.ones([3]), name="dense/bias")
    tf.saved_model.save(module, str(project.folder / "dense"))
    found = message(project, "model.hub=dense")
    assert found.startswith("model.hub: ./dense is a SavedModel but not a BERT encoder: nothing in it takes ")
    assert "dense/kernel" in found


def test_a_saved_model_without_variables(project: Project) -> None:
    tf.saved_model.save(tf.Module(), str(project.folder / "bare"))
    assert message(project, "model.hub=bare").startswith("model.hub: ./bare is a SavedModel but not a BERT encoder: ")


def test_rules_and_length_that_do_not_fit_the_model(project: Project, tiny_hub: Path) -> None:
    rules = 'model.freeze=[{ freeze = "embedings" }, { freeze = "encoder[3]" }]'
    assert message(project, "model.max_tokens=65", rules).splitlines() == [
        "3 problems:",
        f"  - model.max_tokens: 65 is beyond the 64 positions of {tiny_hub}; set it to 64 or less",
        "  - rule 1 `freeze embedings`: selects no variable of this model; did you mean `embeddings`?",
        "  - rule 2 `freeze encoder[3]`: there is no block 3: this model has 3 blocks, `encoder[0]` … `encoder[2]`",
    ]
    assert project.events.heard == []


# The paths. No component runs.


def test_no_such_data(project: Project) -> None:
    assert message(project, "data.train=trian.csv", "data.eval=nowhere/*.csv").splitlines() == [
        "2 problems:",
        "  - data.train: no such file or folder: ./trian.csv; did you mean './train.csv'?",
        "  - data.eval: no file matches ./nowhere/*.csv",
    ]
    assert project.events.heard == []


def test_an_empty_folder(project: Project) -> None:
    (project.folder / "rows").mkdir()
    project.write("rows/_SUCCESS", "")
    assert message(project, "data.train=rows") == (
        "data.train: folder ./rows holds no files (names that begin with a dot or underscore don't count)"
    )


# The rows. ExampleGen refuses them. Each takes a run; its messages have quick tests of their own.


def test_an_empty_file(project: Project) -> None:
    project.write("train.csv", "")
    assert message(project) == "data.train: ./train.csv: is empty"
    assert ("failed", "ExampleGen") in project.events.heard


@pytest.mark.slow
def test_a_file_with_a_header_only(project: Project) -> None:
    project.write("train.csv", "text,label\n")
    assert message(project) == "data.train: there are no rows"


@pytest.mark.slow
def test_columns_that_are_missing(project: Project) -> None:
    assert message(project, 'data.text=["body"]', "data.label=lable").splitlines() == [
        "4 problems:",
        *[
            f"  - data.{split}: ./{split}.csv: {problem}"
            for split in ("train", "eval")
            for problem in (
                "has no column 'body' (data.text); its columns are: 'text', 'label'",
                "has no column 'lable' (data.label); its columns are: 'text', 'label'; did you mean 'label'?; "
                "if the file has no header row, list the names in data.columns",
            )
        ],
    ]


@pytest.mark.slow
def test_bad_rows_are_refused_where_they_are_not_to_be_dropped(project: Project) -> None:
    project.append("train.csv", " ,pos\ngreat,\n")
    assert message(project, "data.on_bad_rows=fail") == (
        "data.train: 2 of 6 rows can't be used: 1 empty text (./train.csv:6); 1 no label (./train.csv:7); "
        'mend them, or set data.on_bad_rows = "drop"'
    )


@pytest.mark.slow
def test_no_usable_row(project: Project) -> None:
    project.write("train.csv", "text,label\n,pos\n,neg\n")
    assert message(project) == (
        "data.train: 2 of 2 rows can't be used: 2 empty text (./train.csv:2, ./train.csv:3); no row is left"
    )


@pytest.mark.slow
def test_a_label_that_was_never_seen_in_training(project: Project) -> None:
    project.append("eval.csv", "what,neutral\n")
    assert message(project) == (
        "data.eval: 'label' has labels that never occur in train: 'neutral' (1 rows); "
        "correct them, or bring training rows that have them"
    )


@pytest.mark.slow
def test_one_class(project: Project) -> None:
    project.write("train.csv", "text,label\na,pos\nb,pos\n")
    assert message(project) == (
        "data.label: all 2 rows of train have the same 'label', 'pos'; a classifier needs at least two classes"
    )


@pytest.mark.slow
def test_bytes_that_are_not_utf8(project: Project) -> None:
    """That `encoding = "latin-1"` reads them is shown by test_regression_run.py."""
    project.append("train.csv", "café,pos\n", encoding="latin-1")
    assert message(project) == (
        "data.train: ./train.csv, line 6: byte 0xe9 is not valid utf-8; "
        'set data.encoding to what the file is written in, e.g. "latin-1"'
    )


@pytest.mark.slow
def test_a_label_with_a_line_break(project: Project) -> None:
    """Transform's vocabulary holds one label a line."""
    project.append("train.csv", 'fine,"po\ns"\n')
    assert message(project, "data.on_bad_rows=fail") == (
        "data.train: 1 of 5 rows can't be used: 1 line break in the label (./train.csv:6); "
        'mend them, or set data.on_bad_rows = "drop"'
    )


# Found by a later component.


@pytest.mark.slow
def test_what_only_transform_can_see(project: Project) -> None:
    with tf.io.TFRecordWriter(str(project.folder / "rows.tfrecord")) as writer:
        for number in range(8):
            example = tf.train.Example()
            example.features.feature["text"].bytes_list.value.append(b"good")
            example.features.feature["label"].float_list.value.append(number % 2 + 0.5)
            writer.write(example.SerializeToString())
    with pytest.raises(UserError) as caught:
        project.run("data.train=rows.tfrecord", "data.eval=rows.tfrecord")
    assert str(caught.value) == (
        "data.label: 'label' holds fractional numbers; "
        'set model.task = "regression", or write classes as integers or names'
    )
    assert project.pushed() == []
    assert ("failed", "Transform") in project.events.heard


# The command.


@pytest.mark.slow
def test_the_command_exits_with_2(project: Project) -> None:
    project.write("train.csv", "text,label\na,pos\nb,pos\n")
    arguments = [str(COMMAND), "run", "--config", str(project.config_file)]
    done = subprocess.run(arguments, cwd=project.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "error: data.label: all 2 rows of train have the same 'label', 'pos'; a classifier needs at least two classes\n"
    )
    # Beam starts the components that wait for none in any order, so live_model may come before.
    assert [line.strip() for line in done.stdout.rstrip().splitlines()][-2:] == ["ExampleGen …", "✗ ExampleGen"]
    assert_nothing_made(project)
