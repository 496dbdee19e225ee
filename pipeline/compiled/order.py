"""In which order steps run."""

import heapq
from collections import defaultdict

from pipeline.compiled.job import CompiledJob, Task
from trainer_module.errors import UserError


def topological_order(job: CompiledJob) -> list[Task]:
    """Each task after all that it depends on.

    Of several that could be next, what takes no time is: the service would have started it at the same moment, and a
    resolver asked later could find what this very run has put out meanwhile.

    Raises:
        UserError: Tasks wait for each other.
    """
    missing = {name: upstream_tasks(job, task) for name, task in job.tasks.items()}
    followers: dict[str, list[str]] = defaultdict(list)
    for name, upstream in missing.items():
        for other in upstream:
            followers[other].append(name)
    ready = [_rank(job.tasks[name]) for name, upstream in missing.items() if not upstream]
    heapq.heapify(ready)
    order: list[Task] = []
    while ready:
        _, name = heapq.heappop(ready)
        order.append(job.tasks[name])
        for follower in followers[name]:
            missing[follower].discard(name)
            if not missing[follower]:
                heapq.heappush(ready, _rank(job.tasks[follower]))
    if len(order) < len(job.tasks):
        waiting = sorted(set(job.tasks) - {task.name for task in order})
        raise UserError(f"these tasks wait for each other: {', '.join(waiting)}")
    return order


def upstream_tasks(job: CompiledJob, task: Task) -> set[str]:
    """What must have ended before the task can run."""
    inputs = task.spec.inputs
    names = set(task.spec.dependent_tasks)
    names |= {artifact.task_output_artifact.producer_task for artifact in inputs.artifacts.values()}
    names |= {
        job.producer(parameter.task_output_parameter.producer_task)
        for parameter in inputs.parameters.values()
        if parameter.WhichOneof("kind") == "task_output_parameter"
    }
    return names


def _rank(task: Task) -> tuple[bool, str]:
    return task.kind == "container", task.name
