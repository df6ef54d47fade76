"""Signal processing as functions of tensors; knows nothing of effects or graphs."""
