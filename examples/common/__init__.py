"""What the training examples share: transitions as batches, the model, the loop, the verdict."""
