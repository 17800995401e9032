"""The inter-channel correlation loss without its connector, restated."""
import numpy as np

from pieces import case, formula, length


def inter_channel_correlation(S, T, preset="STANDARD"):
    def correlations(x):
        channels = x.reshape(*x.shape[:2], -1)
        products = channels @ np.swapaxes(channels, 1, 2)
        return products if preset == "PAPER" else products / length(products, 2)

    B, C = S.shape[:2]
    divisor = {"STANDARD": B * C, "TORCHDISTILL": B * B * C, "PAPER": B * C * C}[preset]
    return np.sum((correlations(S) - correlations(T)) ** 2) / divisor


def cases():
    for seed, (name, student, teacher, options) in enumerate([
        ("correlation_odd", (3, 5, 4, 7), (3, 5, 4, 7), {}),
        ("correlation_sizes", (2, 4, 3, 3), (2, 4, 5, 2), {}),
        ("correlation_torchdistill", (3, 4, 2, 5), (3, 4, 2, 5), dict(preset="TORCHDISTILL")),
        ("correlation_paper", (2, 3, 3, 4), (2, 3, 3, 4), dict(preset="PAPER")),
    ]):
        inputs = {"S": formula(student, seed + 1), "T": formula(teacher, seed + 4)}
        yield case(name, inter_channel_correlation, inputs, options)
