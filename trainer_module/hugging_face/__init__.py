"""From a Hugging Face BERT checkpoint to a Hub encoder."""
