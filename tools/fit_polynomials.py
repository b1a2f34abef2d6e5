"""Prints the coefficients of compiler/lower/float_library.ts: minimax fits in doubles (needs numpy).

Lawson's iteration on Chebyshev nodes: least squares whose weights are multiplied by the residuals until the largest
ones are alike. Output per function: coefficients, lowest power first, and the largest weighted residual.
"""

from math import cos, erf, erfc, log, pi, sin, sqrt

import numpy as np


def fit(f, low, high, degree, weight):
    nodes = np.cos((np.arange(4000) + 0.5) * np.pi / 4000)
    x = (low + high) / 2 + (high - low) / 2 * nodes
    y = np.array([f(v) for v in x])
    w = np.array([weight(v) for v in x])
    powers = np.vander(x, degree + 1, increasing=True)
    lawson = np.ones(len(x))
    for _ in range(200):
        s = np.sqrt(lawson) * w
        coefficients = np.linalg.lstsq(powers * s[:, None], y * s, rcond=None)[0]
        residuals = np.abs((powers @ coefficients - y) * w)
        lawson *= residuals / residuals.max() + 1e-3
        lawson /= lawson.sum()
    return coefficients, residuals.max()


def sin_series(z):
    r = sqrt(z)
    return (sin(r) / r - 1) / z


def cos_series(z):
    return (cos(sqrt(z)) - 1 + z / 2) / z**2 if z > 1e-4 else 1 / 24 - z / 720


def erf_series(z):
    return erf(sqrt(z)) / sqrt(z) - 1


QUADRANT = (pi / 4) ** 2 * 1.01

for name, result in {
    "sin(r) / r - 1, over r^2, in r^2 <= (pi/4)^2": fit(sin_series, 1e-9, QUADRANT, 2, lambda z: z),
    "(cos(r) - 1 + r^2 / 2) / r^4 in r^2": fit(cos_series, 1e-9, QUADRANT, 2, lambda z: z * z),
    "erf(x) / x - 1 in x^2 <= 1": fit(erf_series, 1e-9, 1, 7, lambda z: 1 / (1 + erf_series(z))),
    "log(erfc(x)) on [1, 4]": fit(lambda x: log(erfc(x)), 1, 4, 7, erfc),
}.items():
    print(name, [f"{c:.9g}" for c in result[0]], f"{result[1]:.2g}")
