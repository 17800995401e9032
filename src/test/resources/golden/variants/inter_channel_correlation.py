"""The inter-channel correlation loss, restated."""
import numpy as np

from pieces import case, formula, length, parameters


def inter_channel_correlation(S, T, preset="STANDARD"):
    def correlations(x):
        channels = x.reshape(*x.shape[:2], -1)
        products = channels @ np.swapaxes(channels, 1, 2)
        return products if preset == "PAPER" else products / length(products, 2)

    B, C = S.shape[:2]
    divisor = {"STANDARD": B * C, "TORCHDISTILL": B * B * C, "PAPER": B * C * C}[preset]
    return np.sum((correlations(S) - correlations(T)) ** 2) / divisor


def connected(S, T, p):
    """A 1x1 convolution and batch normalisation, by the statistics of the batch."""
    x = np.einsum("oi,bihw->bohw", p["convolution.weight"][:, :, 0, 0], S)
    centered = x - np.mean(x, axis=(0, 2, 3), keepdims=True)
    x = centered / np.sqrt(np.mean(centered**2, axis=(0, 2, 3), keepdims=True) + 1e-5)
    scale, shift = (p[f"norm.{name}"][:, None, None] for name in ("weight", "bias"))
    return inter_channel_correlation(x * scale + shift, T)


def cases():
    for seed, (name, student, teacher, options) in enumerate([
        ("correlation_odd", (3, 5, 4, 7), (3, 5, 4, 7), {}),
        ("correlation_sizes", (2, 4, 3, 3), (2, 4, 5, 2), {}),
        ("correlation_torchdistill", (3, 4, 2, 5), (3, 4, 2, 5), dict(preset="TORCHDISTILL")),
        ("correlation_paper", (2, 3, 3, 4), (2, 3, 3, 4), dict(preset="PAPER")),
    ]):
        inputs = {"S": formula(student, seed + 1), "T": formula(teacher, seed + 4)}
        yield case(name, inter_channel_correlation, inputs, options)
    shapes = {"convolution.weight": (5, 3, 1, 1), "norm.weight": (5,), "norm.bias": (5,)}
    p, params = parameters(shapes, amplitude=0.7)
    inputs = {"S": formula((2, 3, 4, 3), 9), "T": formula((2, 5, 2, 5), 11)}
    released = dict(preset="RELEASED")
    yield case("correlation_connected", lambda S, T, preset: connected(S, T, p), inputs, released, params=params)
