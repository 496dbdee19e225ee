"""From a TOML file and overrides to a config, and what goes wrong on the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import PipelineConfig
from pipeline.config_file import load_config
from trainer_module.errors import UserError

REPOSITORY = Path(__file__).parents[2]
CONFIGS = sorted((REPOSITORY / "configs").glob("*.toml"))

SMALL = """
[pipeline]
name = "mine"
root = "runs/mine"

[data]
train = "rows.csv"
text = ["body"]
label = "topic"

[model]
hub = "models/bert"
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "configs" / "mine.toml"
    path.parent.mkdir()
    path.write_text(SMALL)
    return path


def load(path: Path, *overrides: str) -> PipelineConfig:
    return load_config(path, overrides)


def message(path: Path, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load(path, *overrides)
    return str(caught.value)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_of_the_repository_loads(path: Path):
    config = load(path)
    assert config.pipeline.name == path.stem
    config.bert_settings()
    assert f"--config configs/{path.name}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["quickstart", "sst2", "banking77", "mrpc", "nightly"])
def test_local_configs_keep_everything_in_the_checkout(name: str):
    config = load(REPOSITORY / "configs" / f"{name}.toml")
    assert config.pipeline.root == str(REPOSITORY / "runs" / name)
    assert config.push.directory == str(REPOSITORY / "serving" / name)
    assert config.model.hub == str(REPOSITORY / ".cache/hub/minilm-l6")
    assert config.evaluate.thresholds["accuracy"].at_least is not None


def test_paths_are_relative_to_the_file_not_to_the_current_folder(config_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(config_file.parents[1])
    folder = config_file.parent.resolve()
    config = load(Path("configs/mine.toml"), "data.eval=../eval.csv")
    assert config.data.train == str(folder / "rows.csv")
    assert config.data.eval == str(folder.parent / "eval.csv")
    assert config.model.hub == str(folder / "models/bert")
    assert config.push.directory == str(folder / "runs/mine/serving")


def test_relative_paths_behind_a_symlinked_folder(config_file: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to(config_file.parent)
    assert load(link / "mine.toml", "data.train=../rows.csv").data.train == str(tmp_path.resolve() / "rows.csv")


def test_byte_order_mark_is_no_matter(config_file: Path):
    config_file.write_text(SMALL, encoding="utf-8-sig")
    assert load(config_file).pipeline.name == "mine"


def test_overrides_are_toml_or_else_strings(config_file: Path):
    config = load(
        config_file,
        "model.max_tokens=64",
        "data.label=team",
        'data.text=["title", "body"]',
        r"data.delimiter=\t",
        'model.freeze=[{ freeze = "all" }, { train = "bias" }]',
        "train.learning_rate=1e-3",
        "train.epochs=1",
        "train.epochs = 2",
        "evaluate.thresholds.accuracy.at_least=0.5",
        'push={ directory = "out" }',
        "pipeline.name=2024-05-01",
        "model.hub=https://tfhub.dev/x?a=b",
    )
    assert config.model.max_tokens == 64
    assert config.data.label == "team"
    assert config.data.text == ["title", "body"]
    assert config.data.delimiter == "\t"
    assert [str(rule) for rule in config.model.freeze] == ["freeze all", "train bias"]
    assert (config.train.learning_rate, config.train.epochs) == (1e-3, 2)
    assert config.evaluate.thresholds["accuracy"].at_least == 0.5
    assert config.push.directory == str(config_file.parent.resolve() / "out")
    assert config.pipeline.name == "2024-05-01"
    assert config.model.hub == "https://tfhub.dev/x?a=b"


def test_override_with_a_line_break_is_one_string(config_file: Path):
    assert load(config_file, "data.label=1\nother = 2").data.label == "1\nother = 2"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.max_tokens", "has no '='; write section.key=value, such as model.max_tokens=64"),
        ("=1", "'' is not a key; write section.key, such as model.max_tokens"),
        ("model..hub=x", "'model..hub' is not a key; write section.key, such as model.max_tokens"),
        ("max_tokens=64", "'max_tokens' names no section; did you mean model.max_tokens?"),
        ("schema=x", "'schema' names no section; did you mean data.schema?"),
        (
            "nonsense=1",
            f"'nonsense' names no section; sections: {', '.join(PipelineConfig.model_fields)}",
        ),
        ("staging_root=x", "'staging_root' names no section; did you mean vertex.staging_root?"),
        ("model.hub.path=x", "model.hub is a value ('models/bert'), so it has no key 'path'"),
        ("data.text=[1", "the value is not valid TOML: Unclosed array (at end of document)"),
    ],
)
def test_unreadable_overrides(config_file: Path, override: str, expected: str):
    assert message(config_file, override) == f"--set {override}: {expected}"


def test_unreadable_overrides_come_at_once(config_file: Path):
    assert message(config_file, "a", "b=1").splitlines()[0] == "2 problems:"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.max_token=64", "model.max_token: is not a known key; did you mean 'max_tokens'?"),
        ("modle.hub=x", "modle: is not a known key; did you mean 'model'?"),
        ("model.max_tokens=many", "model.max_tokens: should be a valid integer; given 'many'"),
        ('train.epochs="3"', "train.epochs: should be a valid integer; given '3'"),
        ("train.epochs=true", "train.epochs: should be a valid integer; given True"),
        ("data.label=", "data.label: should have at least 1 character; given ''"),
        ("data.label=7", "data.label: should be a valid string; given 7"),
        ("train=rows.csv", "train: should be a table of keys and values; given 'rows.csv'"),
        ("model.freeze=[{ freeze = 3 }]",
         'model.freeze: rule 1 `freeze 3`: the selector must be text such as "encoder[0]", not 3'),
    ],
)  # fmt: skip
def test_overrides_are_validated_like_the_file(config_file: Path, override: str, expected: str):
    assert message(config_file, override) == expected


def test_all_problems_at_once(config_file: Path):
    config_file.write_text(
        """
        [pipeline]
        name = "mine"

        [model]
        hub = "models/bert"
        max_tokens = "64"
        task = "ranking"

        [train]
        epoch = 3
        """
    )
    assert message(config_file) == (
        "5 problems:\n"
        "  - pipeline.root: is missing\n"
        "  - data: is missing\n"
        "  - model.max_tokens: should be a valid integer; given '64'\n"
        "  - model.task: should be 'classification' or 'regression'; given 'ranking'\n"
        "  - train.epoch: is not a known key; did you mean 'epochs'?"
    )


def test_file_missing(config_file: Path):
    folder = config_file.parent
    near = folder / "mien.toml"
    assert message(near) == f"{near}: no such file; did you mean {config_file}?"
    far = folder / "quickstart"
    assert message(far) == f"{far}: no such file; config files in {folder}: mine.toml"
    lost = folder / "lost" / "mine.toml"
    assert message(lost) == f"{lost}: no such file; there is no folder {lost.parent}"
    assert message(folder) == f"{folder}: is a folder, not a config file; config files in {folder}: mine.toml"
    config_file.unlink()
    assert message(far) == f"{far}: no such file; there is no .toml file in {folder}"


def test_file_missing_in_the_current_folder(config_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(config_file.parent)
    assert message(Path("mine.tml")) == "mine.tml: no such file; did you mean mine.toml?"


def test_not_toml(config_file: Path):
    config_file.write_text("[pipeline]\nname: mine\n")
    found = message(config_file)
    assert found.startswith(f"{config_file}: is not valid TOML: Expected '=' after a key")
    assert "line 2, column 5" in found


def test_not_utf8(config_file: Path):
    config_file.write_bytes(b"# caf\xe9\n")
    assert message(config_file) == f"{config_file}: is not UTF-8 (at byte 5); save it as UTF-8"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("seed = " + "9" * 5000, "is not valid TOML: it holds an integer of thousands of digits"),
        ("a = " + "[" * 20_000 + "]" * 20_000, "is not valid TOML: it is nested too deeply"),
        ("a = " + "{ a = " * 5_000 + "1" + " }" * 5_000, "is not valid TOML: it is nested too deeply"),
    ],
)
def test_what_the_toml_parser_gives_up_on_is_told_plainly(config_file: Path, line: str, problem: str):
    config_file.write_text(f"{SMALL}[train]\n{line}\n")
    assert message(config_file) == f"{config_file}: {problem}"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("train.epochs=9223372036854775808", "train.epochs: should fit into 64 bits; given 9223372036854775808"),
        ("train.epochs=-" + "9" * 400, f"train.epochs: should fit into 64 bits; given -{'9' * 299}… (401 characters)"),
        ("train.epochs=" + "9" * 5000,
         f"train.epochs: should be a valid integer; given '{'9' * 299}… (5,002 characters)"),
        (r'data.delimiter="\u0000"', r"data.delimiter: holds a NUL byte; remove it; given '\x00'"),
        (r'retrain.hook=["tell", "a\u0000b"]', r"retrain.hook[1]: holds a NUL byte; remove it; given 'a\x00b'"),
        (r'evaluate.thresholds={ "a\u0000b" = 1 }',
         r"evaluate.thresholds: has a key with a NUL byte, 'a\x00b'; remove it"),
        ("data.train=a\udcffb", r"data.train: holds a character that isn't UTF-8; remove it; given 'a\udcffb'"),
        ("model.hub=\ud800", r"model.hub: holds a character that isn't UTF-8; remove it; given '\ud800'"),
        ("train.a\udcff=1", "train: has a key with a character that isn't UTF-8, 'a\\udcff'; remove it"),
        (".".join("a" * 900) + "=1", f"{'.'.join('a' * 50)}: is nested more than 50 levels deep; no key is"),
    ],
    ids=range(10),
)  # fmt: skip
def test_values_that_no_key_may_have_are_refused_wherever_they_are(config_file: Path, override: str, problem: str):
    assert message(config_file, *(["a.b=1"] if override.startswith("a.") else []), override) == problem


@pytest.mark.parametrize("override", ["train.{}=1", "{}.a=1", "{}=1", "{}.=1", "model.hub.{}=1"])
def test_a_very_long_key_is_shown_shortened(config_file: Path, override: str):
    assert len(message(config_file, override.format("a" * 5000))) < 1500


def test_all_values_that_no_key_may_have_come_at_once(config_file: Path):
    config_file.write_text(SMALL.replace("models/bert", r"a\u0000") + f"[train]\nepochs = {2**63}\nseed = {-(2**63)}\n")
    assert message(config_file).splitlines() == [
        "2 problems:",
        r"  - model.hub: holds a NUL byte; remove it; given 'a\x00'",
        "  - train.epochs: should fit into 64 bits; given 9223372036854775808",
    ]


def test_a_device_or_a_queue_is_no_config(tmp_path: Path):
    assert message(Path("/dev/zero")) == "/dev/zero: is no regular file; give a config file"
    os.mkfifo(tmp_path / "queue")
    assert message(tmp_path / "queue") == f"{tmp_path}/queue: is no regular file; give a config file"


def test_a_name_that_no_file_can_have(tmp_path: Path):
    path = tmp_path / ("a" * 300)
    assert message(path) == f"{path}: cannot be read: File name too long"


def test_loading_imports_no_tensorflow():
    heavy = {"tensorflow", "tfx", "numpy"}
    code = f"import sys, pipeline.config_file; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
