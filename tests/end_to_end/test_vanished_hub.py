"""A Hub model that vanishes during a run: one message, nothing pushed; once it is back, all is well."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config_file import load_config
from pipeline.runners.local import run_pipeline
from tests.support.project import Project
from trainer_module import trainer
from trainer_module.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(make_small_project: Callable[..., Project], tiny_hub: Path) -> Project:
    """With a Hub model of its own; what ran before the one that fails comes out of TFX's cache."""
    project = make_small_project('["freeze embeddings"]', hub="model")
    shutil.copytree(tiny_hub, project.folder / "model")
    return project


@pytest.fixture
def hub(project: Project, tiny_hub: Path) -> Any:
    """Its folder; the model is put back in the end."""
    folder = project.folder / "model"
    yield folder
    shutil.copytree(tiny_hub, folder, dirs_exist_ok=True)


class RemovedAt:
    """Removes the model when a component starts.

    Args:
        component: Which one.
        hub: The model's folder.
    """

    def __init__(self, component: str, hub: Path) -> None:
        self._component = component
        self._hub = hub

    def started(self, component: str, run_id: str) -> None:
        if component == self._component:
            shutil.rmtree(self._hub)

    def ended(self, component: str, seconds: float) -> None: ...

    def failed(self, component: str, error: Exception) -> None: ...


def run_without(component: str, project: Project, hub: Path) -> str:
    """Gives the message; the model is gone when the component starts."""
    with pytest.raises(UserError) as error:
        run_pipeline(load_config(project.config_file, []), RemovedAt(component, hub))
    return str(error.value)


def no_such(hub: Path) -> str:
    return f"model.hub: no such folder: {hub}; give a TF-Hub handle or the folder of a SavedModel"


@pytest.mark.parametrize("component", ["Transform", "Trainer"])
def test_one_that_is_gone_when_a_component_starts(project: Project, hub: Path, component: str) -> None:
    assert run_without(component, project, hub) == no_such(hub)
    assert project.pushed() == []


def test_one_that_is_gone_once_the_trainer_has_opened_it_is_trained_but_not_pushed(
    project: Project, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_encoder = trainer.make_encoder

    def without_original(*given: Any, **more: Any) -> Any:
        shutil.rmtree(hub)
        return make_encoder(*given, **more)

    monkeypatch.setattr(trainer, "make_encoder", without_original)
    with pytest.raises(UserError) as error:
        project.run()
    assert str(error.value) == no_such(hub)
    assert project.pushed() == []


def test_one_that_is_gone_when_the_trained_model_is_to_be_audited(project: Project, hub: Path) -> None:
    assert run_without("FreezeAudit", project, hub) == no_such(hub)
    assert project.pushed() == []


def test_put_back_it_trains_and_is_pushed(project: Project) -> None:
    assert len(project.run().pushed_model or "") > 0
    assert len(project.pushed()) == 1
