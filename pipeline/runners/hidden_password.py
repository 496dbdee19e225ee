"""Keeps a password out of the log: TFX's local runners write down the whole connection."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf import text_encoding
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.metadata_connection import password_of

_HIDDEN = "***"


@contextmanager
def hidden_password(connection: mlmd.ConnectionConfig) -> Iterator[None]:
    """Replaces the connection's password in whatever is logged while the context is open, by whichever logger."""
    password = password_of(connection)
    if not password:
        yield
        return
    # As protobuf prints it: quotes and backslashes are escaped there.
    forms = {password, text_encoding.CEscape(password, True)}
    make = logging.getLogRecordFactory()

    def make_without(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        message = record.getMessage()
        for form in forms:
            message = message.replace(form, _HIDDEN)
        record.msg, record.args = message, ()
        return record

    logging.setLogRecordFactory(make_without)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
