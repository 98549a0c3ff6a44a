"""Images that no data set is needed for: smooth fields with edges, as photographs have them."""

import numpy as np


def structured_images(count: int, shape: tuple, seed: int = 0) -> np.ndarray:
    """float32 [count, *shape], channels first, of mean about 0 and deviation about 1. The spatial sizes may be any number of
    axes: waves of a few low frequencies, the same in all channels but for a tint, and a step along a random plane."""
    random = np.random.default_rng([seed, *shape])
    channels, *spatial = shape
    grid = np.meshgrid(*[np.linspace(0, 1, size, dtype=np.float32) for size in spatial], indexing="ij")
    images = np.empty((count, *shape), np.float32)
    for image in images:
        field = np.zeros(spatial, np.float32)
        for _ in range(4):
            frequency = random.uniform(-6, 6, len(spatial))
            field += np.sin(random.uniform(0, 6.28) + sum(f * g for f, g in zip(frequency, grid))).astype(np.float32)
        plane = sum(random.uniform(-1, 1) * (g - 0.5) for g in grid)
        field += np.where(plane > random.uniform(-0.2, 0.2), 1, -1).astype(np.float32)
        tint = random.standard_normal((channels,) + (1,) * len(spatial)).astype(np.float32)
        noise = random.standard_normal(shape).astype(np.float32)
        image[:] = 0.5 * field + 0.5 * tint + 0.2 * noise
    return images
