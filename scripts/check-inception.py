"""The Inception of features `mixed5` in PyTorch, float64: features and their gradient by the pixels. Called by check-inception.ts.

    python check-inception.py <folder with graph.json, weights.f32, pixels.f32 and directions.f32>

Writes features.f64, of the pixels resized by PyTorch itself, and gradient.f64, of sum(features * directions).
"""

import os
import sys

import numpy as np
import torch

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench/peers"))
from torch_graph import fold, read_graph, run_graph  # noqa: E402


def main(folder):
    path = lambda name: os.path.join(folder, name)
    graph, weights = read_graph(torch, folder, torch.float64)
    nodes, folded = fold(graph, weights)
    pixels = np.fromfile(path("pixels.f32"), dtype=np.float32).astype(np.float64)
    side = int(round((pixels.size / 3) ** 0.5))
    x = torch.from_numpy(pixels.reshape(1, 3, side, side)).requires_grad_(True)
    resized = torch.nn.functional.interpolate(x / 255, size=[299, 299], mode="bilinear", antialias=True)
    features = run_graph(torch, graph, nodes, folded, resized).mean(dim=(2, 3))
    directions = torch.from_numpy(np.fromfile(path("directions.f32"), dtype=np.float32).astype(np.float64))
    (features * directions).sum().backward()
    features.detach().numpy().tofile(path("features.f64"))
    x.grad.numpy().tofile(path("gradient.f64"))
    print("PyTorch", torch.__version__)


if __name__ == "__main__":
    main(sys.argv[1])
