"""The random numbers that golden files name by a seed; src/numerics/mulberry32.ts makes the same."""

import numpy as np


def mulberry32(seed, count):
    """The first `count` numbers of mulberry32(seed), float64: every state is known beforehand."""
    mask = np.uint64(0xFFFFFFFF)
    steps = np.arange(1, count + 1, dtype=np.uint64)
    a = (np.uint64(seed) + steps * np.uint64(0x6D2B79F5)) & mask
    t = ((a ^ (a >> np.uint64(15))) * (a | np.uint64(1))) & mask
    t = ((t + (((t ^ (t >> np.uint64(7))) * (t | np.uint64(61))) & mask)) & mask) ^ t
    return (t ^ (t >> np.uint64(14))).astype(np.float64) / 4294967296
