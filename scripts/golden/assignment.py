"""Golden totals of linear assignments, from SciPy.

    python3 scripts/golden/assignment.py > test/golden/assignment.json

Needs numpy and SciPy (written with 1.17.1). Costs are not stored: they are made of mulberry32 numbers u, row by row, by one of the rules
    integers    floor(levels * u)
    distances   squared distances of rows of x and y, [rows, dimensions] and [columns, dimensions], whose elements are 2^-8 times the sum of
                six numbers floor(256 u), less 3: nearly normal, and so short that every distance is exact in float64, and in float32
so that any language has the same bits.
"""

import json
import sys

import numpy as np
import scipy
from scipy.optimize import linear_sum_assignment
from mulberry32 import mulberry32


def points(seed, count, dimensions):
    u = np.floor(256 * mulberry32(seed, count * dimensions * 6)).reshape(count, dimensions, 6)
    return u.sum(-1) / 256 - 3


def costs(case):
    rows, columns = case["shape"]
    if case["rule"] == "integers":
        return np.floor(case["levels"] * mulberry32(case["seed"], rows * columns)).reshape(rows, columns)
    x = points(case["seed"], rows, case["dimensions"])
    y = points(case["seed"] + 1, columns, case["dimensions"])
    squares = ((x**2).sum(1)[:, None] + (y**2).sum(1)[None, :]) - 2 * x @ y.T
    assert np.array_equal(squares.astype(np.float32).astype(np.float64), squares)
    return squares


def cases():
    seed = 100
    for rows, columns in [(16, 16), (100, 100), (256, 256), (1024, 1024), (40, 90), (90, 40), (300, 1000), (1000, 300)]:
        for rule in ({"rule": "integers", "levels": 10}, {"rule": "integers", "levels": 100000}, {"rule": "distances", "dimensions": 24}):
            for maximize in (False, True):
                seed += 2
                yield {"shape": [rows, columns], "seed": seed, "maximize": maximize, **rule}
    # In few dimensions rows compete closely.
    for rows, columns, dimensions in [(300, 300, 1), (700, 700, 2), (400, 400, 3), (250, 400, 2)]:
        for maximize in (False, True):
            seed += 2
            yield {"shape": [rows, columns], "seed": seed, "maximize": maximize, "rule": "distances", "dimensions": dimensions}


def main():
    results = []
    for case in cases():
        matrix = costs(case)
        rows, columns = linear_sum_assignment(matrix, maximize=case["maximize"])
        results.append({**case, "total": float(matrix[rows, columns].sum())})
    lines = ",\n  ".join(json.dumps(result) for result in results)
    sys.stdout.write('{\n "scipy": "%s",\n "cases": [\n  %s\n ]\n}\n' % (scipy.__version__, lines))


if __name__ == "__main__":
    main()
