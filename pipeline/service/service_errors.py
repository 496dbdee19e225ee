"""What a pipeline service or its client library says, in words that tell whom it falls to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trainer_module.errors import UserError


class ServiceFailed(RuntimeError):
    """The service failed, or can't be reached; nothing that the user set is at fault. Trying again later may help.

    The command line prints it as it is and exits with code 1.
    """


class RunFailed(RuntimeError):
    """A pipeline run ended without success; the message says which steps failed and why.

    The command line prints it as it is and exits with code 1.
    """


@dataclass(frozen=True)
class Place:
    """Where on Google Cloud something was to be done, for messages.

    Attributes:
        project: Its id.
        region: Such as `europe-west4`.
        service_account: Which the pipeline's steps run as; None: the project's own.
    """

    project: str
    region: str
    service_account: str | None = None


@contextmanager
def google_errors(place: Place) -> Iterator[None]:
    """Turns what Google's client libraries raise into a `UserError`, or into `ServiceFailed`.

    Raises:
        UserError: Credentials, project, region, permission or the request are wrong.
        ServiceFailed: The service is unavailable or failed, or a quota is used up.
    """
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError

    where = f"project {place.project}, region {place.region}"
    try:
        yield
    except TransportError as error:
        raise ServiceFailed(f"Google Cloud can't be reached: {_words(error)}") from error
    except GoogleAuthError as error:
        raise UserError(f"Google Cloud refuses the credentials: {_words(error)}; {LOG_IN}") from error
    except exceptions.Unauthorized as error:
        raise UserError(f"Google Cloud refuses the credentials: {_words(error)}; {LOG_IN}") from error
    except exceptions.Forbidden as error:
        raise UserError(_what_to_grant(_words(error), error.reason, place)) from error
    except exceptions.NotFound as error:
        raise UserError(f"Vertex AI finds no such thing ({where}): {_words(error)}") from error
    except exceptions.TooManyRequests as error:
        raise ServiceFailed(f"A quota of Vertex AI is used up ({where}): {_words(error)}") from error
    except (exceptions.Aborted, exceptions.Cancelled) as error:
        raise ServiceFailed(f"Vertex AI failed ({where}): {_words(error)}") from error
    except exceptions.ClientError as error:
        raise UserError(f"Vertex AI refuses the request ({where}): {_words(error)}") from error
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        raise ServiceFailed(f"Vertex AI failed ({where}): {_words(error)}") from error


LOG_IN = (
    "log in with `gcloud auth application-default login`, "
    "or let GOOGLE_APPLICATION_CREDENTIALS name a service account's key file"
)


def _what_to_grant(words: str, reason: str | None, place: Place) -> str:
    refused = f"Vertex AI denies permission: {words}"
    if reason == "SERVICE_DISABLED":
        return f"{refused}; enable it: gcloud services enable aiplatform.googleapis.com --project {place.project}"
    if "iam.serviceAccounts.actAs" in words or "act as" in words:
        account = place.service_account or "the project's default service account"
        return f"{refused}; you need roles/iam.serviceAccountUser on {account} (vertex.service_account)"
    return (
        f"{refused}; check that vertex.project ({place.project}) is the project you mean; "
        f"you need roles/aiplatform.user there"
    )


def _words(error: Exception) -> str:
    """The service's own words, on one line."""
    return " ".join(str(getattr(error, "message", None) or error).split())
