"""Names of what Transform puts out, and of what goes into the classifier, shared by training and serving."""

from collections.abc import Sequence

WORD_IDS = "input_word_ids"
TYPE_IDS = "input_type_ids"
MASK = "input_mask"
STATES = "states"  # of the tokens, after the parts of the encoder that are cached
POOLED = "pooled"  # what the head reads, where all of the encoder is cached
# Not the raw column's name: TFMA looks a label up among raw and transformed features alike.
LABEL = "transformed_label"
LABEL_VOCABULARY = "labels"


def in_class_order(labels: Sequence[bytes]) -> list[bytes]:
    """The classes in the order in which an exported model answers: `0`, `1`, … each at its own index, others as given.

    Transform puts the most frequent label first, and the classifier is trained like that. But whoever compares
    answers with raw rows, as a stock Evaluator does, takes a label that is a number for the index of its class.

    Args:
        labels: As Transform has them.

    Example:
        >>> in_class_order([b"1", b"0"]), in_class_order([b"spam", b"ham"]), in_class_order([b"2", b"1"])
        ([b'0', b'1'], [b'spam', b'ham'], [b'2', b'1'])
    """
    numbers = [str(number).encode() for number in range(len(labels))]
    return numbers if set(labels) == set(numbers) else list(labels)
