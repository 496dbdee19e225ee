"""Rollbacks, in a store and a serving folder as runs leave them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from components.atomic_pusher.archive import archive
from components.atomic_pusher.model_files import files_to_json
from components.atomic_pusher.push import push
from components.atomic_pusher.serving_folder import versions
from pipeline import rollback
from pipeline.config import PipelineConfig
from pipeline.pushes import pushes
from pipeline.rollback import roll_back
from pipeline.rollback_record import rollbacks
from pipeline.run_lock import run_lock
from trainer_module.errors import UserError

CHOOSE = "choose another with --to (`permafrost history` shows which versions a rollback can go back to)"
DATA = "variables/variables.data-00000-of-00001"


class Past:
    """A pipeline that pushed models.

    Args:
        folder: For all that it makes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MetadataStore(sqlite_metadata_connection_config(str(folder / "run" / "metadata.sqlite")))
        self._types = {
            name: self.store.put_artifact_type(mlmd.ArtifactType(name=name))
            for name in ("Model", "PushedModel", "ModelBlessing")
        }
        self._execution_type = self.store.put_execution_type(mlmd.ExecutionType(name="component"))
        self._pipeline = self.store.put_context_type(mlmd.ContextType(name="pipeline"))

    def config(self, keep: int | None = None) -> PipelineConfig:
        return PipelineConfig.model_validate({
            "pipeline": {"name": "mine", "root": str(self.folder / "run")},
            "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
            "model": {"hub": "models/bert"},
            "push": {"directory": str(self.serving), "keep_versions": keep},
        })  # fmt: skip

    @property
    def serving(self) -> Path:
        return self.folder / "serving"

    def model(self, name: str) -> Path:
        """The folder of a model's artifact."""
        return self.folder / "run" / "artifacts" / "Trainer" / "model" / name

    def train_and_push(
        self,
        name: str,
        *,
        blessed: int = 1,
        keep: int | None = None,
        keep_digests: bool = True,
        export: Callable[[Path], object] | None = None,
    ) -> str:
        """Makes a model of this content, and pushes it; gives the version.

        Args:
            name: The name of the artifact, and the content of its `saved_model.pb`.
            blessed: As Evaluator has it.
            keep: `push.keep_versions`.
            keep_digests: False for a push as earlier releases did it.
            export: Writes a model into a folder instead.
        """
        uri = self.model(name)
        model_dir = uri / "Format-Serving"
        if export is not None:
            export(model_dir)
        else:
            for file, content in {
                "saved_model.pb": name,
                "variables/variables.index": "index",
                DATA: name * 50,
            }.items():
                (model_dir / file).parent.mkdir(parents=True, exist_ok=True)
                (model_dir / file).write_text(content)
        model = self._put("Model", str(uri))
        self._put("ModelBlessing", str(uri), blessed=blessed, current_model_id=model)
        pushed = push(str(model_dir), str(self.serving), model_uri=str(uri), model_id=model, keep_versions=keep)
        copy = self.archive(name)
        archive(str(model_dir), str(copy))
        version = str(pushed.version)
        digests = {"model_files": files_to_json(pushed.files)} if keep_digests else {}
        self._put(
            "PushedModel",
            str(copy),
            pushed=1,
            model_id=model,
            pushed_version=version,
            pushed_destination=pushed.path,
            **digests,
        )
        return version

    def archive(self, name: str) -> Path:
        """The copy of a pushed model that Pusher leaves; of the same files, under other names."""
        return self.folder / "run" / "artifacts" / "Pusher" / "pushed_model" / name

    def served(self) -> str:
        """What TensorFlow Serving serves."""
        newest = max(versions(str(self.serving)).items())[1]
        return Path(newest, "saved_model.pb").read_text()

    def live(self) -> str:
        """What new models are compared with."""
        (live,) = (each for each in pushes(self.store, "mine") if each.is_live)
        assert live.model is not None
        return os.path.basename(live.model.uri)

    def withdrawn(self) -> list[str]:
        return [
            os.path.basename(model.uri)
            for model in self.store.get_artifacts_by_type("Model")
            if model.custom_properties["withdrawn"].int_value
        ]

    def _put(self, kind: str, uri: str, **properties: int | str) -> int:
        artifact = mlmd.Artifact(type_id=self._types[kind], uri=uri, state=mlmd.Artifact.LIVE)
        for name, value in properties.items():
            setattr(artifact.custom_properties[name], "int_value" if isinstance(value, int) else "string_value", value)
        execution = mlmd.Execution(type_id=self._execution_type, last_known_state=mlmd.Execution.COMPLETE)
        pair = (artifact, mlmd.Event(type=mlmd.Event.OUTPUT))
        contexts = [mlmd.Context(type_id=self._pipeline, name="mine")]
        _, (number,), _ = self.store.put_execution(execution, [pair], contexts, reuse_context_if_already_exist=True)
        return int(number)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def test_the_version_before_is_live_again(past: Past) -> None:
    first, second = past.train_and_push("a"), past.train_and_push("b")
    done = roll_back(past.config())
    assert (done.from_version, done.to_version) == (second, first)
    assert int(done.version) > int(second), "TensorFlow Serving serves the highest number"
    assert done.pushed_model == str(past.serving / done.version)
    assert (past.served(), past.live(), past.withdrawn()) == ("a", "a", ["b"])
    ((_, summary),) = rollbacks(past.store, "mine")
    assert summary == done.to_json()
    assert rollbacks(past.store, "theirs") == []


def test_again_it_goes_further_back_and_not_to_what_was_withdrawn(past: Past) -> None:
    first = past.train_and_push("a")
    past.train_and_push("b")
    past.train_and_push("c")
    roll_back(past.config())
    assert past.live() == "b"
    assert roll_back(past.config()).to_version == first
    assert (past.served(), past.live(), past.withdrawn()) == ("a", "a", ["b", "c"])
    with pytest.raises(UserError, match=r"is live, and no earlier model is left to go back to$"):
        roll_back(past.config())


def test_a_withdrawn_model_can_be_named(past: Past) -> None:
    past.train_and_push("a")
    second = past.train_and_push("b")
    roll_back(past.config())
    roll_back(past.config(), second)
    assert (past.served(), past.live(), past.withdrawn()) == ("b", "b", ["a"])


def test_a_version_that_was_pruned_is_pushed_from_the_model(past: Past) -> None:
    first = past.train_and_push("a")
    past.train_and_push("b", keep=1)
    assert not (past.serving / first).exists()
    done = roll_back(past.config(keep=1), first)
    assert past.served() == "a"
    assert list(versions(str(past.serving))) == [int(done.version)]


def test_a_model_pushed_after_a_rollback_is_live(past: Past) -> None:
    past.train_and_push("a")
    past.train_and_push("b")
    roll_back(past.config())
    past.train_and_push("c")
    assert (past.served(), past.live()) == ("c", "c")


def test_a_rollback_that_was_killed_is_finished_by_the_same_command(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = past.train_and_push("a"), past.train_and_push("b")
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(rollback, "record_rollback", Mock(side_effect=KeyboardInterrupt))
        roll_back(past.config())
    assert (past.served(), past.live()) == ("a", "b")
    done = roll_back(past.config())
    assert (past.served(), past.live(), past.withdrawn()) == ("a", "a", ["b"])
    assert list(versions(str(past.serving))) == [int(first), int(second), int(done.version)], "pushed once"
    (archive,) = (past.folder / "run" / "artifacts" / "rollback" / "pushed_model").iterdir()
    assert str(archive) in [each.pushed.uri for each in pushes(past.store, "mine")]
    roll_back(past.config(), second)
    assert archive.exists(), "it belongs to a push"


def without_files(past: Past) -> str:
    version = past.train_and_push("a")
    shutil.rmtree(past.model("a"))
    past.train_and_push("b")
    return version


def never_blessed(past: Past) -> str:
    version = past.train_and_push("a", blessed=0)
    past.train_and_push("b")
    return version


def live_already(past: Past) -> str:
    past.train_and_push("a")
    return past.train_and_push("b")


def unknown(past: Past) -> str:
    past.train_and_push("a")
    past.train_and_push("b")
    return "7"


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (without_files, "rollback to version {}: its model's files are gone from {}; " + CHOOSE),
        (never_blessed, "rollback to version {}: Evaluator never blessed its model; " + CHOOSE),
        (live_already, "rollback to version {0}: its model is live already, as version {0}; " + CHOOSE),
        (unknown, "--to {}: this pipeline never pushed such a version; it can go back to: {}"),
    ],
)
def test_refused(past: Past, prepare: Callable[[Past], str], message: str) -> None:
    version = prepare(past)
    first = min(versions(str(past.serving)))
    other = first if prepare is unknown else past.model("a")
    before = sorted(path for path in past.folder.rglob("*") if "run.lock" not in str(path))
    with pytest.raises(UserError) as caught:
        roll_back(past.config(), version)
    assert str(caught.value) == message.format(version, other)
    assert sorted(path for path in past.folder.rglob("*") if "run.lock" not in str(path)) == before
    assert (past.served(), past.live(), past.withdrawn()) == ("b", "b", [])


def remove_values(model: Path) -> None:
    (model / DATA).unlink()


def truncate_values(model: Path) -> None:
    os.truncate(model / DATA, 10)


def replace_values(model: Path) -> None:
    size = (model / DATA).stat().st_size
    (model / DATA).unlink()
    (model / DATA).write_bytes(bytes(size))


def write_into_values(model: Path) -> None:
    with (model / DATA).open("r+b") as stream:
        stream.write(b"\xff\xff\xff\xff")


def replace_values_by_a_pipe(model: Path) -> None:
    (model / DATA).unlink()
    os.mkfifo(model / DATA)


def add_a_file(model: Path) -> None:
    (model / "assets").mkdir()
    (model / "assets" / "vocab.txt").touch()


def assert_refused(past: Past, version: str, found: str) -> None:
    """Rolls back, in vain."""
    with pytest.raises(UserError) as caught:
        roll_back(past.config())
    folder = past.model("a") / "Format-Serving"
    assert str(caught.value) == f"rollback to version {version}: its model in {folder} can't be used: {found}; {CHOOSE}"
    assert (past.served(), past.live(), past.withdrawn()) == ("b", "b", [])


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (remove_values, f"{DATA} is gone"),
        (truncate_values, f"{DATA} has changed"),
        (replace_values, f"{DATA} has changed"),
        (write_into_values, f"{DATA} has changed"),
        (replace_values_by_a_pipe, f"{DATA} has changed"),
        (add_a_file, "assets/vocab.txt is new"),
    ],
)
@pytest.mark.parametrize("keep", [None, 1])
def test_a_model_that_is_not_what_was_pushed_is_refused(
    past: Past, harm: Callable[[Path], None], found: str, keep: int | None
) -> None:
    """Whether its version is still in the serving folder or not."""
    version = past.train_and_push("a")
    past.train_and_push("b", keep=keep)
    harm(past.model("a") / "Format-Serving")
    assert_refused(past, version, found)


@pytest.mark.parametrize("harm", [remove_values, truncate_values, replace_values, write_into_values, add_a_file])
def test_a_push_of_an_earlier_release_is_checked_by_the_note_in_its_version(
    past: Past, harm: Callable[[Path], None]
) -> None:
    version = past.train_and_push("a", keep_digests=False)
    past.train_and_push("b", keep_digests=False)
    harm(past.model("a") / "Format-Serving")
    assert_refused(past, version, "it has changed since it was pushed")


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (remove_values, f"{DATA} is gone"),
        (truncate_values, "it is damaged: "),
        (replace_values, f"{DATA} has changed"),
        (write_into_values, "it is damaged: "),
    ],
)
def test_a_push_of_an_earlier_release_whose_version_was_pruned_is_checked_by_the_copy_and_by_checksums(
    past: Past, export_variables: Callable[..., Path], harm: Callable[[Path], None], found: str
) -> None:
    """The copy may be the same file, so that what was written into the model is in both."""
    values = {"kernel": np.arange(1000, dtype=np.float32)}
    version = past.train_and_push("a", keep_digests=False, export=lambda folder: export_variables(folder, values))
    past.train_and_push("b", keep_digests=False, keep=1)
    harm(past.model("a") / "Format-Serving")
    with pytest.raises(UserError) as caught:
        roll_back(past.config())
    folder = past.model("a") / "Format-Serving"
    expected = f"rollback to version {version}: its model in {folder} can't be used: {found}"
    assert str(caught.value).startswith(expected)
    assert (past.served(), past.live(), past.withdrawn()) == ("b", "b", [])


@pytest.mark.parametrize("keep", [None, 1])
def test_an_intact_push_of_an_earlier_release_is_live_again(
    past: Past, export_variables: Callable[..., Path], keep: int | None
) -> None:
    values = {"kernel": np.arange(1000, dtype=np.float32)}
    past.train_and_push("a", keep_digests=False, export=lambda folder: export_variables(folder, values))
    past.train_and_push("b", keep_digests=False, keep=keep)
    roll_back(past.config())
    assert past.live() == "a"


def test_a_push_of_an_earlier_release_of_which_nothing_was_kept_is_refused(past: Past) -> None:
    version = past.train_and_push("a", keep_digests=False)
    past.train_and_push("b", keep_digests=False, keep=1)
    shutil.rmtree(past.archive("a"))
    found = f"nothing is left to check it by: neither a digest nor a copy in {past.archive('a')}"
    assert_refused(past, version, found)


def test_the_versions_that_are_offered_can_be_gone_back_to(past: Past) -> None:
    first, second = past.train_and_push("a"), past.train_and_push("b")
    past.train_and_push("c")
    remove_values(past.model("a") / "Format-Serving")
    with pytest.raises(UserError, match=rf"it can go back to: {second}$"):
        roll_back(past.config(), "7")
    assert first != second


def test_what_a_killed_rollback_left_is_removed_whatever_it_is(past: Past) -> None:
    past.train_and_push("a")
    past.train_and_push("b")
    archives = past.folder / "run" / "artifacts" / "rollback" / "pushed_model"
    archives.mkdir(parents=True)
    (archives / "1").write_text("a file")
    (archives / "2").symlink_to(past.model("b"))
    roll_back(past.config())
    assert len(list(archives.iterdir())) == 1
    assert (past.model("b") / "Format-Serving" / "saved_model.pb").exists()


def test_nothing_is_live_before_the_first_push(past: Past) -> None:
    with pytest.raises(UserError, match=r"^rollback: pipeline mine has no live model: nothing was pushed yet$"):
        roll_back(past.config())


def test_a_run_that_goes_on_keeps_rollbacks_out(past: Past) -> None:
    past.train_and_push("a")
    past.train_and_push("b")
    with run_lock(str(past.folder / "run")), pytest.raises(UserError, match="one pipeline runs one at a time"):
        roll_back(past.config())


def test_a_push_that_fails_changes_nothing(past: Past) -> None:
    past.train_and_push("a")
    past.train_and_push("b")
    (past.serving / str(2**63 - 1)).mkdir()
    with pytest.raises(UserError, match=r"^push\.directory: .* so that no version can follow it"):
        roll_back(past.config())
    assert (past.live(), past.withdrawn()) == ("b", [])
    assert list((past.folder / "run" / "artifacts" / "rollback" / "pushed_model").iterdir()) == []
