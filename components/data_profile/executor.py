"""What DataProfile does when it runs."""

import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import EXAMPLES_KEY

from components.custom_config import read_settings
from components.data_profile.profile import ProfileRecord, profile_file, write_profile
from components.data_profile.split_profiler import SplitProfiler
from trainer_module.text.piece_names import read_piece_names, tokenizer_digest
from trainer_module.text.text_encoder import make_tokenizer
from trainer_module.text.tokenizer_source import find_tokenizer

PROFILE_KEY = "data_profile"


class Executor(base_executor.BaseExecutor):
    """Counts; decides nothing."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the profile.

        Args:
            input_dict: `examples`.
            output_dict: `data_profile`.
            exec_properties: Those that `custom_config.read_settings` reads.

        Raises:
            UserError: The settings, or the model's vocabulary, are wrong.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = read_settings(exec_properties)
        source = find_tokenizer(settings)
        profiler = SplitProfiler(settings, make_tokenizer(source), read_piece_names(source))
        examples = artifact_utils.get_single_instance(input_dict[EXAMPLES_KEY])
        splits = {
            split: profiler.profile(_files(artifact_utils.get_split_uri([examples], split)))
            for split in artifact_utils.decode_split_names(examples.split_names)
        }
        record = ProfileRecord(tokenizer=tokenizer_digest(source), splits=splits)
        write_profile(profile_file(artifact_utils.get_single_uri(output_dict[PROFILE_KEY])), record)


def _files(folder: str) -> list[str]:
    return sorted(fileio.glob(os.path.join(folder, "*")))
