"""Names of what Transform puts out, shared by training and serving."""

WORD_IDS = "input_word_ids"
TYPE_IDS = "input_type_ids"
MASK = "input_mask"
# Not the raw column's name: TFMA looks a label up among raw and transformed features alike.
LABEL = "transformed_label"
LABEL_VOCABULARY = "labels"
