"""The pixel similarity loss, restated."""
import itertools

import numpy as np

from pieces import case, formula, length


def moves(layers):
    q = []
    for x in layers:
        energy = np.mean(x**2, axis=1).reshape(x.shape[0], -1)
        q.append(energy / length(energy, 1))
    gaps = [q[m] - q[n] for n, m in itertools.combinations(range(len(q)), 2)]
    return [gap / length(gap, 1) for gap in gaps]


def pixel_similarity(*layers):
    """layers: those of the student, then those of the teacher."""
    half = len(layers) // 2
    pairs = zip(moves(layers[:half]), moves(layers[half:]))
    return np.mean([np.mean((s - t) ** 2) for s, t in pairs])


def cases():
    for seed, (name, size, student, teacher) in enumerate([
        ("pixel_similarity_two", (4, 5), (3, 2), (3, 5)),
        ("pixel_similarity_three", (3, 7), (2, 4, 3), (5, 1, 6)),
    ]):
        inputs = {f"S{i}": formula((2, c, *size), seed + i + 1) for i, c in enumerate(student)}
        inputs |= {f"T{i}": formula((2, c, *size), seed + i + 4) for i, c in enumerate(teacher)}
        yield case(name, pixel_similarity, inputs)
