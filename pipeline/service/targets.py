"""Which service a config means, and what is to be sent there."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import PipelineConfig
from pipeline.service.compiled_pipeline import CompiledPipeline, Target, read_compiled
from pipeline.service.orders import PipelineService
from trainer_module.errors import UserError


def choose_target(config: PipelineConfig, given: Target | None) -> Target:
    """The service that is asked for, or the one that the config has a section for.

    Raises:
        UserError: The config has no section for it, or sections for both and nothing is asked for.
    """
    sections: dict[Target, bool] = {"vertex": config.vertex is not None, "kfp": config.kfp is not None}
    present = [target for target, is_there in sections.items() if is_there]
    if given is None and len(present) == 1:
        return present[0]
    if given is None and present:
        raise UserError("the config has the sections [vertex] and [kfp]; say which is meant: --target vertex or kfp")
    if given is None:
        raise UserError("the config says nowhere to run: it needs a section [vertex] or [kfp]")
    if not sections[given]:
        raise UserError(f"--target {given}: the config has no section [{given}]")
    return given


def open_service(config: PipelineConfig, target: Target) -> PipelineService:
    """The service of the config's section. Nothing is sent yet, and no credentials are looked for.

    Raises:
        UserError: A setting is wrong that only the service's client library can tell.
    """
    if target == "vertex":
        from pipeline.service.vertex_service import VertexService

        assert config.vertex is not None
        return VertexService(config.vertex)
    from pipeline.service.kfp_service import KfpService

    assert config.kfp is not None
    return KfpService(config.kfp, config.pipeline.name)


@contextlib.contextmanager
def compiled(config: PipelineConfig, target: Target, job: Path | None) -> Iterator[CompiledPipeline]:
    """A pipeline that was compiled before, or else is compiled now.

    Args:
        config: What to compile, when there is no `job`.
        job: A file that `permafrost compile` wrote.

    Raises:
        UserError: The file is no compiled pipeline, or the config can't be compiled.
    """
    if job is not None:
        yield read_compiled(job, target)
        return
    with tempfile.TemporaryDirectory(prefix="permafrost-") as folder:
        if target == "vertex":
            from pipeline.runners.vertex import compile_job, write_job

            path = Path(folder, "pipeline.json")
            write_job(compile_job(config), path)
        else:
            from pipeline.runners.kfp.package import compile_package

            path = Path(folder, "pipeline.yaml")
            compile_package(config, path)
        yield read_compiled(path, target)
