"""What `[retrain]` may say."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.config import PipelineConfig
from pipeline.config_file import load_config
from pipeline.retrain_settings import RetrainSettings
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error

CONFIG = """
[pipeline]
name = "mine"
root = "run"
[data]
train = "rows.csv"
text = ["text"]
label = "label"
[model]
hub = "model"
[retrain]
"""


def load(folder: Path, lines: str) -> PipelineConfig:
    file = folder / "mine.toml"
    file.write_text(CONFIG + lines)
    return load_config(file)


def test_nothing_need_be_said(tmp_path: Path) -> None:
    retrain = load(tmp_path, "").retrain
    assert (retrain.attempts, retrain.backoff_seconds, retrain.timeout_hours) == (3, 60, None)
    assert retrain.hook_on == ["success", "not_blessed", "failure"]


def test_a_command_with_a_slash_is_beside_the_file_and_another_on_the_path(tmp_path: Path) -> None:
    assert load(tmp_path, 'hook = ["./tell", "./a"]').retrain.hook == [f"{tmp_path}/tell", "./a"]
    assert load(tmp_path, 'hook = ["tell", "./a"]').retrain.hook == ["tell", "./a"]


def test_slips_come_all_at_once(tmp_path: Path) -> None:
    slips = """
timezone = "Europe/Berlim"
attempts = 0
timeout_hours = 0
hook = []
webhook = "hooks.example.com"
webhook_token_env = "a-b"
hook_on = ["sucess"]
retries = 3
"""
    with pytest.raises(UserError) as refused:
        load(tmp_path, slips)
    keys = [problem.partition(":")[0] for problem in refused.value.problems]
    assert sorted(keys) == sorted(
        f"retrain.{key}"
        for key in (
            "timezone", "attempts", "timeout_hours", "hook", "webhook", "webhook_token_env", "hook_on[0]", "retries",
        )
    )  # fmt: skip
    assert (
        "retrain.timezone: is no time zone; write one such as 'Europe/Berlin'; given 'Europe/Berlim'"
        in refused.value.problems
    )


@pytest.mark.parametrize(
    "address",
    [
        "http://[::1",
        "http://[::zz]/",
        f"https://{'a' * 64}.example.com/",
        f"https://{'a.' * 130}com/",
        "https://a..example.com/",
        "https://:8080/",
        "https://user@/hooks",
        "https://example.com:port/",
        "https://example.com:65536/",
        "https://example.com:0/",
        "https://example.com/\x1b[2J",
    ],
)
def test_an_address_that_can_not_be_called_is_refused(address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RetrainSettings(webhook=address)
    assert describe_validation_error(refused.value, RetrainSettings) == [
        "webhook: its host or port can't be right; write one such as 'https://hooks.example.com/retraining'"
    ]


@pytest.mark.parametrize(
    "address",
    ["http://[::1]:8080/a", "https://hooks.example.com/a?b=c#d", "https://bücher.example/", "http://user:pw@10.0.0.1/"],
)
def test_an_address_that_can_be_called_is_kept_as_it_is(address: str) -> None:
    assert RetrainSettings(webhook=address).webhook == address


@pytest.mark.parametrize("token", ["abc\n", "a\x1b[2J", "schlüssel"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", token)
    with pytest.raises(UserError) as refused:
        RetrainSettings(webhook="https://a.b/c", webhook_token_env="HOOK_TOKEN").refuse_unusable_hooks()
    assert refused.value.problems == [
        "retrain.webhook_token_env: HOOK_TOKEN holds line breaks or other characters that can't be part of a token"
    ]


def test_what_a_hook_lacks_is_found_before_the_first_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK_TOKEN", raising=False)
    settings = RetrainSettings(hook=["no-such-command"], webhook="https://a.b/c", webhook_token_env="HOOK_TOKEN")
    with pytest.raises(UserError) as refused:
        settings.refuse_unusable_hooks()
    assert refused.value.problems == [
        "retrain.hook: there is no command no-such-command, or it isn't executable",
        "retrain.webhook_token_env: the environment has no HOOK_TOKEN",
    ]
    monkeypatch.setenv("HOOK_TOKEN", "abc")
    settings.model_copy(update={"hook": ["true"]}).refuse_unusable_hooks()
