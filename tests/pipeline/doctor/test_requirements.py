"""What installed packages say of each other; the packages are made for the tests, and really installed for Python."""

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from pipeline.doctor import requirements
from pipeline.doctor.installation import check_glibc, check_python, check_versions

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Install]:
    """`install("tfx", "1.16.0", "numpy<2")`, into a place that hides what else is there."""
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    requirements.all_required.cache_clear()

    def make(name: str, version: str, *required: str, tags: tuple[str, ...] = (), python: str = ">=3.10") -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", f"Requires-Python: {python}"]
        lines += [f"Requires-Dist: {each}" for each in required]
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
        (folder / "WHEEL").write_text("".join(f"Tag: cp310-cp310-{tag}\n" for tag in tags))

    yield make
    requirements.all_required.cache_clear()


def test_packages_that_fit(install: Install) -> None:
    install("permafrost", "1", "tfx==1.16.0; python_version >= '3.10'", "nothing; python_version < '3'")
    install("tfx", "1.16.0", "numpy<2", "kfp>=2; extra == 'kfp'")
    install("numpy", "1.26.4")
    assert list(requirements.conflicts()) == []
    finding = check_versions()
    assert finding.verdict == "ok"
    assert finding.found.startswith("tfx 1.16.0, tensorflow missing, ")


def test_what_does_not_fit_is_named_with_who_needs_it(install: Install) -> None:
    install("permafrost", "1", "tfx==1.16.0", "tensorflow-text==2.16.*")
    install("tfx", "1.16.0", "numpy<2", "tensorflow<2.17,>=2.16")
    install("numpy", "2.1.0")
    install("tensorflow-text", "2.21.0")
    assert list(requirements.conflicts()) == [
        "tensorflow-text is 2.21.0, but permafrost needs ==2.16.*",
        "numpy is 2.1.0, but tfx needs <2",
        "tensorflow is missing, which tfx needs",
    ]
    finding = check_versions()
    assert finding.verdict == "problem"
    assert finding.found == "; ".join(requirements.conflicts())
    assert finding.advice == "set the environment up again: make setup"


def test_what_permafrost_itself_requires_counts_for_all(install: Install) -> None:
    """TFX asks for a tensorflow-hub that doesn't work with its own TensorFlow."""
    install("permafrost", "1", "tfx", "tensorflow-hub==0.16.1")
    install("tfx", "1.16.0", "tensorflow_hub<0.16")
    install("tensorflow-hub", "0.16.1")
    assert list(requirements.conflicts()) == []


def test_extras_that_are_asked_for_count(install: Install) -> None:
    install("permafrost", "1", "beam[gcp]")
    install("beam", "2", "storage>=3; extra == 'gcp'", "azure; extra == 'azure'")
    install("storage", "2")
    assert list(requirements.conflicts()) == ["storage is 2, but beam needs >=3"]


def test_requirements_may_go_in_circles(install: Install) -> None:
    install("permafrost", "1", "a")
    install("a", "1", "b")
    install("b", "1", "a<1")
    assert list(requirements.conflicts()) == []  # `a` is Permafrost's own


def test_the_glibc_that_the_wheels_were_built_for(install: Install) -> None:
    install("permafrost", "1", "a", "b", "c")
    install("a", "1", tags=("manylinux_2_17_x86_64", "manylinux2014_x86_64"))
    install("b", "1", tags=("manylinux_2_39_x86_64", "manylinux_2_28_x86_64"))
    install("c", "1", tags=("any",))
    assert requirements.glibc_needed() == ((2, 28), "b")
    assert check_glibc("2.28").verdict == "ok"
    lanes = {version: check_glibc(version).found for version in ("2.36", "2.39")}
    assert lanes == {
        "2.36": "glibc 2.36, enough for TFX 1.16, but not 1.21; the packages here need 2.28",
        "2.39": "glibc 2.39, enough for both TFX 1.16 and 1.21; the packages here need 2.28",
    }
    finding = check_glibc("2.27")
    assert (finding.verdict, finding.found) == ("problem", "glibc 2.27, but b was built for 2.28")
    assert "UV_PYTHON=3.10 make setup" in finding.advice
    assert check_glibc("").verdict == "problem"


def test_no_wheel_says(install: Install) -> None:
    install("permafrost", "1", "a")
    install("a", "1", tags=("any",))
    assert check_glibc("2.36").verdict == "warning"


def test_a_python_that_is_too_old_or_too_new(install: Install) -> None:
    install("permafrost", "1", "tfx==1.16.0", python=">=3.10,<3.14")
    for version in ("3.9.18", "3.14.0"):
        finding = check_python(version)
        assert (finding.verdict, finding.advice) == ("problem", "choose another: UV_PYTHON=3.10 make setup")
        assert finding.found.startswith(f"Python {version}; Permafrost needs ")
    assert check_python("3.12.1").found == "Python 3.12.1, which goes with TFX ==1.16.0"


def test_permafrost_is_on_the_path_only(install: Install) -> None:
    """As in an image that copies the folders."""
    with pytest.raises(metadata.PackageNotFoundError):
        requirements.all_required()
    assert check_python("3.11.2").verdict == "warning"
    assert check_versions().verdict == "warning"
    assert check_glibc("2.41").verdict == "warning"


def test_this_environment_fits() -> None:
    requirements.all_required.cache_clear()
    assert list(requirements.conflicts()) == []
    assert check_python().verdict == "ok"
    assert check_glibc().verdict == "ok"
    assert check_versions().verdict == "ok"
