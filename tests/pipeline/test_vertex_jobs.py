"""What TFX's executors hand on to Google's client library is what that takes."""

import inspect

from google.cloud.aiplatform import Model
from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer.executor import TRAINING_ARGS_KEY

from pipeline.config import PipelineConfig
from pipeline.vertex_jobs import endpoint_config, training_config
from pipeline.vertex_settings import VertexEndpoint, VertexSettings, VertexTraining

VERTEX = VertexSettings(project="my-project", region="europe-west4", staging_root="gs://my-bucket", image="image:1")


def test_an_endpoints_settings_are_arguments_of_googles_deploy():
    endpoint = VertexEndpoint(endpoint="tickets", accelerator="NVIDIA_L4", accelerator_count=2)
    config = endpoint_config(VERTEX, endpoint)
    assert config.keys() == {
        constants.SERVING_ARGS_KEY,
        constants.VERTEX_CONTAINER_IMAGE_URI_KEY,
        constants.ENABLE_VERTEX_KEY,
        constants.VERTEX_REGION_KEY,
    }
    arguments = config[constants.SERVING_ARGS_KEY]
    assert (arguments["accelerator_type"], arguments["accelerator_count"]) == ("NVIDIA_L4", 2)
    # TFX takes these two for itself, and gives the others to `deploy` as they are.
    of_deploy = arguments.keys() - {"project", "endpoint_name"}
    assert of_deploy <= inspect.signature(Model.deploy).parameters.keys()


def test_a_jobs_keys_are_those_that_tfx_looks_for():
    given = {
        "pipeline": {"name": "mine", "root": "run"},
        "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
        "model": {"hub": "model"},
    }
    config = PipelineConfig.model_validate(given)
    job = training_config(config, VERTEX, VertexTraining(machine_type="n1-standard-8"))
    assert job.keys() == {TRAINING_ARGS_KEY, constants.ENABLE_VERTEX_KEY, constants.VERTEX_REGION_KEY}
