"""A password never reaches the log."""

import logging

import pytest
from tfx.orchestration.metadata import mysql_metadata_connection_config, sqlite_metadata_connection_config

from pipeline.runners.hidden_password import hidden_password


@pytest.mark.parametrize("password", ["secret", 'it\'s\\ "secret"'])
def test_a_logged_connection_has_no_password(caplog: pytest.LogCaptureFixture, password: str) -> None:
    connection = mysql_metadata_connection_config("db", 3306, "mine", "me", password)
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "absl")
    with hidden_password(connection):
        logging.getLogger("absl").info("Using connection config:\n %s", connection)
        logging.getLogger("any").info("%d%% of %s", 5, password)
    logging.getLogger("any").info("afterwards: %s", "secret")
    first, second, third = caplog.messages
    assert 'password: "***"' in first
    assert 'user: "me"' in first
    assert "secret" not in first
    assert second == "5% of ***"
    assert third == "afterwards: secret"


def test_without_a_password_nothing_is_changed(caplog: pytest.LogCaptureFixture) -> None:
    with hidden_password(sqlite_metadata_connection_config("/tmp/metadata.sqlite")):
        logging.getLogger("any").warning("as it %s", "is")
    assert caplog.records[0].args == ("is",)
