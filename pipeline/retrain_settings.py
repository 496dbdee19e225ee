"""`[retrain]`: what holds for runs that nobody watches."""

import ipaddress
import os
import shutil
import zoneinfo
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pipeline.strict_section import NonEmpty, StrictSection
from trainer_module.errors import UserError

_LONGEST_HOST = 253
HookEvent = Literal["success", "not_blessed", "failure"]


class RetrainSettings(StrictSection):
    """How `permafrost retrain` runs the pipeline, and whom it tells.

    Attributes:
        timezone: Of `--every`, such as `Europe/Berlin`; default: this machine's.
        attempts: Runs at most until one comes to its end. Only what may pass is tried again: exit code 1 or a killed
            process, never a user's mistake or a gate that stopped the run.
        backoff_seconds: Between the first two attempts; twice as long before each further one, up to an hour, and up to
            a quarter longer by chance.
        timeout_hours: A run that takes longer is ended and counts as failed; default: none does.
        grace_seconds: From SIGTERM to SIGKILL, when a run is ended.
        wait_for_lock: Seconds to wait for another run of the same pipeline to end; default: not at all.
        hook: A command with its arguments. It gets the summary as JSON on stdin, and PERMAFROST_OUTCOME.
        webhook: Gets the summary by POST, as JSON.
        webhook_token_env: The environment variable that holds the token for `Authorization: Bearer`.
        hook_on: When the two are called.
    """

    timezone: str | None = None
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    backoff_seconds: Annotated[float, Field(ge=0, le=3600)] = 60
    timeout_hours: Annotated[float, Field(gt=0)] | None = None
    grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 30
    wait_for_lock: Annotated[float, Field(ge=0)] = 0
    hook: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    webhook: Annotated[str, Field(pattern=r"^https?://[^/\s]+\S*$")] | None = None
    webhook_token_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    hook_on: Annotated[list[HookEvent], Field(min_length=1)] = Field(default=["success", "not_blessed", "failure"])

    @field_validator("timezone")
    @classmethod
    def _refuse_unknown_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in zoneinfo.available_timezones():
            raise ValueError(f"is no time zone; write one such as 'Europe/Berlin'; given {value!r}")
        return value

    @field_validator("webhook")
    @classmethod
    def _refuse_unusable_address(cls, value: str | None) -> str | None:
        if value is not None and not _is_address(value):
            raise ValueError(
                "its host or port can't be right; write one such as 'https://hooks.example.com/retraining'"
            )
        return value

    def refuse_unusable_hooks(self) -> None:
        """Finds at the start what would otherwise be found at the end of a night's run.

        Raises:
            UserError: There is no such command, or the token's variable isn't set or can't be sent.
        """
        problems = []
        if self.hook and shutil.which(self.hook[0]) is None:
            problems.append(f"retrain.hook: there is no command {self.hook[0]}, or it isn't executable")
        token = os.environ.get(self.webhook_token_env or "", "")
        if self.webhook_token_env and not token:
            problems.append(f"retrain.webhook_token_env: the environment has no {self.webhook_token_env}")
        elif not (token.isascii() and token.isprintable()):
            problems.append(
                f"retrain.webhook_token_env: {self.webhook_token_env} holds line breaks or other characters that can't "
                "be part of a token"
            )
        if problems:
            raise UserError(problems)


def _is_address(address: str) -> bool:
    """Whether the host and the port of a URL can be looked up and called."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if "[" in parts.netloc:
            ipaddress.ip_address(host)
        # The codec refuses empty labels, and ones of more than 63 characters.
        return parts.port != 0 and 0 < len(host.encode("idna")) <= _LONGEST_HOST and address.isprintable()
    except ValueError:
        return False
