"""Golden outputs and gradients of the networks' building blocks, from PyTorch.

    python3 -m venv peer && peer/bin/pip install torch==2.13.0 numpy
    peer/bin/python scripts/golden/blocks.py > test/golden/blocks.json

Needs Python >= 3.10 and PyTorch (written with 2.13.0; any 2.x gives the same numbers to the stated digits). The blocks are written
here from their papers, on torch.nn.functional alone. Inputs and parameters are not stored: each tensor is filled row by row with
offset + scale * (2 u - 1), u from mulberry32(seed), rounded to float32; outputs and gradients are computed in float64. For the
gradients of sum(output * weights) the file holds the norm, the sum of products with mulberry32(1)'s numbers 2 u - 1, and samples.
"""

import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F


def mulberry32(seed, count):
    """The first `count` numbers of mulberry32(seed), float64; the sums and products wrap at 2^32."""
    state = np.uint32(seed) + np.uint32(0x6D2B79F5) * np.arange(1, count + 1, dtype=np.uint32)
    t = (state ^ (state >> 15)) * (state | 1)
    t ^= t + (t ^ (t >> 7)) * (t | 61)
    return (t ^ (t >> 14)) / 4294967296


def fill(spec):
    numbers = 2 * mulberry32(spec["seed"], math.prod(spec["shape"])) - 1
    values = (spec["offset"] + spec["scale"] * numbers).astype(np.float32).astype(np.float64)
    return torch.from_numpy(values.reshape(spec["shape"])).requires_grad_(True)


def linear(t, name, x):
    return F.linear(x, t[name + ".weight"], t[name + ".bias"])


def heads_first(x, heads):
    """[tokens, batch, width] to [batch, heads, tokens, features]."""
    tokens, batch, width = x.shape
    return x.reshape(tokens, batch, heads, width // heads).permute(1, 2, 0, 3)


def attention(t, x, heads, prefix=""):
    """Multi-head self-attention on [tokens, batch, width] (Vaswani et al. 2017)."""
    q, k, v = (heads_first(linear(t, prefix + name, x), heads) for name in ("query", "key", "value"))
    mixed = F.scaled_dot_product_attention(q, k, v)
    return linear(t, prefix + "output", mixed.permute(2, 0, 1, 3).reshape(x.shape))


def dit_block(t, x, condition, heads):
    """Transformer block with adaptive layer norm (Peebles and Xie 2023, section 3.2)."""
    shift1, scale1, gate1, shift2, scale2, gate2 = linear(t, "modulation", condition).chunk(6, dim=1)
    norm = lambda h: F.layer_norm(h, (h.shape[-1],), eps=1e-6)
    x = x + gate1 * attention(t, norm(x) * (1 + scale1) + shift1, heads, "attention.")
    hidden = F.gelu(linear(t, "expand", norm(x) * (1 + scale2) + shift2), approximate="tanh")
    return x + gate2 * linear(t, "contract", hidden)


def residual_block(t, x, condition, groups):
    """Residual block with scale-shift conditioning (Dhariwal and Nichol 2021)."""
    conv = lambda name, h: F.conv2d(h, t[name + ".weight"], t[name + ".bias"], padding=t[name + ".weight"].shape[-1] // 2)
    norm = lambda name, h: F.group_norm(h, groups, t[name + ".scale"], t[name + ".bias"])
    h = conv("convolution1", F.silu(norm("norm1", x)))
    scale, shift = linear(t, "modulation", condition)[:, :, None, None].chunk(2, dim=1)
    h = conv("convolution2", F.silu(norm("norm2", h) * (1 + scale) + shift))
    return conv("skip", x) + h


def attention_block(t, x, heads, groups):
    """Self-attention over the positions of a feature map, with group norm and a residual connection."""
    batch, channels, height, width = x.shape
    flat = F.group_norm(x, groups, t["norm.scale"], t["norm.bias"]).flatten(2).permute(2, 0, 1)
    return x + attention(t, flat, heads).permute(1, 2, 0).reshape(x.shape)


def linear_shapes(name, inputs, outputs):
    return {name + ".weight": [outputs, inputs], name + ".bias": [outputs]}


def attention_shapes(width, prefix=""):
    shapes = {}
    for name in ("query", "key", "value", "output"):
        shapes |= linear_shapes(prefix + name, width, width)
    return shapes


def norm_shapes(name, channels):
    return {name + ".scale": [channels], name + ".bias": [channels]}


def conv_shapes(name, inputs, outputs, side):
    return {name + ".weight": [outputs, inputs, side, side], name + ".bias": [outputs]}


CASES = {
    "attention": {
        "options": {"width": 24, "heads": 3},
        "inputs": {"x": [10, 2, 24]},
        "parameters": attention_shapes(24),
        "apply": lambda t: attention(t, t["x"], 3),
    },
    "ditBlock": {
        "options": {"width": 32, "heads": 4, "mlpRatio": 4},
        "inputs": {"x": [12, 2, 32], "condition": [2, 32]},
        "parameters": linear_shapes("modulation", 32, 192)
        | attention_shapes(32, "attention.")
        | linear_shapes("expand", 32, 128)
        | linear_shapes("contract", 128, 32),
        "apply": lambda t: dit_block(t, t["x"], t["condition"], 4),
    },
    "residualBlock": {
        "options": {"inputs": 8, "outputs": 12, "features": 16, "groups": 4},
        "inputs": {"x": [2, 8, 6, 5], "condition": [2, 16]},
        "parameters": norm_shapes("norm1", 8)
        | conv_shapes("convolution1", 8, 12, 3)
        | linear_shapes("modulation", 16, 24)
        | norm_shapes("norm2", 12)
        | conv_shapes("convolution2", 12, 12, 3)
        | conv_shapes("skip", 8, 12, 1),
        "apply": lambda t: residual_block(t, t["x"], t["condition"], 4),
    },
    "attentionBlock": {
        "options": {"channels": 16, "heads": 2, "groups": 4},
        "inputs": {"x": [2, 16, 4, 5]},
        "parameters": norm_shapes("norm", 16) | attention_shapes(16),
        "apply": lambda t: attention_block(t, t["x"], 2, 4),
    },
}


def tensor_specs(case, first_seed):
    specs = {}
    for name, shape in (case["inputs"] | case["parameters"]).items():
        scale = 1.0 if name in case["inputs"] else 1.5 / math.sqrt(math.prod(shape[1:]) if len(shape) > 1 else 9)
        offset = 1.0 if name.endswith(".scale") else 0.0
        seed = first_seed + len(specs)
        specs[name] = {"shape": shape, "seed": seed, "scale": float(np.float32(scale)), "offset": offset}
    return specs


def digits(values):
    return [float(f"{value:.9g}") for value in values]


def summary(gradient):
    flat = gradient.detach().numpy().ravel()
    places = [i * flat.size // 8 for i in range(min(8, flat.size))]
    product = flat @ (2 * mulberry32(1, flat.size) - 1)
    norm, product = digits([np.linalg.norm(flat), product])
    return {"norm": norm, "product": product, "places": places, "samples": digits(flat[places])}


def main():
    file = {"torch": torch.__version__, "cases": {}}
    for index, (name, case) in enumerate(CASES.items()):
        specs = tensor_specs(case, 1000 * (index + 1))
        tensors = {key: fill(spec) for key, spec in specs.items()}
        output = case["apply"](tensors)
        weights = {"shape": list(output.shape), "seed": 1000 * (index + 1) + 999, "scale": 1.0, "offset": 0.0}
        (output * fill(weights).detach()).sum().backward()
        file["cases"][name] = {
            "options": case["options"],
            "inputs": list(case["inputs"]),
            "tensors": specs,
            "weights": weights,
            "output": digits(output.detach().numpy().ravel()),
            "gradients": {key: summary(tensor.grad) for key, tensor in tensors.items()},
        }
    json.dump(file, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
