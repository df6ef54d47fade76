"""What all tests share."""

import torch

# The tensors of the tests are small: a second thread costs more than it brings.
torch.set_num_threads(1)
