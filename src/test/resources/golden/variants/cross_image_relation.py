"""The cross-image relation loss, restated."""
import numpy as np

from pieces import case, formula, length, log_softmax


def average_pool(x, kernel):
    """[B, C, H, W], windows side by side; one that is cut off has the mean of what is left of it."""
    (kh, kw), (B, C, H, W) = kernel, x.shape
    out = np.zeros((B, C, -(-H // kh), -(-W // kw)), complex)
    for i, j in np.ndindex(out.shape[2:]):
        out[:, :, i, j] = x[:, :, i * kh : (i + 1) * kh, j * kw : (j + 1) * kw].mean((2, 3))
    return out


def cross_image_relation(S, T, preset="CIRKD", temperature=0.1):
    window = {"CIRKD": (1, 1), "CIRKD_POOLED": (2, 2), "CIRKDV2_CHANNEL": (4, 4)}[preset]

    def rows(x):
        x = average_pool(x, window).reshape(*x.shape[:2], -1)
        x = x if preset == "CIRKDV2_CHANNEL" else np.swapaxes(x, 1, 2)
        return x / length(x, 2)

    s, t = rows(S), rows(T)
    B, N = s.shape[:2]
    total = 0
    for m in range(B):
        for n in range(B):
            log_s, log_t = (log_softmax(x[m] @ x[n].T / temperature, 1) for x in (s, t))
            total += np.sum(np.exp(log_t) * (log_t - log_s)) / N
    return total / B**2


def cases():
    for seed, (name, shape, teacher, options) in enumerate([
        ("cross_image_relation_cirkd", (2, 4, 3, 5), 7, {}),
        ("cross_image_relation_warm", (3, 5, 3, 3), 2, dict(temperature=1.0)),
        ("cross_image_relation_hot", (1, 3, 7, 2), 3, dict(temperature=8.0)),
        ("cross_image_relation_many_nodes", (2, 3, 11, 13), 6, dict(temperature=0.5)),
        ("cross_image_relation_pooled", (2, 6, 7, 5), 3, dict(preset="CIRKD_POOLED")),
        ("cross_image_relation_channels", (2, 7, 9, 10), 7, dict(preset="CIRKDV2_CHANNEL")),
        ("cross_image_relation_many_channels", (2, 33, 8, 8), 33, dict(preset="CIRKDV2_CHANNEL", temperature=0.3)),
    ]):
        inputs = {"S": formula(shape, seed + 3), "T": formula((shape[0], teacher, *shape[2:]), seed + 7)}
        yield case(name, cross_image_relation, inputs, options, large=np.prod(shape) > 300)
