"""Golden perceptual losses and their gradients, from PyTorch.

    python3 -m venv peer && peer/bin/pip install torch==2.13.0 numpy
    peer/bin/python scripts/golden/perceptual_loss.py > test/golden/perceptual-loss.json

Needs Python >= 3.10 and PyTorch (written with 2.13.0). The network is two convolutions with ReLU. Its weights, the images and the heads are
not stored: each tensor is filled row by row with scale * (2 u - 1), u from mulberry32(seed), rounded to float32; heads take absolute
values. Losses and gradients with respect to the first images are computed in float64, from the equation of Zhang et al. 2018 with the
squared length shifted by 1e-8.
"""

import json
import math

import numpy as np
import torch
import torch.nn.functional as F
from mulberry32 import mulberry32

IMAGES = [2, 3, 6, 5]
TENSORS = {
    "kernel1": {"shape": [4, 3, 3, 3], "seed": 1, "scale": 0.4},
    "bias1": {"shape": [4], "seed": 2, "scale": 0.1},
    "kernel2": {"shape": [5, 4, 3, 3], "seed": 3, "scale": 0.3},
    "bias2": {"shape": [5], "seed": 4, "scale": 0.1},
    "images": {"shape": IMAGES, "seed": 5, "scale": 1.0},
    "others": {"shape": IMAGES, "seed": 6, "scale": 1.0},
    "head1": {"shape": [4], "seed": 7, "scale": 1.0},
    "head2": {"shape": [5], "seed": 8, "scale": 1.0},
}


def fill(spec):
    numbers = 2 * mulberry32(spec["seed"], math.prod(spec["shape"])) - 1
    values = (spec["scale"] * numbers).astype(np.float32).astype(np.float64)
    return torch.from_numpy(values.reshape(spec["shape"]))


def features(t, x):
    first = F.relu(F.conv2d(x, t["kernel1"], t["bias1"], padding=1))
    return [first, F.relu(F.conv2d(first, t["kernel2"], t["bias2"], stride=2, padding=1))]


def unit(x):
    return x / torch.sqrt((x * x).sum(dim=1, keepdim=True) + 1e-8)


def loss(t, x, y, normalize, heads):
    total = 0
    for i, (a, b) in enumerate(zip(features(t, x), features(t, y)), start=1):
        if normalize:
            a, b = unit(a), unit(b)
        square = (a - b) ** 2
        if heads:
            weighted = F.conv2d(square, t[f"head{i}"].abs().reshape(1, -1, 1, 1))
        else:
            weighted = square.mean(dim=1, keepdim=True)
        total = total + weighted.mean(dim=(1, 2, 3))
    return total


def case(t, normalize, heads):
    x = t["images"].clone().requires_grad_(True)
    losses = loss(t, x, t["others"], normalize, heads)
    losses.sum().backward()
    return {
        "normalize": normalize,
        "heads": heads,
        "losses": losses.tolist(),
        "gradient": [float(f"{g:.12g}") for g in x.grad.flatten().tolist()],
    }


tensors = {name: fill(spec) for name, spec in TENSORS.items()}
cases = [case(tensors, normalize, heads) for normalize in (True, False) for heads in (False, True)]
print(json.dumps({"torch": torch.__version__, "tensors": TENSORS, "cases": cases}))
