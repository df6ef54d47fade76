"""The plain baseline: the DJ mixer as its description reads, written directly in PyTorch.

What an engineer who knows PyTorch writes for two tracks of four stems without a compiler: a module for each
effect, every spectral effect with its own ``torch.stft``/``torch.istft`` round trip, a reverb by one FFT
convolution, a feedback delay in blocks of its length, and autograd for the backward pass. It does nothing
wasteful that the description does not ask for: constants are computed once, all control curves are interpolated
in one call, the reverb's response is transformed once for each clip length, nothing loops over samples, and
nothing is checked or clamped.

It computes what ``djgraph.compile("dj_mixer")`` computes, up to one thing that the description leaves open: an
inverse STFT followed by another STFT projects the spectrum in between, so three round trips are not exactly one
with the product of the three gains. ``tests/benchmarks`` holds the two against each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from djgraph_fx.room import noise_response
from torch import Tensor, nn
from torch.nn import functional as F

STEMS = ("drums", "bass", "vocals", "other")
TRACKS = ("track_a", "track_b")
LOWEST, HIGHEST = 20.0, 20000.0
"""Cutoffs in Hz at the ends of a filter's control."""


class SpectralEffect(nn.Module):
    """Audio → STFT → gain for each frame and bin → inverse STFT → audio."""

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        self.n_fft, self.hop_length = n_fft, hop_length
        self.register_buffer("window", torch.hann_window(n_fft, dtype=torch.float64))

    def gain(self, controls: Tensor) -> Tensor:
        """``[batch, controls, STFT frames]`` → ``[batch, bins, STFT frames]``."""
        raise NotImplementedError

    def forward(self, audio: Tensor, controls: Tensor) -> Tensor:
        """audio ``[batch, channels, samples]``, controls ``[batch, controls, STFT frames]``."""
        spectrum = torch.stft(
            audio.flatten(0, 1), self.n_fft, self.hop_length, window=self.window, return_complex=True
        )
        spectrum = spectrum.unflatten(0, audio.shape[:2]) * self.gain(controls).unsqueeze(1)
        result = torch.istft(
            spectrum.flatten(0, 1), self.n_fft, self.hop_length, window=self.window, length=audio.shape[-1]
        )
        return result.view_as(audio)


class Equalizer(SpectralEffect):
    """Three bands that add up to 1, each with a gain 0…2."""

    bands: Tensor

    def __init__(self, n_fft: int, hop_length: int, sample_rate: int) -> None:
        super().__init__(n_fft, hop_length)
        frequencies = torch.fft.rfftfreq(n_fft, 1 / sample_rate, dtype=torch.float64)
        low = 1 / (1 + (frequencies / 300) ** 4)
        high = 1 - 1 / (1 + (frequencies / 4000) ** 4)
        self.register_buffer("bands", torch.stack((low, 1 - low - high, high), dim=-1))  # [bins, 3]

    def gain(self, controls: Tensor) -> Tensor:
        return self.bands @ controls


class Filter(SpectralEffect):
    """Low-pass or high-pass with a cutoff 0…1, transparent when wide open."""

    steepness: Tensor

    def __init__(self, n_fft: int, hop_length: int, sample_rate: int, highpass: bool) -> None:
        super().__init__(n_fft, hop_length)
        self.highpass = highpass
        frequencies = torch.fft.rfftfreq(n_fft, 1 / sample_rate, dtype=torch.float64)
        self.register_buffer("steepness", 4 * torch.log(frequencies / LOWEST).unsqueeze(-1))  # [bins, 1]

    def gain(self, controls: Tensor) -> Tensor:
        above = self.steepness - 4 * math.log(HIGHEST / LOWEST) * controls
        travel = (controls if self.highpass else 1 - controls) / 0.1
        travel = travel.clamp(max=1)
        removed = torch.sigmoid(-above if self.highpass else above)
        return 1 - travel * (2 - travel) * removed


class Reverb(nn.Module):
    """Convolution with a fixed response, by one FFT that holds the whole clip."""

    response: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        silent, sounding = round(0.020 * sample_rate), round(1.5 * sample_rate)
        response = noise_response(sample_rate, silent, sounding, damping=0.5, seed=0, channels=2)
        self.register_buffer("response", response.clone())
        self.spectra: dict[tuple[int, torch.dtype], Tensor] = {}

    def forward(self, audio: Tensor, mix: Tensor) -> Tensor:
        """audio ``[batch, 2, samples]``, mix ``[batch, 1, samples]``."""
        samples = audio.shape[-1]
        size = 1 << (samples + self.response.shape[-1] - 2).bit_length()
        if (size, audio.dtype) not in self.spectra:
            self.spectra[size, audio.dtype] = torch.fft.rfft(self.response, size)
        spectrum = torch.fft.rfft(audio, size) * self.spectra[size, audio.dtype]
        return torch.lerp(audio, torch.fft.irfft(spectrum, size)[..., :samples], mix)


class Delay(nn.Module):
    """Echo with feedback, y[n] = x[n − D] + g[n]·y[n − D], a block of D samples at a time."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.samples = round(0.375 * sample_rate)

    def forward(self, audio: Tensor, mix: Tensor, feedback: Tensor) -> Tensor:
        """audio ``[batch, 2, samples]``, mix and feedback ``[batch, 1, samples]``."""
        blocks = audio.split(self.samples, dim=-1)
        gains = (0.7 * feedback).split(self.samples, dim=-1)
        echoes = [torch.zeros_like(blocks[0])]
        for before, gain in zip(blocks, gains[1:]):
            length = gain.shape[-1]
            echoes.append(before[..., :length] + gain * echoes[-1][..., :length])
        return torch.lerp(audio, torch.cat(echoes, dim=-1), mix)


class PlainMixer(nn.Module):
    """The DJ mixer for two tracks of four stems; 54 controls in the order of djgraph's default layout."""

    def __init__(
        self,
        sample_rate: int = 44100,
        n_fft: int = 2048,
        hop_length: int = 512,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.sample_rate, self.hop_length = sample_rate, hop_length
        self.equalizer = Equalizer(n_fft, hop_length, sample_rate)
        self.lowpass = Filter(n_fft, hop_length, sample_rate, highpass=False)
        self.highpass = Filter(n_fft, hop_length, sample_rate, highpass=True)
        self.reverb = Reverb(sample_rate)
        self.delay = Delay(sample_rate)
        self.to(dtype)

    def forward(self, tracks: Mapping[str, Mapping[str, Tensor]], params: Tensor) -> Tensor:
        """tracks: stems ``[batch, 2, samples]`` by track and name; params ``[batch, frames, 54]``.

        Returns the mix, ``[batch, 2, samples]``.
        """
        samples = tracks[TRACKS[0]][STEMS[0]].shape[-1]
        controls = params.transpose(1, 2)
        stem, track = 6 * torch.arange(4), torch.tensor((24, 25, 26))
        columns = torch.cat((stem, track, 27 + stem, 27 + track))
        curves = self._curves(controls[:, columns], samples).split(1, dim=1)
        centres = self._at_frames(controls, samples)
        mixed = []
        for index, name in enumerate(TRACKS):
            first = 27 * index
            parts = []
            for place, stem_name in enumerate(STEMS):
                audio = tracks[name][stem_name] * curves[7 * index + place]
                column = first + 6 * place
                audio = self.equalizer(audio, centres[:, column + 1 : column + 4])
                audio = self.lowpass(audio, centres[:, column + 4 : column + 5])
                audio = self.highpass(audio, centres[:, column + 5 : column + 6])
                parts.append(audio)
            reverb_send, delay_send, feedback = curves[7 * index + 4 : 7 * index + 7]
            audio = self.reverb(torch.stack(parts).sum(0), reverb_send)
            mixed.append(self.delay(audio, delay_send, feedback))
        return mixed[0] + mixed[1]

    def _curves(self, controls: Tensor, samples: int) -> Tensor:
        """``[batch, controls, frames]`` → ``[batch, controls, samples]``: straight lines, smoothed by a 5 ms box."""
        curves = F.interpolate(controls, samples, mode="linear", align_corners=True)
        half = min(round(0.0025 * self.sample_rate), (samples - 1) // 2)
        # A running sum in double precision: a box of 221 samples for the price of two additions.
        total = F.pad(curves.cumsum(-1, dtype=torch.float64), (1, 0))
        width = 2 * half + 1
        smooth = ((total[..., width:] - total[..., :-width]) / width).to(curves.dtype)
        return torch.cat((curves[..., :half], smooth, curves[..., samples - half :]), dim=-1)

    def _at_frames(self, controls: Tensor, samples: int) -> Tensor:
        """``[batch, controls, frames]`` → the values at the centres of the STFT's frames."""
        frames = controls.shape[-1]
        if frames == 1:
            return controls.expand(-1, -1, samples // self.hop_length + 1)
        centres = torch.arange(0, samples + 1, self.hop_length, device=controls.device).clamp(max=samples - 1)
        place = centres.double() * (frames - 1) / max(samples - 1, 1)
        left = place.long().clamp(max=frames - 2)
        weight = (place - left).to(controls.dtype)
        return torch.lerp(controls[..., left], controls[..., left + 1], weight)
