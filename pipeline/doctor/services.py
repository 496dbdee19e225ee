"""Checks of what a pipeline needs on Google Cloud and on Kubeflow Pipelines."""

import urllib.error
import urllib.request

from pipeline.doctor.examination import Finding, ok, problem, warning
from pipeline.service.google_credentials import find_credentials
from pipeline.service.service_errors import LOG_IN, Place, ServiceFailed
from pipeline.service.staging_bucket import bucket_name
from pipeline.vertex_settings import VertexSettings
from trainer_module.errors import UserError

_PATIENCE_S = 10


def check_credentials(settings: VertexSettings) -> Finding:
    """Whether somebody is logged in to Google Cloud, and accepted."""
    try:
        credentials = find_credentials(Place(settings.project, settings.region))
    except ServiceFailed as error:
        return warning(str(error), "credentials are set, but couldn't be tried; check the network")
    who = getattr(credentials, "service_account_email", None) or "a user"
    return ok(f"accepted; of {who}")


def check_project(settings: VertexSettings) -> Finding:
    """Whether the project of the config is the one that this machine is set to."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        _, project = google.auth.default()
    except DefaultCredentialsError:
        return problem("unknown: there are no credentials", LOG_IN)
    if project is None:
        return ok(f"{settings.project}; this machine has no project of its own")
    if project != settings.project:
        return warning(
            f"vertex.project is {settings.project}, but this machine is set to {project}",
            f"if the config is wrong, change it; else: gcloud config set project {settings.project}",
        )
    return ok(settings.project)


def check_staging_root(settings: VertexSettings) -> Finding:
    """Whether the staging root is a place on Cloud Storage."""
    try:
        return ok(f"bucket {bucket_name(settings.staging_root)}")
    except UserError:
        return warning(
            f"vertex.staging_root is {settings.staging_root}: only permafrost run-compiled can run that",
            "for Vertex AI set it to gs://BUCKET/FOLDER",
        )


def check_kubeflow(host: str) -> Finding:
    """Whether Kubeflow Pipelines answers.

    Args:
        host: Its URL.
    """
    url = f"{host.rstrip('/')}/apis/v2beta1/healthz"
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:
            is_json = "json" in answer.headers.get("Content-Type", "")
    except urllib.error.HTTPError as error:
        return problem(f"{url} answers {error.code} {error.reason}", "check kfp.host")
    except (OSError, ValueError) as error:
        return problem(f"{url} can't be reached: {getattr(error, 'reason', error)}", "check kfp.host and the network")
    if not is_json:
        return warning(f"{url} answers with a page", "check kfp.host; a login page needs PERMAFROST_KFP_TOKEN")
    return ok(f"{host} answers")
