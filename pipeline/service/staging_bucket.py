"""The Cloud Storage bucket that a pipeline's artifacts go to."""

import re
from typing import Any

from pipeline.service.service_errors import Place, google_errors
from trainer_module.errors import UserError


def bucket_name(root: str) -> str:
    """The bucket in `gs://bucket/path`.

    Raises:
        UserError: It is something else.
    """
    parts = re.fullmatch(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/.*)?", root)
    if parts is None:
        raise UserError(
            f"vertex.staging_root: Vertex AI needs a place on Cloud Storage, gs://BUCKET/FOLDER; the compiled "
            f"pipeline has {root!r}: set it and compile again"
        )
    return parts[1]


def check_bucket(root: str, place: Place, credentials: Any) -> None:
    """Makes sure that the bucket exists.

    Google's client library would create a bucket that doesn't exist, so that a slip in its name goes unnoticed. Who
    may not look at a bucket may still use it, so that is for the service to say.

    Raises:
        UserError: There is no such bucket.
        ServiceFailed: Cloud Storage can't be reached.
    """
    from google.api_core.exceptions import Forbidden
    from google.cloud import storage

    name = bucket_name(root)
    client = storage.Client(project=place.project, credentials=credentials)
    with google_errors(place):
        try:
            exists = client.bucket(name).exists()
        except Forbidden:
            return
    if not exists:
        raise UserError(
            f"vertex.staging_root: there is no bucket {name}; correct the name, or create it: "
            f"gcloud storage buckets create gs://{name} --project {place.project} --location {place.region}"
        )
