"""Words for the model: versioned templates and the types the model must return. Imports nothing of ours."""
