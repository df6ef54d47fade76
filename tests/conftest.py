"""What all tests share."""

import torch

# Most tests work on small tensors, where a second thread costs more than it brings; on a busy machine far more.
torch.set_num_threads(1)
