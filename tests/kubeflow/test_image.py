"""The image, as far as it can be read: kubeflow/Dockerfile, .dockerignore, install.sh and entrypoint.sh."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
KUBEFLOW = REPOSITORY / "kubeflow"
SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|KEY|INDEX|PROXY|AUTH|NETRC", re.IGNORECASE)


@dataclass
class Stage:
    """What one FROM begins."""

    name: str
    base: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for word, rest in self.lines if word == instruction]

    def copied_from_here(self) -> list[str]:
        """What COPY takes from the checkout."""
        return [path for each in self.all("COPY") if not each.startswith("--from") for path in each.split()[:-1]]


@dataclass
class Dockerfile:
    arguments: dict[str, str]
    stages: dict[str, Stage]

    @property
    def shipped(self) -> Stage:
        """What is built unless a target is named."""
        return list(self.stages.values())[-1]

    def whole(self, name: str) -> Stage:
        """A stage with the lines of those it begins from."""
        stage = self.stages[name]
        inherited = self.whole(stage.base).lines if stage.base in self.stages else []
        return Stage(name, stage.base, [*inherited, *stage.lines])

    def external_bases(self) -> dict[str, str]:
        """By stage, the base as it is written."""
        return {each.name: each.base for each in self.stages.values() if each.base not in self.stages}


@pytest.fixture(scope="module")
def dockerfile() -> Dockerfile:
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in (KUBEFLOW / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        assert not line.endswith("\\"), "one line each, for this test and for tools/newest_run.sh, which reads ENV"
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]
            stage = stages[name] = Stage(name, base)
        elif stage is None:
            assert word == "ARG"
            key, value = rest.split("=")
            arguments[key] = value
        else:
            stage.lines.append((word, rest))
    return Dockerfile(arguments, stages)


def locked(package: str) -> list[str]:
    """The versions of a package in uv.lock, oldest first."""
    text = (REPOSITORY / "uv.lock").read_text(encoding="utf-8")
    found = re.findall(rf'^name = "{package}"\nversion = "(.+)"$', text, re.MULTILINE)
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


# What it is made of.


def test_every_base_has_a_version_and_can_be_given_by_digest(dockerfile):
    for name, base in dockerfile.external_bases().items():
        argument = re.fullmatch(r"\$\{(\w+)\}", base)
        assert argument, f"stage {name}: a build argument can name another base"
        assert re.search(r":[\w.-]*\d[\w.-]*$", dockerfile.arguments[argument[1]]), f"stage {name}: a version"


def test_python_is_3_11_on_a_debian_whose_glibc_is_new_enough(dockerfile):
    assert dockerfile.arguments["PYTHON_IMAGE"].endswith("/python:3.11-slim-trixie")


def test_beams_launcher_is_of_the_locked_beam_and_of_the_same_python(dockerfile):
    assert dockerfile.arguments["BEAM_IMAGE"].endswith(f"/beam_python3.11_sdk:{locked('apache-beam')[-1]}")


def test_uv_is_the_one_that_wrote_the_lock_file(dockerfile):
    setup = (REPOSITORY / "tools" / "setup.sh").read_text(encoding="utf-8")
    version = re.search(r"'uv>=([\d.]+),", setup)
    assert version
    assert dockerfile.arguments["UV_IMAGE"].endswith(f"/uv:{version[1]}")


def test_every_step_is_one_of_the_scripts(dockerfile):
    steps = [step for stage in dockerfile.stages.values() for step in stage.all("RUN")]
    assert steps == [f"install.sh {step}" for step in ("user", "compiler", "dependencies", "packages")]


def test_the_tests_system_is_made_by_the_same_steps(dockerfile):
    tools = [(REPOSITORY / "tools" / name).read_text(encoding="utf-8") for name in ("newest_root.sh", "newest_run.sh")]
    performed = re.findall(r"install\.sh (user|compiler|dependencies|packages)\b", "".join(tools))
    assert performed == ["user", "compiler", "dependencies", "packages"]


def test_the_script_lists_its_steps_when_it_is_given_another():
    result = subprocess.run([KUBEFLOW / "install.sh", "everything"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert re.findall(r"install\.sh (\w+)", result.stderr) == ["compiler", "dependencies", "packages", "user"]


# What ships.


def test_the_compiler_does_not_ship(dockerfile):
    shipped = dockerfile.whole(dockerfile.shipped.name)
    assert shipped.all("RUN") == ["install.sh user"]


def test_dependencies_and_code_are_layers_of_their_own(dockerfile):
    assert dockerfile.stages["dependencies"].copied_from_here() == ["pyproject.toml", "uv.lock"]
    copies = dockerfile.stages["worker"].all("COPY")
    venv, packages = "/opt/permafrost/venv", "/opt/permafrost/packages"
    assert copies.index(f"--from=dependencies {venv} {venv}") < copies.index(f"--from=packages {packages} {packages}")


def test_the_shipped_packages_are_the_wheels(dockerfile):
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    wheel = re.search(r"^packages = \[(.+)\]$", project, re.MULTILINE)
    assert wheel
    copied = dockerfile.stages["packages"].copied_from_here()
    assert [each for each in copied if "." not in each and each != "LICENSE"] == re.findall(r'"(\w+)"', wheel[1])


def test_docker_is_shown_only_what_is_copied(dockerfile):
    allowed = {
        line.removeprefix("!")
        for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    first_rule = next(
        line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    )
    copied = {path for stage in dockerfile.stages.values() for path in stage.copied_from_here()}
    assert first_rule == "*"
    assert allowed == copied
    assert all((REPOSITORY / path).exists() for path in copied)


def test_it_runs_as_the_user_that_the_script_made_and_is_not_root(dockerfile):
    script = (KUBEFLOW / "install.sh").read_text(encoding="utf-8")
    user = re.search(r"^readonly USER_ID=(\d+)", script, re.MULTILINE)
    assert user and int(user[1]) > 0
    assert dockerfile.shipped.name == "pipeline"
    assert dockerfile.whole("pipeline").all("USER") == [user[1]]
    runner = (REPOSITORY / "tools" / "newest_run.sh").read_text(encoding="utf-8")
    assert f"USER_ID={user[1]}\n" in runner


def test_dataflows_differs_in_the_user_only(dockerfile):
    assert dockerfile.whole("dataflow").lines == dockerfile.whole("worker").lines
    assert dockerfile.whole("dataflow").all("USER") == []


def test_the_environment_says_keras_2_and_finds_the_packages(dockerfile):
    environment = dict(each.split("=", 1) for each in dockerfile.whole("pipeline").all("ENV"))
    assert environment["TF_USE_LEGACY_KERAS"] == "1"
    assert environment["PATH"].startswith("/opt/permafrost/venv/bin:")
    assert environment["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"
    # tools/newest_run.sh takes each line as it is.
    assert not [value for value in environment.values() if set(value) & set("\"'$ \\")]


def test_nothing_secret_is_asked_for_or_kept(dockerfile):
    named = [*dockerfile.arguments]
    for stage in dockerfile.stages.values():
        named += [each.split("=")[0] for word in ("ARG", "ENV", "LABEL") for each in stage.all(word)]
    assert named
    assert [each for each in named if SECRET.search(each)] == []
    assert not [each for stage in dockerfile.stages.values() for each in stage.all("ADD")]


# How it starts.


@pytest.fixture
def entrypoint(dockerfile: Dockerfile, tmp_path: Path) -> Path:
    """The entry point, with Beam's boot where a test can be it."""
    assert dockerfile.whole("pipeline").all("ENTRYPOINT") == ['["/opt/permafrost/entrypoint.sh"]']
    script = (KUBEFLOW / "entrypoint.sh").read_text(encoding="utf-8")
    assert "/opt/apache/beam/boot" in script
    path = tmp_path / "entrypoint.sh"
    path.write_text(script.replace("/opt/apache/beam/boot", str(tmp_path / "boot")))
    path.chmod((KUBEFLOW / "entrypoint.sh").stat().st_mode)
    for name in ("boot", "permafrost"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (["--id=1-1", "--control_endpoint=localhost:1"], "boot --id=1-1 --control_endpoint=localhost:1"),
        (["--worker_pool"], "boot --worker_pool"),
        (["permafrost", "run", "--config", "a b.toml"], "permafrost run --config a b.toml"),
        (["echo", "--id=1"], "--id=1"),
        ([], "permafrost --help"),
        (["--help"], "permafrost --help"),
    ],
)
def test_options_alone_start_a_beam_worker_and_anything_else_is_a_command(entrypoint, tmp_path, arguments, ran):
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run([entrypoint, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{ran}\n", "")


def test_a_failing_command_fails_the_container(entrypoint):
    assert subprocess.run([entrypoint, "sh", "-c", "exit 7"], check=False).returncode == 7
