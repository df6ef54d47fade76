"""A training as a LightningModule, for those who have a Trainer already (``pip install "djgraph[lightning]"``).

Lightning then sees to devices, precision, logging and checkpoints; :class:`djgraph.training.Loop` does without it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from djgraph.errors import InputError
from djgraph.training.clips import collate
from djgraph.training.objective import Objective
from djgraph.training.session import Session, losses_of

try:
    import lightning
except ImportError as problem:
    raise InputError(f'this needs Lightning: pip install "djgraph[lightning]" ({problem})') from problem


class LightningTransitions(lightning.LightningModule):
    """What :func:`djgraph.training.begin` gives, to be handed to a Trainer::

        session = begin(load_training("training.yaml"))
        Trainer(max_epochs=8, precision="bf16-mixed").fit(LightningTransitions(session))

    The network is trained as the configuration says, with its losses, rate, batches and held-out items, which are
    what ``validate`` measures. Under a mixed precision of the Trainer the mixer stays in single precision. Its state
    dict is the network's under ``model.``; ``djgraph.checkpoint.save(path, {"model": module.model.state_dict(), …},
    mixer)`` keeps it for :func:`djgraph.transitions.load_player`.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.model = session.model
        self.objective = Objective(session.config.losses, session.corpus.layout, session.corpus.sample_rate)
        self._parts = [session.mixer]  # in a list: no part of the state

    def training_step(self, batch: dict[str, Any], number: int) -> Tensor:
        """The loss of a batch."""
        return self._loss("train", batch)

    def validation_step(self, batch: dict[str, Any], number: int) -> Tensor:
        """The same of what was held out."""
        return self._loss("held_out", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam at the configuration's rate."""
        return torch.optim.Adam(self.model.parameters(), lr=self.session.config.rate)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The items that are learned from, in an order that is drawn anew each epoch."""
        return self._loader(self.session.training, shuffle=True)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The items that were held out."""
        return self._loader(self.session.tests[0], shuffle=False)

    def on_fit_start(self) -> None:
        """The mixer goes where the network is."""
        for part in self._parts:
            part.to(self.device)

    def _loader(self, data: Any, shuffle: bool) -> DataLoader[dict[str, Any]]:
        config = self.session.config
        return DataLoader(
            data,
            batch_size=min(config.batch, len(data)),
            shuffle=shuffle,
            collate_fn=collate,
            num_workers=config.workers,
        )

    def _loss(self, name: str, batch: dict[str, Any]) -> Tensor:
        found = losses_of(self.session, self.objective, batch)
        values = {f"{name}_{key}": value.detach() for key, value in found.items()}
        self.log_dict(values, batch_size=len(batch["mix"]))
        return found["loss"]
