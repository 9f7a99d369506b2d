"""Reference networks in PyTorch, written from their papers, with the parameter names of the published checkpoints.

    peer/bin/python scripts/golden/networks.py > test/golden/networks.json

writes golden outputs and gradients of small networks (needs Python >= 3.10, PyTorch 2.x, NumPy; see blocks.py beside it, whose way of
filling tensors and summing up gradients it shares). `scripts/network-parity.ts` imports the same modules at full size.

Every network is called with x [batch, channels, height, width], time [batch] and labels [batch] or None.
"""

import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from blocks import digits, fill, summary


def sinusoid(time, features, last=0):
    """cos, then sin, of time * 10000^(-i / (half - last)), i = 0 .. half - 1 (Vaswani et al. 2017)."""
    half = features // 2
    powers = torch.arange(half, dtype=torch.float64) / (half - last)
    angles = time[:, None] * (10000.0 ** -powers).to(time.dtype)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


# DiT (Peebles and Xie 2023)


class TimestepEmbedder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time):
        return self.mlp(sinusoid(time, 256))


class LabelEmbedder(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, labels):
        return self.embedding_table(labels)


class PatchEmbed(nn.Module):
    def __init__(self, channels, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


def modulated(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class DitBlock(nn.Module):
    def __init__(self, width, heads, ratio):
        super().__init__()
        self.attn, self.mlp = Attention(width, heads), Mlp(width, ratio * width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x, condition):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(condition)[:, None].chunk(6, dim=2)
        x = x + gate1 * self.attn(modulated(x, shift1, scale1))
        return x + gate2 * self.mlp(modulated(x, shift2, scale2))


class FinalLayer(nn.Module):
    def __init__(self, width, outputs):
        super().__init__()
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x, condition):
        shift, scale = self.adaLN_modulation(condition)[:, None].chunk(2, dim=2)
        return self.linear(modulated(x, shift, scale))


def grid_embedding(rows, columns, width):
    """Half the features for the column, half for the row; sines, then cosines, in each half."""
    frequencies = 10000.0 ** (-np.arange(width // 4) / (width // 4))
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    angles = [position.reshape(-1, 1) * frequencies for position in (column, row)]
    return np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)], axis=1)


class DiT(nn.Module):
    def __init__(self, shape, patch, width, depth, heads, classes, timeScale=1000.0, mlpRatio=4, variances=False):
        super().__init__()
        self.shape, self.patch, self.scale = shape, patch, timeScale
        self.outputs = shape[0] * (2 if variances else 1)
        rows, columns = shape[1] // patch, shape[2] // patch
        positions = torch.from_numpy(grid_embedding(rows, columns, width)).float()[None]
        self.pos_embed = nn.Parameter(positions, requires_grad=False)
        self.x_embedder = PatchEmbed(shape[0], width, patch)
        self.t_embedder = TimestepEmbedder(width)
        if classes is not None:
            self.y_embedder = LabelEmbedder(classes, width)
        self.blocks = nn.ModuleList(DitBlock(width, heads, mlpRatio) for _ in range(depth))
        self.final_layer = FinalLayer(width, patch * patch * self.outputs)

    def forward(self, x, time, labels):
        condition = self.t_embedder(self.scale * time)
        if labels is not None:
            condition = condition + self.y_embedder(labels)
        h = self.x_embedder(x) + self.pos_embed
        for block in self.blocks:
            h = block(h, condition)
        p, (channels, height, width) = self.patch, self.shape
        cells = self.final_layer(h, condition).view(-1, height // p, width // p, p, p, self.outputs)
        return cells.permute(0, 5, 1, 3, 2, 4).reshape(-1, self.outputs, height, width)[:, :channels]


# Improved U-Net, "ADM" (Dhariwal and Nichol 2021)


def halve(x):
    return F.avg_pool2d(x, 2)


def double(x):
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class AdmBlock(nn.Module):
    def __init__(self, inputs, outputs, features, scaled, resize=None):
        super().__init__()
        self.scaled, self.resize = scaled, resize or (lambda h: h)
        self.in_layers = nn.Sequential(nn.GroupNorm(32, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(features, 2 * outputs if scaled else outputs))
        last = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.out_layers = nn.Sequential(nn.GroupNorm(32, outputs), nn.SiLU(), nn.Dropout(0.0), last)
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, condition):
        h = self.in_layers[2](self.resize(self.in_layers[1](self.in_layers[0](x))))
        told = self.emb_layers(condition)[:, :, None, None]
        if self.scaled:
            scale, shift = told.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + told)
        return self.skip_connection(self.resize(x)) + h


class AdmAttention(nn.Module):
    def __init__(self, channels, features, by_head):
        super().__init__()
        self.heads, self.by_head = channels // features, by_head
        self.norm = nn.GroupNorm(32, channels)
        self.qkv, self.proj_out = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x, condition):
        batch, channels = x.shape[:2]
        joint = self.qkv(self.norm(x.flatten(2)))
        if self.by_head:
            q, k, v = joint.view(batch, self.heads, 3, -1, joint.shape[-1]).transpose(3, 4).unbind(2)
        else:
            q, k, v = joint.view(batch, 3, self.heads, -1, joint.shape[-1]).transpose(3, 4).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(batch, channels, -1)
        return x + self.proj_out(mixed).view(x.shape)


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x, condition):
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x, condition):
        return self.conv(double(x))


class Plain(nn.Conv2d):
    def forward(self, x, condition):
        return super().forward(x)


class AdmUnet(nn.Module):
    def __init__(
        self,
        shape,
        channels,
        multipliers,
        blocks,
        attentionResolutions,
        headChannels,
        conditioning,
        residualResampling,
        classes,
        attentionRows="head",
        timeScale=1000.0,
    ):
        super().__init__()
        features, scaled = 4 * channels, conditioning == "scale-shift"
        self.channels, self.scale = channels, timeScale
        self.time_embed = nn.Sequential(nn.Linear(channels, features), nn.SiLU(), nn.Linear(features, features))
        if classes is not None:
            self.label_emb = nn.Embedding(classes + 1, features)

        def block(inputs, outputs, resize=None):
            return AdmBlock(inputs, outputs, features, scaled, resize)

        def attention(side, width):
            return [AdmAttention(width, headChannels, attentionRows == "head")] if side in attentionResolutions else []

        side, current, saved = shape[1], channels, [channels]
        self.input_blocks = nn.ModuleList([nn.ModuleList([Plain(shape[0], channels, 3, padding=1)])])
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                outputs = multiplier * channels
                self.input_blocks.append(nn.ModuleList([block(current, outputs), *attention(side, outputs)]))
                current = outputs
                saved.append(current)
            if level < len(multipliers) - 1:
                smaller = block(current, current, halve) if residualResampling else Downsample(current)
                self.input_blocks.append(nn.ModuleList([smaller]))
                saved.append(current)
                side //= 2
        centre = AdmAttention(current, headChannels, attentionRows == "head")
        self.middle_block = nn.ModuleList([block(current, current), centre, block(current, current)])
        self.output_blocks = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for i in range(blocks + 1):
                outputs = multiplier * channels
                layers = [block(current + saved.pop(), outputs), *attention(side, outputs)]
                current = outputs
                if level > 0 and i == blocks:
                    layers.append(block(current, current, double) if residualResampling else Upsample(current))
                    side *= 2
                self.output_blocks.append(nn.ModuleList(layers))
        self.out = nn.Sequential(nn.GroupNorm(32, current), nn.SiLU(), nn.Conv2d(current, shape[0], 3, padding=1))

    def forward(self, x, time, labels):
        condition = self.time_embed(sinusoid(self.scale * time, self.channels))
        if labels is not None:
            condition = condition + self.label_emb(labels)

        def apply(layers, h):
            for layer in layers:
                h = layer(h, condition)
            return h

        h, saved = x, []
        for layers in self.input_blocks:
            h = apply(layers, h)
            saved.append(h)
        h = apply(self.middle_block, h)
        for layers in self.output_blocks:
            h = apply(layers, torch.cat([h, saved.pop()], dim=1))
        return self.out(h)


# DDPM++ (Song et al. 2021) as trained by Karras et al. 2022


class FilteredConv(nn.Conv2d):
    """A convolution behind a change of size, whose filter is part of the state."""

    def __init__(self, inputs, outputs, kernel, resize=None):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.resize = resize or (lambda h: h)
        self.register_buffer("resample_filter", None if resize is None else torch.full((1, 1, 2, 2), 0.25))

    def forward(self, x):
        return super().forward(self.resize(x))


def song_norm(channels):
    return nn.GroupNorm(min(32, channels // 4), channels, eps=1e-6)


class SongBlock(nn.Module):
    def __init__(self, inputs, outputs, features, resize=None, attends=False):
        super().__init__()
        self.attends = attends
        self.norm0, self.conv0 = song_norm(inputs), FilteredConv(inputs, outputs, 3, resize)
        self.affine = nn.Linear(features, outputs)
        self.norm1, self.conv1 = song_norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        straight = inputs == outputs and resize is None
        self.skip = nn.Identity() if straight else FilteredConv(inputs, outputs, 1, resize)
        if attends:
            self.norm2 = song_norm(outputs)
            self.qkv, self.proj = nn.Conv2d(outputs, 3 * outputs, 1), nn.Conv2d(outputs, outputs, 1)

    def forward(self, x, condition):
        h = self.conv0(F.silu(self.norm0(x))) + self.affine(condition)[:, :, None, None]
        h = (self.skip(x) + self.conv1(F.silu(self.norm1(h)))) * math.sqrt(0.5)
        if not self.attends:
            return h
        # Rows of the joint weight: query, key and value of the first channel, then of the second, ...
        q, k, v = self.qkv(self.norm2(h)).flatten(2).unflatten(1, (-1, 3)).transpose(1, 3).unbind(2)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(h.shape)
        return (h + self.proj(mixed)) * math.sqrt(0.5)


class SongUnet(nn.Module):
    def __init__(
        self, shape, channels, multipliers, blocks, attentionResolutions, classes, augmentLabels=None, timeScale=1000.0
    ):
        super().__init__()
        features, self.channels, self.scale, self.classes = 4 * channels, channels, timeScale, classes
        if classes is not None:
            self.map_label = nn.Linear(classes, channels)
        if augmentLabels is not None:
            self.map_augment = nn.Linear(augmentLabels, channels, bias=False).requires_grad_(False)
            nn.init.zeros_(self.map_augment.weight)  # not used here
        self.map_layer0, self.map_layer1 = nn.Linear(channels, features), nn.Linear(features, features)
        side, current = shape[1], channels
        self.enc = nn.ModuleDict({f"{side}x{side}_conv": FilteredConv(shape[0], channels, 3)})
        saved = [channels]
        for level, multiplier in enumerate(multipliers):
            if level > 0:
                side //= 2
                self.enc[f"{side}x{side}_down"] = SongBlock(current, current, features, halve)
                saved.append(current)
            for i in range(blocks):
                attends = side in attentionResolutions
                self.enc[f"{side}x{side}_block{i}"] = SongBlock(current, multiplier * channels, features, None, attends)
                current = multiplier * channels
                saved.append(current)
        self.dec = nn.ModuleDict()
        for level, multiplier in reversed(list(enumerate(multipliers))):
            if level == len(multipliers) - 1:
                self.dec[f"{side}x{side}_in0"] = SongBlock(current, current, features, None, True)
                self.dec[f"{side}x{side}_in1"] = SongBlock(current, current, features)
            else:
                side *= 2
                self.dec[f"{side}x{side}_up"] = SongBlock(current, current, features, double)
            for i in range(blocks + 1):
                attends = i == blocks and side in attentionResolutions
                inputs = current + saved.pop()
                self.dec[f"{side}x{side}_block{i}"] = SongBlock(inputs, multiplier * channels, features, None, attends)
                current = multiplier * channels
        self.dec[f"{side}x{side}_aux_norm"] = song_norm(current)
        self.dec[f"{side}x{side}_aux_conv"] = FilteredConv(current, shape[0], 3)

    def forward(self, x, time, labels):
        cosines, sines = sinusoid(self.scale * time, self.channels, last=1).chunk(2, dim=1)
        told = torch.cat([sines, cosines], dim=1)
        if self.classes is not None:
            one_hot = F.one_hot(labels, self.classes + 1)[:, : self.classes].to(x.dtype)
            told = told + self.map_label(one_hot * math.sqrt(self.classes))
        condition = F.silu(self.map_layer1(F.silu(self.map_layer0(told))))
        h, saved = x, []
        for block in self.enc.values():
            h = block(h, condition) if isinstance(block, SongBlock) else block(h)
            saved.append(h)
        for name, block in self.dec.items():
            if "_block" in name:
                h = torch.cat([h, saved.pop()], dim=1)
            h = F.silu(block(h)) if "aux_norm" in name else block(h, condition) if isinstance(block, SongBlock) else block(h)
        return h


class Preconditioned(nn.Module):
    """Only the name under which published states hold their network."""

    def __init__(self, **options):
        super().__init__()
        self.model = SongUnet(**options)

    def forward(self, x, time, labels):
        return self.model(x, time, labels)


NETWORKS = {"dit": DiT, "adm": AdmUnet, "song": Preconditioned}

ADM = {
    "shape": [2, 8, 8],
    "channels": 32,
    "multipliers": [1, 2],
    "blocks": 1,
    "attentionResolutions": [4],
    "headChannels": 16,
    "timeScale": 10.0,
}

CASES = {
    "dit": ("dit", {"shape": [3, 8, 4], "patch": 2, "width": 16, "depth": 2, "heads": 2, "classes": 4, "timeScale": 10.0}),
    "dit-variances": (
        "dit",
        {
            "shape": [2, 4, 8],
            "patch": 4,
            "width": 8,
            "depth": 1,
            "heads": 2,
            "classes": None,
            "timeScale": 10.0,
            "variances": True,
        },
    ),
    "adm-shift": ("adm", ADM | {"conditioning": "shift", "residualResampling": False, "classes": None}),
    "adm-residual": (
        "adm",
        ADM | {"conditioning": "scale-shift", "residualResampling": True, "classes": 3, "attentionRows": "kind"},
    ),
    "song": (
        "song",
        {
            "shape": [2, 8, 8],
            "channels": 16,
            "multipliers": [1, 2],
            "blocks": 1,
            "attentionResolutions": [4],
            "classes": 3,
            "augmentLabels": 9,
            "timeScale": 10.0,
        },
    ),
}

BATCH = 2


def tensor_specs(network, first_seed):
    """How each parameter is filled; weights of norms, the only ones of one axis, lie around 1."""
    specs = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        shape = list(parameter.shape)
        norm = name.endswith(".weight") and len(shape) == 1
        scale = 1.5 / math.sqrt(math.prod(shape[1:]) if len(shape) > 1 else 9)
        specs[name] = {"shape": shape, "seed": first_seed + len(specs), "scale": float(np.float32(scale)), "offset": float(norm)}
    return specs


def golden_case(kind, options, first_seed):
    network = NETWORKS[kind](**options).double()
    specs = tensor_specs(network, first_seed)
    parameters = dict(network.named_parameters())
    for name, spec in specs.items():
        parameters[name].data = fill(spec).detach()
    uniform = lambda shape, seed: {"shape": shape, "seed": first_seed + seed, "scale": 1.0, "offset": 0.0}
    x, weights = uniform([BATCH, *options["shape"]], 998), uniform([BATCH, *options["shape"]], 999)
    times = [0.25, 0.75]
    labels = None if options["classes"] is None else [1, options["classes"]]
    output = network(fill(x).detach(), torch.tensor(times, dtype=torch.float64), None if labels is None else torch.tensor(labels))
    (output * fill(weights).detach()).sum().backward()
    gradients = {name: summary(parameters[name].grad) for name in specs}
    state = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    return {
        "kind": kind,
        "options": options,
        "state": state,
        "fixed": {name: digits(network.state_dict()[name].ravel().tolist()) for name in state if name not in specs},
        "tensors": specs,
        "x": x,
        "weights": weights,
        "time": times,
        "labels": labels,
        "output": digits(output.detach().ravel().tolist()),
        "gradients": gradients,
    }


def main():
    cases = {name: golden_case(*case, 10000 * (i + 1)) for i, (name, case) in enumerate(CASES.items())}
    json.dump({"torch": torch.__version__, "cases": cases}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
