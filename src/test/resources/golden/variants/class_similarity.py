"""The class similarity loss, restated."""
import numpy as np

from pieces import case, formula, log_softmax


def average_2x2(x):
    """Windows of 2 x 2, side by side; the last ones are cut off and divided by what is left."""
    B, C, H, W = x.shape
    out = np.zeros((B, C, -(-H // 2), -(-W // 2)), complex)
    for i, j in np.ndindex(out.shape[2:]):
        out[:, :, i, j] = np.mean(x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2], axis=(2, 3))
    return out


def class_similarity(S, T, temperature=4.0, pool="AVERAGE"):
    def similarities(z):
        z = z if pool == "NONE" else average_2x2(z)
        p = np.exp(log_softmax(z.reshape(*z.shape[:2], -1) / temperature, 2))
        return p @ np.swapaxes(p, 1, 2)

    return np.mean((similarities(S) - similarities(T)) ** 2)


def cases():
    for seed, (name, student, teacher, options) in enumerate([
        ("class_similarity_odd", (2, 5, 5, 7), (2, 5, 5, 7), {}),
        ("class_similarity_sizes", (1, 4, 6, 3), (1, 4, 3, 5), {}),
        ("class_similarity_all", (3, 3, 2, 5), (3, 3, 2, 5), dict(pool="NONE", temperature=0.5)),
    ]):
        inputs = {"S": formula(student, seed + 1), "T": formula(teacher, seed + 4)}
        yield case(name, class_similarity, inputs, options)
