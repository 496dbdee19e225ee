"""How much arithmetic of a training step a freeze plan saves."""

from math import prod

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.hub.layout import ENCODER, OTHER, POOLER, EncoderLayout, HubVariable


def saved_share(layout: EncoderLayout, plan: FreezePlan, tokens: int, epoch: int | None = None) -> float:
    """The share of a training step's multiplications that the plan saves, against nothing frozen.

    Counts matrix products, attention's included; table lookups, norms and softmax are next to nothing. Each
    product costs the same forward, for the gradient of its input and for the gradient of its weights:

    - forward always runs (what a cache of the frozen prefix saves comes on top);
    - the gradient of inputs goes down to the lowest part in which anything trains, also through frozen
      parts above it;
    - the gradient of weights is left out for every frozen kernel.

    Args:
        tokens: Length of a sequence; `max_tokens` gives the upper end, where attention weighs most.
        epoch: Zero-based; which step it is about, where the plan unfreezes gradually. Default: the last ones.

    Returns:
        0 when everything trains, up to 2/3 when nothing does.
    """
    # Where `other` takes part isn't known; at the bottom it saves nothing that isn't sure.
    order = {block.name: position for position, block in enumerate(plan.blocks())} | {OTHER: -1}
    unused = {variable.name for variable in plan.variables if variable.unused}
    used = [variable for variable in layout.variables if variable.name not in unused]
    training = plan.trains_in(plan.stages[-1] if epoch is None else epoch)
    lowest = min((order[v.block] for v in used if v.name in training), default=len(order))

    def repeats(block: str) -> int:
        """How often a block is applied: more than once where all layers share it."""
        return layout.layers if layout.shared_blocks and block == ENCODER else 1

    full = spent = 0
    for variable in used:
        product = _product_cost(variable, tokens) * repeats(variable.block)
        needs_input_gradient = order[variable.block] >= lowest
        full += 3 * product
        spent += product * (1 + needs_input_gradient + (variable.name in training))
    for block in {variable.block for variable in used if variable.block.startswith(ENCODER)}:
        # Both factors of an attention product are activations: two gradients of inputs, none of weights.
        product = _attention_cost(layout.hidden, tokens) * repeats(block)
        full += 3 * product
        spent += product * (1 + 2 * (order[block] >= lowest))
    return 1 - spent / full if full else 0.0


def _product_cost(variable: HubVariable, tokens: int) -> int:
    """Multiplications of one sequence with a kernel; the pooler reads the first token only."""
    if variable.role.rpartition("/")[2] != "kernel":
        return 0
    return prod(variable.shape) * (1 if variable.block == POOLER else tokens)


def _attention_cost(hidden: int, tokens: int) -> int:
    """Multiplications of one sequence's queries with its keys, and of the weights with its values."""
    return 2 * tokens * tokens * hidden
