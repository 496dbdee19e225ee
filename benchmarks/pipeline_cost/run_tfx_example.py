"""TFX's own BERT example: `python -m benchmarks.pipeline_cost.run_tfx_example FOLDER TRAIN_STEPS EVAL_STEPS`.

The pipeline is what the example's `_create_pipeline` makes, its code what the example's module file does; see
`tfx_user_module/bert_cola_module.py` for the three things that had to be changed there. Left out is only the packaging
of that file as a wheel, which needs pip in the environment: it would take some seconds more.
"""

import os
import sys
from pathlib import Path

MODULE_FILE = Path(__file__).with_name("tfx_user_module") / "bert_cola_module.py"
PIPELINE = "tfx_example"


def main(folder: Path, train_steps: int, eval_steps: int) -> None:
    """Runs it once.

    Args:
        folder: Holds `data/` and `encoder/`; gets everything else, with ML Metadata in `metadata.sqlite`.
        train_steps: Batches of training.
        eval_steps: Batches of the evaluation after it.
    """
    os.environ |= {
        "UNSUPPORTED_DO_NOT_PACKAGE_USER_MODULES": "1",
        "BENCHMARK_ENCODER": str(folder / "encoder"),
        "BENCHMARK_TRAIN_STEPS": str(train_steps),
        "BENCHMARK_EVAL_STEPS": str(eval_steps),
    }
    from tfx.examples.bert.cola import bert_cola_pipeline as example

    pipeline = example._create_pipeline(
        pipeline_name=PIPELINE,
        pipeline_root=str(folder / "artifacts"),
        data_root=str(folder / "data"),
        module_file=str(MODULE_FILE),
        serving_model_dir=str(folder / "serving"),
        metadata_path=str(folder / "metadata.sqlite"),
        beam_pipeline_args=example._beam_pipeline_args,
    )
    example.BeamDagRunner().run(pipeline)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
