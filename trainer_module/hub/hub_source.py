"""Where a Hub model may come from, and fetching it from there."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from trainer_module.errors import UserError

DEFAULT_HOSTS = ("tfhub.dev", "kaggle.com", "www.kaggle.com", "gs://")
"""Where TensorFlow's own models are."""

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?")
_PORTS = {"https": ":443", "http": ":80"}


class _Source(NamedTuple):
    """Whom a handle or a list's entry names.

    Attributes:
        scheme: In lower case.
        place: A web host (in lower case; with its port, where that isn't the usual one) or a bucket; empty: any.
    """

    scheme: str
    place: str

    def __str__(self) -> str:
        return self.place if self.scheme == "https" else f"{self.scheme}://{self.place}"


def resolve_handle(handle: str, hosts: Sequence[str] = DEFAULT_HOSTS, key: str = "model.hub") -> str:
    """Finds the folder of a SavedModel, fetching it into TF-Hub's cache if need be.

    A folder of this machine is always allowed. Anything remote is held against `hosts` before anybody is asked, and
    even if it is in the cache: `https` means exactly a listed host and port. What such a host answers is trusted:
    tensorflow-hub follows its redirects, also to other hosts, as tfhub.dev itself needs.

    Args:
        handle: A folder, `https://…`, or an address of a file system that TensorFlow knows, such as `gs://…`.
        hosts: See `problem_with_host`.
        key: Of the setting that holds the handle, for messages.

    Returns:
        The folder: local, or remote where TensorFlow reads the file system itself.

    Raises:
        UserError: There is no such folder, it may not be fetched, or it can't be.
    """
    folder = handle.removeprefix("file://")
    if "://" not in folder:
        if not os.path.isdir(folder):
            raise UserError(f"{key}: no such folder: {handle}; give a TF-Hub handle or the folder of a SavedModel")
        return folder
    _check_allowed(handle, hosts, key)
    # Only here, because settings are read without TensorFlow.
    import tensorflow_hub as hub

    try:
        return str(hub.resolve(handle))
    except Exception as error:  # tensorflow-hub raises whatever its resolver's transport does
        raise UserError(f"{key}: {handle} can't be fetched: {error}") from None


def problem_with_host(entry: str) -> str | None:
    """What is wrong with an entry of a list of hosts.

    Right are `tfhub.dev` and `localhost:8080` (https only), `http://localhost:8080`, `s3://` and `s3://bucket`.
    """
    if _read_entry(entry) is not None:
        return None
    return (
        f"{entry!r} is neither a host such as 'tfhub.dev' or 'models.example.com:8443' nor a scheme with a bucket or "
        "without, such as 's3://models' or 's3://'"
    )


def _check_allowed(handle: str, hosts: Sequence[str], key: str) -> None:
    source = _read_handle(handle)
    if source is None:
        raise UserError(
            f"{key}: {handle!r} doesn't name its host plainly; write https://host/path, in ASCII, without user name, "
            "spaces, backslashes or a dot at the host's end"
        )
    allowed = {_read_entry(entry) for entry in hosts}
    if source in allowed or (source.scheme not in _PORTS and _Source(source.scheme, "") in allowed):
        return
    listed = ", ".join(hosts) or "local folders only"
    if source.scheme == "http" and _Source("https", source.place) in allowed:
        raise UserError(
            f"{key}: {handle} would come unencrypted, so that anybody on the way can change it; "
            f"write https://, or add {str(source)!r} to model.hub_hosts ({listed})"
        )
    raise UserError(
        f"{key}: {handle} is from {source}, which is not among the places that models may come from ({listed}); "
        f"add {str(source)!r} to model.hub_hosts if you trust it"
    )


def _read_handle(handle: str) -> _Source | None:
    """The source that every reader of the URL agrees on; None if they might not."""
    # Readers differ in what they make of these, or drop some of them unseen.
    if re.search(r"[^!-~]|\\", handle):
        return None
    # tensorflow-hub knows a scheme only in lower case.
    parts = re.match(r"([a-z][a-z0-9+.-]*)://([^/?#]*)", handle)
    return _source(*parts.groups()) if parts else None


def _read_entry(entry: str) -> _Source | None:
    scheme, separator, place = entry.rpartition("://")
    if not separator:
        return _source("https", place)
    return _source(scheme, place) if re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) else None


def _source(scheme: str, place: str) -> _Source | None:
    if scheme not in _PORTS:
        return _Source(scheme, place) if re.fullmatch(r"[A-Za-z0-9._:-]*", place) else None
    host = place.lower()
    return _Source(scheme, host.removesuffix(_PORTS[scheme])) if _HOST.fullmatch(host) else None
