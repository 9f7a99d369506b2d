"""Golden resizing matrices: PyTorch's antialiased bilinear and bicubic, and TensorFlow 1's bilinear.

    python3 -m venv peer && peer/bin/pip install torch==2.13.0 numpy
    peer/bin/python scripts/golden/resize.py > test/golden/resize.json

Each case resizes one image of [rows, columns] pixels, filled row by row from mulberry32(seed), to `size`. PyTorch computes in float64.
TensorFlow 1's `resize_bilinear` (align_corners=False, half_pixel_centers=False) is written here by its definition, on float32 places.
"""

import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from mulberry32 import mulberry32


def pytorch(mode):
    def resize(image, size):
        batch = torch.from_numpy(image)[None, None]
        return F.interpolate(batch, size=size, mode=mode, antialias=True, align_corners=False)[0, 0].numpy()

    return resize


def places(length, count):
    step = np.float32(length) / np.float32(count)
    at = np.arange(count, dtype=np.float32) * step
    low = np.floor(at).astype(int)
    return low, np.minimum(low + 1, length - 1), (at - low).astype(np.float64)


def tensorflow1(image, size):
    (top, bottom, down), (left, right, across) = (places(n, m) for n, m in zip(image.shape, size))
    rows = lambda at: image[at][:, left] * (1 - across) + image[at][:, right] * across
    return rows(top) * (1 - down[:, None]) + rows(bottom) * down[:, None]


RESIZE = {"bilinear": pytorch("bilinear"), "bicubic": pytorch("bicubic"), "tf1-bilinear": tensorflow1}
# Not [28, 1] to [299, 1]: on images of one column PyTorch 2.13.0 returns rows of zeros.
SIZES = [([5, 7], [12, 9]), ([12, 9], [5, 4]), ([8, 8], [8, 3]), ([1, 28], [1, 299]), ([64, 1], [10, 4]), ([9, 11], [1, 1])]


def main():
    cases = []
    for kind, resize in RESIZE.items():
        for seed, (shape, size) in enumerate(SIZES, start=1):
            image = mulberry32(seed, shape[0] * shape[1]).reshape(shape)
            output = np.asarray(resize(image, size)).ravel()
            cases.append({"kind": kind, "shape": shape, "size": size, "seed": seed, "output": output.tolist()})
    json.dump({"torch": torch.__version__, "cases": cases}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
