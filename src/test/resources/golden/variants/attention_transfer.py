"""Attention transfer, restated."""
import numpy as np

from pieces import case, formula, length


def attention(x, power):
    """x: [B, C, H, W]; powers are even or of positive values."""
    energy = np.mean((x * np.sign(x.real)) ** power, axis=1).reshape(x.shape[0], -1)
    return energy / length(energy, 1)


def attention_transfer(*layers, preset="STANDARD", power=2):
    """layers: those of the student, then those of the teacher."""
    total = 0
    for s, t in zip(layers[: len(layers) // 2], layers[len(layers) // 2 :]):
        gap = attention(s, power) - attention(t, power)
        total = total + (np.mean(gap**2) if preset == "STANDARD" else np.mean(length(gap, 1)))
    return total


def cases():
    for seed, (name, shapes, options) in enumerate([
        ("attention_odd", [((3, 5, 4, 7), (3, 2, 4, 7))], {}),
        ("attention_paper", [((2, 3, 5, 3), (2, 6, 5, 3))], dict(preset="PAPER")),
        ("attention_power_3", [((1, 4, 2, 9), (1, 4, 2, 9))], dict(power=3)),
        ("attention_layers", [((2, 3, 6, 5), (2, 4, 6, 5)), ((2, 5, 3, 2), (2, 7, 3, 2))], {}),
    ]):
        pairs = list(enumerate(shapes))
        inputs = {f"S{i}": formula(student, seed + i + 1) for i, (student, _) in pairs}
        inputs |= {f"T{i}": formula(teacher, seed + i + 4) for i, (_, teacher) in pairs}
        yield case(name, attention_transfer, inputs, options)
