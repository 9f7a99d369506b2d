"""Golden Fréchet distances: SciPy's matrix root where covariances are regular, 40 digits of mpmath where they are not.

    python3 -m venv peer && peer/bin/pip install scipy==1.17.1 numpy mpmath
    peer/bin/python scripts/golden/frechet.py > test/golden/frechet.json

Written with the version that the file names. Inputs are not stored: features are filled row by row from mulberry32(seed), column k times
decay^k, the second sample stretched to 1.5 u + 0.1 before. `eigenvalues` and `singularValues` are those of matrices of 2 u - 1.
"""

import json
import sys

import mpmath
import numpy as np
import scipy
from scipy.linalg import sqrtm
from mulberry32 import mulberry32


def features(case):
    (n1, n2), d = case["counts"], case["dimensions"]
    scale = case["decay"] ** np.arange(d)
    first = mulberry32(case["seed"], n1 * d).reshape(n1, d)
    second = 1.5 * mulberry32(case["seed"] + 1, n2 * d).reshape(n2, d) + 0.1
    return first * scale, second * scale


def by_root(a, b):
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(s @ t).trace().real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + s.trace() + t.trace() - 2 * root)


def by_digits(a, b):
    """The same by singular values of the centred rows, in 40 digits."""
    mpmath.mp.dps = 40
    means, factors = [], []
    for rows in (a, b):
        n, d = rows.shape
        mean = [mpmath.fsum(mpmath.mpf(x) for x in rows[:, k]) / n for k in range(d)]
        root = mpmath.sqrt(n - 1)
        factors.append(mpmath.matrix([[(mpmath.mpf(rows[i, k]) - mean[k]) / root for k in range(d)] for i in range(n)]))
        means.append(mean)
    squares = [mpmath.fsum(x * x for x in factor) for factor in factors]
    values = mpmath.svd_r(factors[0] * factors[1].T, compute_uv=False)
    return float(mpmath.fsum((p - q) ** 2 for p, q in zip(*means)) + sum(squares) - 2 * mpmath.fsum(values))


def distances():
    seed = 300
    for dimensions, counts, decay in [
        (1, (10, 20), 1.0),
        (2, (10, 20), 1.0),
        (5, (30, 40), 0.5),
        (16, (50, 17), 1.0),
        (32, (100, 200), 0.8),
        (64, (200, 300), 0.95),
        (100, (150, 400), 1.0),
        (6, (2, 2), 1.0),
        (6, (2, 30), 1.0),
        (12, (12, 12), 1.0),
        (12, (13, 5), 0.7),
        (20, (8, 15), 0.9),
        (4, (4, 4), 1.0),
    ]:
        seed += 2
        case = {"seed": seed, "dimensions": dimensions, "counts": counts, "decay": decay}
        a, b = (np.atleast_2d(rows) for rows in features(case))
        singular = min(counts) <= dimensions
        value = by_digits(a, b) if singular or dimensions == 1 else by_root(a, b)
        yield {**case, "digits": singular or dimensions == 1, "distance": value}


def spectra():
    for rows, columns in [(1, 1), (2, 2), (3, 5), (9, 4), (40, 40), (90, 70), (64, 130), (200, 200)]:
        seed = 1000 + rows
        matrix = 2 * mulberry32(seed, rows * columns).reshape(rows, columns) - 1
        case = {"seed": seed, "rows": rows, "columns": columns}
        case["singularValues"] = np.linalg.svd(matrix, compute_uv=False).tolist()
        if rows == columns:
            case["eigenvalues"] = np.linalg.eigvalsh((matrix + matrix.T) / 2).tolist()
        yield case


def main():
    results = {"scipy": scipy.__version__, "distances": list(distances()), "spectra": list(spectra())}
    json.dump(results, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
