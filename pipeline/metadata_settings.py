"""`[metadata]`: the database in which ML Metadata keeps what every run did."""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import Field, ValidationInfo, field_validator

from pipeline.strict_section import StrictSection

SQLITE = "sqlite"
MYSQL = "mysql"
POSTGRESQL = "postgresql"

SSL_OPTIONS = {
    MYSQL: ("key", "cert", "ca", "capath", "cipher", "verify_server_cert"),
    POSTGRESQL: ("sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert"),
}
"""What may stand behind the `?` of an address; the names are those of ML Metadata's `SSLOptions`."""


class MetadataSettings(StrictSection):
    """Which database.

    Attributes:
        uri: `sqlite:///PATH` (`sqlite:////PATH` where it is absolute), `mysql://USER:PASSWORD@HOST:PORT/DATABASE` or
            `postgresql://…` alike, as SQLAlchemy writes them; default: `metadata.sqlite` in `pipeline.root`. What is
            special in a URL is percent-encoded in user and password.
        password_env: The environment variable that holds the password, which then isn't in `uri`.
    """

    uri: str | None = Field(default=None, repr=False)
    password_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        if uri is not None and (problems := list(_uri_problems(uri))):
            raise ValueError("\n".join(problems))
        return uri

    @field_validator("password_env")
    @classmethod
    def _refuse_second_password(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None or "uri" not in info.data:
            return name
        uri = urlsplit(info.data["uri"] or f"{SQLITE}:///")
        if uri.scheme == SQLITE:
            raise ValueError("is for MySQL and PostgreSQL, but metadata.uri names an SQLite file; remove it")
        if uri.password is not None:
            raise ValueError("names a second password: there is one in metadata.uri already; remove one of the two")
        return name

    @property
    def sqlite_path(self) -> str | None:
        """The path in an SQLite address; None where `uri` names another database, or nothing."""
        if self.uri is None or urlsplit(self.uri).scheme != SQLITE:
            return None
        return unquote(self.uri.removeprefix(f"{SQLITE}:///"))


def _uri_problems(uri: str) -> Iterator[str]:
    """What is wrong, without showing the password that may be in there."""
    scheme, _, rest = uri.partition("://")
    if "\0" in unquote(uri):
        yield "can't hold a NUL character"
        return
    if scheme not in (SQLITE, MYSQL, POSTGRESQL) or not rest:
        yield "should begin with sqlite:///, mysql:// or postgresql://"
        return
    if scheme == SQLITE:
        if not rest.startswith("/") or rest == "/":
            yield "names no file; write sqlite:///PATH, or sqlite:////PATH where the path is absolute"
        return
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        yield "can't be read as an address; in user and password, percent-encode what is special (/ as %2F, @ as %40)"
        return
    yield from _server_problems(parts)


def _server_problems(parts: SplitResult) -> Iterator[str]:
    for what, given in {"user": parts.username, "host": parts.hostname}.items():
        if not given:
            yield f"names no {what}; write {parts.scheme}://USER:PASSWORD@HOST:PORT/DATABASE"
    if not re.fullmatch(r"/[A-Za-z0-9_$-]+", parts.path):
        yield (
            f"should end in the database's name, of letters, digits, _, $ and -, such as /permafrost; "
            f"given {parts.path!r}"
        )
    known = SSL_OPTIONS[parts.scheme]
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            yield f"has the option {name!r}; {parts.scheme} knows {', '.join(known)}"
        elif name == "verify_server_cert" and value not in ("true", "false"):
            yield f"has the option {name}={value}; it takes true or false"
