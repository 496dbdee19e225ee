"""Layer-wise decay of the learning rate: the lower a part of the encoder, the slower it learns."""

from trainer_module.hub.layout import EMBEDDINGS, ENCODER, EncoderLayout, block_name


def layerwise_multipliers(layout: EncoderLayout, decay: float) -> dict[str, float]:
    """What the learning rate of each part is multiplied with (Clark et al. 2020, ELECTRA; Howard & Ruder 2018).

    Args:
        decay: The ratio of a block's learning rate to that of the block above it; the top block's is to the head's.

    Returns:
        By part; those that stand on top of the blocks (`pooler`) or nowhere known (`other`) are left out, as they
        learn like the head. Blocks that share their weights, or can't be told apart, count as one.

    Example:
        >>> layout = EncoderLayout("bert", 2, 8, 2, 16, shared_blocks=False, variables=())
        >>> layerwise_multipliers(layout, 0.5)
        {'encoder[1]': 0.5, 'encoder[0]': 0.25, 'embeddings': 0.125}
    """
    from_the_top = [block_name(index) for index in reversed(range(layout.blocks))] or [ENCODER]
    return {part: decay**depth for depth, part in enumerate([*from_the_top, EMBEDDINGS], start=1)}
