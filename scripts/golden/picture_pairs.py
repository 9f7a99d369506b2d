"""Golden PSNR and SSIM of small pictures, by NumPy and SciPy's Gaussian filter.

    python3 -m venv peer && peer/bin/pip install numpy scipy
    peer/bin/python scripts/golden/picture_pairs.py > test/golden/picture-pairs.json
"""

import json
import sys

import numpy as np
from scipy.ndimage import gaussian_filter

COUNT, SHAPE = 3, (3, 14, 17)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a - b) ** 2))


def ssim(a, b):
    """Mean over channels; a filter of radius 5 whose places inside the picture alone are kept."""

    def mean(x):
        return gaussian_filter(x, 1.5, radius=5)[5:-5, 5:-5]

    values = []
    for x, y in zip(a, b):
        mx, my = mean(x), mean(y)
        vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        values.append(np.mean((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))
    return float(np.mean(values))


generator = np.random.default_rng(5)
originals = gaussian_filter(generator.uniform(0, 255, (COUNT, *SHAPE)), (0, 0, 1, 1)).round().astype(np.uint8)
noise = generator.normal(0, [[[[4]]], [[[12]]], [[[40]]]], (COUNT, *SHAPE))
pictures = np.clip(originals + noise, 0, 255).round().astype(np.uint8)
pairs = list(zip(pictures.astype(np.float64), originals.astype(np.float64)))
golden = {
    "shape": list(SHAPE),
    "originals": originals.ravel().tolist(),
    "pictures": pictures.ravel().tolist(),
    "psnr": [float(psnr(a, b)) for a, b in pairs],
    "ssim": [ssim(a, b) for a, b in pairs],
}
json.dump(golden, sys.stdout)
print()
