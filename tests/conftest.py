"""What all tests share."""

import torch
from hypothesis import HealthCheck, settings

# Most tests work on small tensors, where a second thread costs more than it brings; on a busy machine far more.
torch.set_num_threads(1)

# No test asserts a time: what is slow on a busy machine is not wrong.
settings.register_profile("djgraph", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("djgraph")
