"""The networks of the step benchmark in PyTorch, as their papers describe them; options have the names of flowloom's models.

A network is called with x [batch, channels, height, width], time [batch] and labels [batch] or None; an autoencoder with pictures alone.
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.append(str(Path(__file__).parents[2] / "scripts" / "golden"))
from autoencoders import Decoder, Encoder


def time_features(time, features, scale=1000.0, longest=10000.0):
    """Cosines, then sines, of scaled time at geometric frequencies (Vaswani et al. 2017)."""
    half = features // 2
    frequencies = torch.exp(-math.log(longest) * torch.arange(half, dtype=torch.float32) / half)
    angles = scale * time[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Condition(nn.Module):
    """SiLU of what time and label say, [batch, width]."""

    def __init__(self, features, width, classes):
        super().__init__()
        self.features = features
        self.first, self.second = nn.Linear(features, width), nn.Linear(width, width)
        self.label = None if classes is None else nn.Embedding(classes + 1, width)

    def forward(self, time, labels):
        embedded = self.second(F.silu(self.first(time_features(time, self.features))))
        return F.silu(embedded if self.label is None else embedded + self.label(labels))


class DitBlock(nn.Module):
    """Transformer block with adaptive layer norm (Peebles and Xie 2023, section 3.2)."""

    def __init__(self, width, heads, ratio):
        super().__init__()
        self.heads = heads
        self.modulation = nn.Linear(width, 6 * width)
        self.joint, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def attend(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.joint(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.output(mixed.transpose(1, 2).reshape(batch, tokens, width))

    def forward(self, x, condition):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition)[:, None].chunk(6, dim=2)
        x = x + gate1 * self.attend(modulated_norm(x, shift1, scale1))
        hidden = F.gelu(self.expand(modulated_norm(x, shift2, scale2)), approximate="tanh")
        return x + gate2 * self.contract(hidden)


def modulated_norm(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class Dit(nn.Module):
    """Transformer on patches (Peebles and Xie 2023)."""

    def __init__(self, shape, patch, width, depth, heads, mlpRatio, classes):
        super().__init__()
        channels, height, columns = shape
        self.shape, self.patch = shape, patch
        self.embed = nn.Conv2d(channels, width, patch, stride=patch)
        self.register_buffer("positions", torch.randn(height // patch * (columns // patch), width))
        self.condition = Condition(256, width, classes)
        self.blocks = nn.ModuleList(DitBlock(width, heads, mlpRatio) for _ in range(depth))
        self.modulation = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, patch * patch * channels)

    def forward(self, x, time, labels):
        condition = self.condition(time, labels)
        h = self.embed(x).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            h = block(h, condition)
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=2)
        (channels, height, width), p = self.shape, self.patch
        cells = self.output(modulated_norm(h, shift, scale)).view(-1, height // p, width // p, p, p, channels)
        return cells.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, height, width)


def convolution(inputs, outputs, kernel=3, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)


class ResidualBlock(nn.Module):
    """Residual block with scale-shift conditioning (Dhariwal and Nichol 2021), or a shift alone (Ho et al. 2020)."""

    def __init__(self, inputs, outputs, features, groups, conditioning):
        super().__init__()
        self.shifts = conditioning == "shift"
        self.norm1, self.conv1 = nn.GroupNorm(groups, inputs), convolution(inputs, outputs)
        self.modulation = nn.Linear(features, outputs if self.shifts else 2 * outputs)
        self.norm2, self.conv2 = nn.GroupNorm(groups, outputs), convolution(outputs, outputs)
        self.skip = nn.Identity() if inputs == outputs else convolution(inputs, outputs, 1)

    def forward(self, x, condition):
        told, h = self.modulation(condition)[:, :, None, None], self.conv1(F.silu(self.norm1(x)))
        if self.shifts:
            h = self.norm2(h + told)
        else:
            scale, shift = told.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class MapAttention(nn.Module):
    """Self-attention over the positions of a feature map, with a residual connection (Dhariwal and Nichol 2021)."""

    def __init__(self, channels, heads, groups):
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(groups, channels)
        self.joint, self.output = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x, condition):
        batch, channels = x.shape[:2]
        joint = self.joint(self.norm(x).flatten(2)).view(batch, 3, self.heads, channels // self.heads, -1)
        q, k, v = joint.permute(1, 0, 2, 4, 3)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.output(mixed.transpose(2, 3).reshape(batch, channels, -1)).view(x.shape)


class Doubling(nn.Module):
    """Repeated pixels, then a convolution if there is one."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Unet(nn.Module):
    """U-Net with time and label (Ho et al. 2020; Dhariwal and Nichol 2021)."""

    def __init__(
        self,
        shape,
        patch,
        channels,
        blocks,
        attention,
        headChannels,
        middle,
        skips,
        resample,
        conditioning,
        groups,
        classes,
    ):
        super().__init__()
        features, last, pixels = 4 * channels[0], len(channels) - 1, shape[0] * patch**2
        self.patch, self.keep_all, self.sums = patch, skips == "all", skips == "sum"
        convolved = resample == "convolution"
        self.condition = Condition(channels[0], features, classes)
        self.input = convolution(pixels, channels[0])

        def stage(inputs, outputs, attends):
            block = nn.ModuleList([ResidualBlock(inputs, outputs, features, groups, conditioning)])
            if attends:
                block.append(MapAttention(outputs, outputs // headChannels, groups))
            return block

        saved, current = ([channels[0]] if self.keep_all else []), channels[0]
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        for level, outputs in enumerate(channels):
            self.down.append(nn.ModuleList())
            for _ in range(blocks):
                self.down[-1].append(stage(current, outputs, level in attention))
                saved.append(outputs)
                current = outputs
            if level < last:
                self.shrink.append(convolution(outputs, outputs, stride=2) if convolved else nn.AvgPool2d(2))
                if self.keep_all:
                    saved.append(outputs)
        self.middle = nn.ModuleList()
        if middle:
            self.middle.extend([stage(current, current, True), stage(current, current, False)])
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in range(last, -1, -1):
            outputs = channels[level]
            self.up.append(nn.ModuleList())
            for _ in range(blocks + 1 if self.keep_all else blocks):
                inputs = current if self.sums else current + saved.pop()
                self.up[-1].append(stage(inputs, outputs, level in attention))
                current = outputs
            if level > 0:
                current = channels[level - 1] if self.sums else outputs
                narrow = convolution(outputs, current, 1) if self.sums else nn.Identity()
                double = Doubling(convolution(current, current) if convolved else nn.Identity())
                self.grow.append(nn.Sequential(narrow, double))
        self.norm, self.output = nn.GroupNorm(groups, channels[0]), convolution(channels[0], pixels)

    def forward(self, x, time, labels):
        condition = self.condition(time, labels)

        def apply(stage, h):
            for layer in stage:
                h = layer(h, condition)
            return h

        h = self.input(F.pixel_unshuffle(x, self.patch))
        saved = [h] if self.keep_all else []
        for level, stages in enumerate(self.down):
            for stage in stages:
                h = apply(stage, h)
                saved.append(h)
            if level < len(self.shrink):
                h = self.shrink[level](h)
                if self.keep_all:
                    saved.append(h)
        for stage in self.middle:
            h = apply(stage, h)
        for step, stages in enumerate(self.up):
            for stage in stages:
                skip = saved.pop()
                h = apply(stage, h + skip if self.sums else torch.cat([h, skip], dim=1))
            if step < len(self.grow):
                h = self.grow[step](h)
        return F.pixel_shuffle(self.output(F.silu(self.norm(h))), self.patch)


class VqVae(nn.Module):
    """Autoencoder with a codebook (van den Oord et al. 2017), encoder and decoder of Esser et al. 2021: pictures and the mean loss."""

    def __init__(self, latentChannels, codes, commitment, **sizes):
        super().__init__()
        self.commitment = commitment
        self.encoder, self.decoder = Encoder(**sizes, outputs=latentChannels), Decoder(**sizes, inputs=latentChannels)
        self.to_latents, self.from_latents = (convolution(latentChannels, latentChannels, 1) for _ in range(2))
        self.codebook = nn.Parameter((2 * torch.rand(codes, latentChannels) - 1) / codes)

    def nearest(self, z):
        rows, codes = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1]), self.codebook
        with torch.no_grad():
            indices = torch.addmm((codes**2).sum(1), rows, codes.T, alpha=-2).argmin(dim=1)
        return F.embedding(indices, codes).view(z.shape[0], *z.shape[2:], -1).permute(0, 3, 1, 2)

    def forward(self, x):
        z = self.to_latents(self.encoder(x))
        e = self.nearest(z)
        loss = F.mse_loss(e, z.detach()) + self.commitment * F.mse_loss(z, e.detach())
        return self.decoder(self.from_latents(z + (e - z).detach())), loss


NETWORKS = {"dit": Dit, "unet": Unet, "vq-vae": VqVae}
