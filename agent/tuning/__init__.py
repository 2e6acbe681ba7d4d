"""How the embedded model is tuned for this work: the examples, their prompts, the training, the adapter that ships."""
