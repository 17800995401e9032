"""The similarity-preserving loss, restated."""
import numpy as np

from pieces import case, formula, length


def similarities(x):
    rows = x.reshape(x.shape[0], -1)
    products = rows @ rows.T
    return products / length(products, 1)


def similarity_preserving(*layers):
    """layers: those of the student, then those of the teacher."""
    half = len(layers) // 2
    return sum(
        np.sum((similarities(s) - similarities(t)) ** 2) / s.shape[0] ** 2
        for s, t in zip(layers[:half], layers[half:])
    )


def cases():
    for seed, (name, shapes) in enumerate([
        ("similarity_maps", [((5, 3, 4, 2), (5, 7, 3, 3))]),
        ("similarity_vectors", [((7, 6), (7, 11))]),
        ("similarity_layers", [((3, 2, 4, 4), (3, 5, 4, 4)), ((3, 6, 2, 2), (3, 4, 1, 3))]),
    ]):
        pairs = list(enumerate(shapes))
        inputs = {f"S{i}": formula(student, seed + i + 1) for i, (student, _) in pairs}
        inputs |= {f"T{i}": formula(teacher, seed + i + 4) for i, (_, teacher) in pairs}
        yield case(name, similarity_preserving, inputs)
