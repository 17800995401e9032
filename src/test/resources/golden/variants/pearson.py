"""The Pearson loss, restated."""
import numpy as np

from pieces import case, formula, length, resized


def normalized(x):
    channels = np.swapaxes(x, 0, 1).reshape(x.shape[1], -1)
    centered = channels - np.mean(channels, axis=1, keepdims=True)
    return centered / (length(centered, 1) / np.sqrt(channels.shape[1] - 1) + 1e-6)


def pearson(*layers):
    """layers: those of the student, then those of the teacher."""
    half = len(layers) // 2
    total = 0
    for s, t in zip(layers[:half], layers[half:]):
        if s.ndim == 4:
            s = resized(s, *t.shape[2:])
        total = total + np.mean((normalized(s) - normalized(t)) ** 2) / 2
    return total


def cases():
    for seed, (name, shapes) in enumerate([
        ("pearson_odd", [((3, 5, 4, 3), (3, 5, 4, 3))]),
        ("pearson_vectors", [((7, 4), (7, 4))]),
        ("pearson_sizes", [((2, 3, 3, 5), (2, 3, 6, 4))]),
        ("pearson_layers", [((2, 2, 4, 4), (2, 2, 4, 4)), ((2, 3, 2, 2), (2, 3, 3, 3))]),
    ]):
        pairs = list(enumerate(shapes))
        inputs = {f"S{i}": formula(student, seed + i + 1) for i, (student, _) in pairs}
        inputs |= {f"T{i}": formula(teacher, seed + i + 4) for i, (_, teacher) in pairs}
        yield case(name, pearson, inputs)
