"""What a Kubeflow Pipelines server or its client library says, in words that tell whom it falls to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.service.service_errors import ServiceFailed
from trainer_module.errors import UserError

TOKEN_VARIABLE = "PERMAFROST_KFP_TOKEN"


@contextmanager
def kfp_errors(host: str, namespace: str | None) -> Iterator[None]:
    """Turns what the kfp client raises into a `UserError`, or into `ServiceFailed`.

    Raises:
        UserError: The token, the namespace or the request are wrong.
        ServiceFailed: The server can't be reached, or failed.
    """
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        words = _words(error)
        if error.status in (401, 403):
            where = f"kfp.namespace ({namespace})" if namespace else "kfp.namespace, which a multi-user Kubeflow needs"
            raise UserError(
                f"Kubeflow Pipelines at {host} refuses: {words}; check {where}, "
                f"and let {TOKEN_VARIABLE} hold a bearer token that it accepts"
            ) from error
        if error.status is not None and 400 <= error.status < 500:
            raise UserError(f"Kubeflow Pipelines at {host} refuses the request: {words}") from error
        raise ServiceFailed(f"Kubeflow Pipelines at {host} failed: {words}") from error
    except TimeoutError as error:
        raise ServiceFailed(f"Kubeflow Pipelines at {host} failed: {error}") from error
    except HTTPError as error:
        reason = getattr(error, "reason", None) or error
        raise ServiceFailed(f"Kubeflow Pipelines can't be reached at {host} (kfp.host): {reason}") from error


def refuse_other_server(answer_id: str | None, host: str) -> str:
    """The id that a server gave to what was made.

    Raises:
        UserError: It gave none, as a login page does, which the client takes for an empty answer.
    """
    if answer_id is None:
        raise UserError(
            f"{host} (kfp.host) doesn't answer as Kubeflow Pipelines does; is it a login page? "
            f"Let {TOKEN_VARIABLE} hold a bearer token"
        )
    return answer_id


def _words(error: Exception) -> str:
    """The server's own words, on one line."""
    body, reason = getattr(error, "body", None), getattr(error, "reason", None)
    try:
        content = json.loads(body or "")
        words = content.get("message") or content.get("error_message") or content.get("error")
    except (ValueError, AttributeError):
        words = None
    return " ".join(str(words or f"{getattr(error, 'status', '')} {reason}").split())
