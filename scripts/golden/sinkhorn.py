"""Golden plans of entropic and of one-dimensional optimal transport, from POT.

    python3 -m venv peer && peer/bin/pip install pot==0.8.2 numpy scipy
    peer/bin/python scripts/golden/sinkhorn.py > test/golden/sinkhorn.json

Written with the version that the file names. Inputs are not stored: points and masses are filled row by row from mulberry32(seed), points
as 2 u - 1, masses as (u + 0.1) / sum. Costs are squared distances times `scale`. Plans are summarised by their cost, the sum of products
with mulberry32(1)'s numbers, and single entries.
"""

import json
import sys

import numpy as np
import ot
from mulberry32 import mulberry32


def points(seed, count, dimensions):
    return 2 * mulberry32(seed, count * dimensions).reshape(count, dimensions) - 1


def masses(seed, count):
    numbers = mulberry32(seed, count) + 0.1
    return numbers / numbers.sum()


# seeds are those of the rows' points, the columns' points, the rows' masses and the columns' masses (null: uniform).
PLANS = [
    {"seeds": [1, 2, None, None], "rows": 5, "columns": 5, "dimensions": 2, "scale": 1.0, "epsilon": 0.1},
    {"seeds": [3, 4, 5, 6], "rows": 7, "columns": 4, "dimensions": 3, "scale": 1.0, "epsilon": 0.05},
    {"seeds": [7, 8, None, 9], "rows": 40, "columns": 60, "dimensions": 2, "scale": 1.0, "epsilon": 0.03},
    {"seeds": [10, 11, None, None], "rows": 64, "columns": 64, "dimensions": 8, "scale": 1e6, "epsilon": 2e5},
]

LINES = [
    {"seeds": [21, 22, None, None], "rows": 50, "columns": 50, "power": 1},
    {"seeds": [23, 24, None, None], "rows": 30, "columns": 47, "power": 2},
    {"seeds": [25, 26, 27, 28], "rows": 33, "columns": 21, "power": 3},
]


def entropic(case):
    x, y, a, b = case["seeds"]
    rows, columns = case["rows"], case["columns"]
    cost = case["scale"] * ot.dist(points(x, rows, case["dimensions"]), points(y, columns, case["dimensions"]))
    a = np.full(rows, 1 / rows) if a is None else masses(a, rows)
    b = np.full(columns, 1 / columns) if b is None else masses(b, columns)
    plan = ot.sinkhorn(a, b, cost, case["epsilon"], method="sinkhorn_log", stopThr=1e-14, numItermax=200_000)
    error = abs(plan.sum(0) - b).sum() + abs(plan.sum(1) - a).sum()
    assert error < 1e-11, error
    flat = plan.ravel()
    places = [k * flat.size // 8 for k in range(8)]
    return {
        **case,
        "cost": float((plan * cost).sum()),
        "product": float(flat @ mulberry32(1, flat.size)),
        "places": places,
        "samples": [float(value) for value in flat[places]],
        "optimum": float(ot.emd2(a, b, cost)),
    }


def line(case):
    x, y, a, b = case["seeds"]
    rows, columns = case["rows"], case["columns"]
    a = np.full(rows, 1 / rows) if a is None else masses(a, rows)
    b = np.full(columns, 1 / columns) if b is None else masses(b, columns)
    x, y = points(x, rows, 1), points(y, columns, 1)
    # The general solver, which knows nothing of the line.
    return {**case, "cost": float(ot.emd2(a, b, abs(x - y.T) ** case["power"], numItermax=1_000_000))}


def gaussians():
    """Two normal densities on the integers 0 to 999, moved by 100 against each other."""
    bins = np.arange(1000.0)
    density = lambda mean: (lambda values: values / values.sum())(np.exp(-((bins - mean) ** 2) / (2 * 20**2)))
    return {"bins": 1000, "means": [300, 400], "deviation": 20, "cost": float(ot.emd2_1d(bins, bins, density(300), density(400), metric="euclidean"))}


def main():
    file = {
        "pot": ot.__version__,
        "plans": [entropic(case) for case in PLANS],
        "lines": [line(case) for case in LINES],
        "gaussians": gaussians(),
    }
    json.dump(file, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
