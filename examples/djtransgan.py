"""Trains a DJ against a listener, on the DJtransGAN mixer: a fader and a three-band EQ for each of two tracks.

    djgraph dataset make corpus --demo --curves 0 --count 120 --graph djtransgan
    python examples/djtransgan.py corpus run

The DJ is the model of ``train_transition.py``. The listener hears mel spectrograms of mixes, and learns to tell those
of the corpus, which somebody made, from those of the DJ, who learns to be taken for one (B.-Y. Chen et al., "Automatic
DJ Transitions with Differentiable Audio Effects and Generative Adversarial Networks", ICASSP 2022; least-squares
losses as X. Mao et al., ICCV 2017). ``--spectral 0`` leaves the DJ with nothing but the listener's word.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import common
from djgraph import losses
from djgraph.losses.mel import mel_filters
from djgraph.training import Trained, processes
from djgraph.training.clips import collate

SIZE = 2048
BANDS = 64


class Listener(nn.Module):
    """Mixes ``[batch, channels, samples]`` to ``[batch, patches]``: 1 for what a person made, 0 for the model's."""

    window: Tensor
    filters: Tensor

    def __init__(self, sample_rate: int, width: int = 16) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(SIZE), persistent=False)
        self.register_buffer("filters", mel_filters(sample_rate, SIZE, BANDS).float(), persistent=False)
        layers: list[nn.Module] = []
        channels = 1
        for depth in range(4):
            wider = width * 2 ** min(depth, 2)
            # Strided along both axes; spectral norm keeps the listener from shouting.
            convolution = nn.Conv2d(channels, wider, 5, stride=2, padding=2)
            layers += [nn.utils.parametrizations.spectral_norm(convolution), nn.LeakyReLU(0.2)]
            channels = wider
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, (BANDS // 16, 3), padding=(0, 1)))

    def forward(self, mix: Tensor) -> Tensor:
        """One value for each stretch of a clip."""
        spectrum = torch.stft(
            mix.mean(1), SIZE, SIZE // 4, window=self.window, pad_mode="constant", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        heard = (self.filters @ power + 1e-5).log10().unsqueeze(1)  # [batch, 1, bands, frames]
        verdict: Tensor = self.layers(heard)
        return verdict.flatten(1)


def main(arguments: Sequence[str]) -> int:
    """Train, or go on, and judge. Exit code 130 where Ctrl-C stopped it."""
    parser = common.parser((__doc__ or "").partition("\n")[0])
    parser.add_argument("--adversarial", type=float, default=0.1, help="weight of the listener's word")
    parser.add_argument("--spectral", type=float, default=1.0, help="weight of the distance to the target")
    parser.add_argument("--listener-rate", type=float, default=1e-3, help="the listener's learning rate")
    options = parser.parse_args(arguments)
    ready = common.session(options)
    model = ready.model
    spectral = losses.SumAndDifference(losses.MultiResolutionSTFT(reduction="none")).to(ready.device)
    listener = Listener(ready.corpus.sample_rate).to(ready.device)
    players = torch.optim.Adam(model.parameters(), betas=(0.5, 0.9))
    listeners = torch.optim.Adam(listener.parameters(), betas=(0.5, 0.9))

    def step(batch: dict[str, Any], batch_size: int) -> Mapping[str, float]:
        mixed = ready.mix(batch, ready.params(batch))
        # The listener's turn.
        real, fake = listener(batch["mix"]), listener(mixed.detach())
        told = (real - 1).square().mean() + fake.square().mean()
        listeners.zero_grad()
        processes.weigh(told, len(mixed), batch_size).backward()
        processes.sum_gradients(listener.parameters())
        listeners.step()
        # The DJ's turn.
        distance = spectral(mixed, batch["mix"]).mean()
        fooled = (listener(mixed) - 1).square().mean()
        loss = options.spectral * distance + options.adversarial * fooled
        players.zero_grad()
        processes.weigh(loss, len(mixed), batch_size).backward()
        processes.sum_gradients(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        players.step()
        found = {"loss": loss, "spectral": distance, "adversarial": fooled, "listener": told}
        return {name: value.item() for name, value in found.items()}

    loop = ready.loop(
        {
            "model": Trained(model, players, options.rate),
            "listener": Trained(listener, listeners, options.listener_rate),
        },
        adversarial=options.adversarial,
        spectral=options.spectral,
        listener_rate=options.listener_rate,
    )
    if not loop.train(ready.training, collate, step):
        return 130
    ready.verdict(spectral)
    return 0


if __name__ == "__main__":
    sys.exit(common.script(main))
