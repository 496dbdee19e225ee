"""`permafrost doctor` as its users call it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.doctor.installation import check_legacy_keras, check_text_ops

COMMAND = Path(sys.executable).with_name("permafrost")
CONFIG = """
[pipeline]
name = "mine"
root = "ROOT"

[data]
train = "nowhere.csv"
text = ["text"]
label = "label"

[model]
hub = "HUB"
"""


def found(out: str) -> dict[str, dict[str, str]]:
    """What each check of a --json line found, by its name."""
    assert out.count("\n") == 1
    return {entry.pop("check"): entry for entry in json.loads(out)["checks"]}


def test_this_installation_is_well(permafrost: Any) -> None:
    code = permafrost("doctor", "--json")
    checks = found(permafrost.out)
    # How much memory is free is none of the project's business.
    assert [name for name, finding in checks.items() if finding["verdict"] == "problem"] in ([], ["memory"])
    assert list(checks) == ["Python", "glibc", "packages", "legacy Keras", "tensorflow-text", "memory"]
    assert (code, json.loads(permafrost.out)["ok"]) in ((0, True), (2, False))
    assert checks["legacy Keras"]["found"].startswith("tf.keras is tf_keras 2.")
    assert checks["tensorflow-text"]["found"] == "its operations run"
    assert "tensorflow 2." in checks["packages"]["found"]


def test_a_config_adds_what_its_pipeline_needs(permafrost: Any, tmp_path: Path, tiny_hub: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(CONFIG.replace("ROOT", str(tmp_path / "run")).replace("HUB", str(tiny_hub)))
    permafrost("doctor", "--config", str(config), "--set", 'push.directory="gs://bucket/serving"', "--json")
    checks = found(permafrost.out)
    assert list(checks)[6:] == ["config", "pipeline.root", "model.hub"]
    assert checks["config"]["found"] == str(config)
    assert checks["pipeline.root"]["found"].startswith(f"{tmp_path / 'run'} can be written; ")
    assert checks["model.hub"] == {"verdict": "ok", "found": f"{tiny_hub}: bert, 3 blocks", "advice": ""}
    assert not (tmp_path / "run").exists()


def test_each_problem_is_told_with_what_to_do(permafrost: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = tmp_path / "mine.toml"
    config.write_text(CONFIG.replace("ROOT", str(tmp_path / "file" / "run")).replace("HUB", "[nowhere]"))
    assert permafrost("doctor", "--config", str(config)) == 2
    lines = permafrost.out.splitlines()
    (root,) = [number for number, line in enumerate(lines) if "pipeline.root" in line]
    assert lines[root].startswith("problem pipeline.root")
    assert lines[root].endswith(f"{tmp_path / 'file'} is a file, so {tmp_path / 'file' / 'run'} can't be a folder")
    assert lines[root + 1].endswith("→ name another folder in the config, or change its rights")
    (model,) = [line for line in lines if "model.hub " in line]
    assert model.startswith("problem model.hub")
    assert f"{tmp_path}/[nowhere]" in model
    assert lines[-1].endswith("3 problems")


def test_a_config_that_is_wrong_is_a_finding(permafrost: Any, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(CONFIG.replace("name", "nam"))
    assert permafrost("doctor", "--config", str(config), "--json") == 2
    checks = found(permafrost.out)
    assert list(checks)[6:] == ["config"]
    assert "pipeline.nam: is not a known key; did you mean 'name'?" in checks["config"]["found"]


def test_a_section_for_a_service_is_checked(permafrost: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.compute_engine import _metadata

    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "nothing"))
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)
    config = tmp_path / "mine.toml"
    vertex = (
        '[vertex]\nproject = "my-project"\nregion = "europe-west4"\nstaging_root = "gs://my-bucket"\nimage = "i:1"\n'
    )
    config.write_text(f'{CONFIG}{vertex}[kfp]\nhost = "http://127.0.0.1:9"\n')
    assert permafrost("doctor", "--config", str(config), "--json") == 2
    checks = found(permafrost.out)
    assert {name: checks[name]["verdict"] for name in list(checks)[-4:]} == {
        "Google Cloud credentials": "problem",
        "Google Cloud project": "problem",
        "staging bucket": "ok",
        "Kubeflow Pipelines": "problem",
    }
    assert "gcloud auth application-default login" in checks["Google Cloud credentials"]["found"]


def test_text_operations_that_do_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python does for a module that isn't there.
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    finding = check_text_ops()
    assert finding.verdict == "problem"
    assert "doesn't load with TensorFlow 2." in finding.found
    assert finding.advice.startswith("it must be of TensorFlow's own minor version")


def test_legacy_keras_is_active_here() -> None:
    assert check_legacy_keras().verdict == "ok"


@pytest.mark.slow
def test_a_broken_environment(tmp_path: Path) -> None:
    """Keras 3 asked for by the shell, and a tensorflow-text that can't be loaded: both are found, in one go."""
    (tmp_path / "tensorflow_text.py").write_text("raise OSError('undefined symbol: _ZN10tensorflow6StatusC1')\n")
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"
    environment = os.environ | {"PYTHONPATH": path, "TF_USE_LEGACY_KERAS": "0"}
    done = subprocess.run(
        [str(COMMAND), "doctor", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "")
    checks = found(done.stdout)
    assert checks["legacy Keras"]["verdict"] == "problem"
    assert checks["legacy Keras"]["found"].endswith("; TF_USE_LEGACY_KERAS is '0'")
    assert checks["legacy Keras"]["advice"].endswith("set TF_USE_LEGACY_KERAS=1, or leave it unset")
    assert checks["tensorflow-text"]["verdict"] == "problem"
    assert "undefined symbol: _ZN10tensorflow6StatusC1" in checks["tensorflow-text"]["found"]
    assert checks["Python"]["verdict"] == "ok"
