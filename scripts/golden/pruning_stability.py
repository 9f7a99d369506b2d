"""Golden numbers of the exact flow under pruning: assignments, path deviations, Wilson intervals and quantiles, from NumPy and SciPy.

    python3 scripts/golden/pruning_stability.py > test/golden/pruning-stability.json

Needs numpy and SciPy (written with 2.4.6 and 1.17.1). Data and noises are not stored: their elements are 2^-8 times the sum of six numbers
floor(256 u), less 3, with u of mulberry32(seed) in order: exact in float32, so that any language has the same bits. The flow is
Euler's method in float64 with equal steps, from the definition of the field (Briq et al., eq. 2); deviations are trapezoidal sums.
"""

import json

import numpy as np
import scipy
from scipy.special import softmax
from scipy.stats import binomtest
from mulberry32 import mulberry32


def points(seed, count, dimensions):
    u = np.floor(256 * mulberry32(seed, count * dimensions * 6)).reshape(count, dimensions, 6)
    return u.sum(-1) / 256 - 3


def flow(data, x0, steps):
    """States [steps + 1, batch, elements] and the datum with the largest weight at the last time before 1."""
    x, states = x0.copy(), [x0]
    for k in range(steps):
        t = k / steps
        weights = softmax(-((x[:, None] - t * data[None]) ** 2).sum(-1) / (2 * (1 - t) ** 2), axis=1)
        x = x + (weights @ data - x) / (1 - t) / steps
        states.append(x)
    return np.array(states), weights.argmax(1)


def deviation(a, b):
    return np.trapezoid(np.linalg.norm(a - b, axis=-1), dx=1 / (len(a) - 1), axis=0)


def case(data_count, noises, dimensions, steps, every):
    data, x0 = points(1, data_count, dimensions), points(2, noises, dimensions)
    kept = np.arange(0, data_count, every)
    full, assigned = flow(data, x0, steps)
    pruned, other = flow(data[kept], x0, steps)
    return {
        "data": data_count,
        "noises": noises,
        "dimensions": dimensions,
        "steps": steps,
        "every": every,
        "assigned": assigned.tolist(),
        "assignedPruned": kept[other].tolist(),
        "deviation": deviation(full, pruned).tolist(),
        "seedDeviation": deviation(full[:, 0::2], full[:, 1::2]).tolist(),
    }


def wilson(hits, trials):
    interval = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    return {"hits": hits, "trials": trials, "low": float(interval.low), "high": float(interval.high)}


def lines(cases):
    return "[\n  " + ",\n  ".join(json.dumps(one) for one in cases) + "\n ]"


values = points(3, 17, 1).ravel()
shares = [0, 0.05, 0.3, 0.5, 0.95, 1]
flows = [case(40, 24, 6, 25, 2), case(30, 16, 2, 50, 3), case(50, 20, 40, 20, 5)]
intervals = [wilson(*one) for one in [(0, 10), (1, 3), (5, 10), (95, 100), (97, 97), (193, 200), (9700, 10000)]]
quantiles = {"values": values.tolist(), "shares": shares, "quantiles": np.quantile(values, shares).tolist()}
print(f'{{\n "numpy": "{np.__version__}",\n "scipy": "{scipy.__version__}",')
print(f' "flows": {lines(flows)},\n "intervals": {lines(intervals)},\n "quantiles": {json.dumps(quantiles)}\n}}')
