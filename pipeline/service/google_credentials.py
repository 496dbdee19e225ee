"""The credentials that Google's client libraries use on this machine."""

from typing import Any

from pipeline.service.service_errors import LOG_IN, Place, google_errors
from trainer_module.errors import UserError

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def find_credentials(place: Place) -> Any:
    """Application Default Credentials, known to be accepted.

    They are refreshed here, because gRPC takes refused ones for a service that is unavailable.

    Raises:
        UserError: There are none, or they are refused.
        ServiceFailed: Google's token server can't be reached.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import Request

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise UserError(f"Google Cloud: no credentials: {_first_sentence(error)}; {LOG_IN}") from error
    with google_errors(place):
        credentials.refresh(Request())
    return credentials


def no_credentials() -> Any:
    """Stands in for credentials where nothing is sent."""
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()


def _first_sentence(error: Exception) -> str:
    # Google's text goes on with a link to its documentation.
    return " ".join(str(error).split()).split(". ")[0].rstrip(".")
