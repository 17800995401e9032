"""The pair-wise loss, restated."""
import numpy as np

from pieces import case, formula, length


def max_pool(x, kernel):
    """[B, C, H, W], windows side by side, the last ones cut off."""
    (kh, kw), (B, C, H, W) = kernel, x.shape
    out = np.zeros((B, C, -(-H // kh), -(-W // kw)), complex)
    for b, c, i, j in np.ndindex(out.shape):
        window = x[b, c, i * kh : (i + 1) * kh, j * kw : (j + 1) * kw].ravel()
        out[b, c, i, j] = window[np.argmax(window.real)]
    return out


def pairwise(S, T, preset, scale=0.5, pool="MAX"):
    H, W = S.shape[2:]
    kernel = {
        "SKD_MASTER": (int(H * scale), int(W * scale)) if pool == "MAX" else (1, 1),
        "SKD_CVPR19": (1, 1),
        "CIRKD": (2, 2),
    }[preset]

    def affinities(x):
        f = max_pool(x, kernel).reshape(x.shape[0], x.shape[1], -1)
        f = f / (length(f.real, 1) + 1e-8 if preset == "SKD_MASTER" else length(f, 1))
        return np.swapaxes(f, 1, 2) @ f

    return np.mean((affinities(S) - affinities(T)) ** 2)


def fakd(S, T, preset):
    def affinities(x):
        f = x.reshape(x.shape[0], x.shape[1], -1)
        f = f / (length(f, 1) + 1e-8)
        return np.swapaxes(f, 1, 2) @ f

    gap = affinities(S) - affinities(T)
    return np.mean(gap * np.sign(gap.real))


def ftd(S, T, preset):
    def cosines(x):
        f = x / length(x, 1)
        return f @ f.T

    return np.sum((cosines(S) - cosines(T)) ** 2)


def cases():
    for seed, (name, channels, size, options) in enumerate([
        ("pairwise_scale_quarter", (5, 8), (9, 11), dict(preset="SKD_MASTER", scale=0.25)),
        ("pairwise_scale_default", (4, 3), (7, 6), dict(preset="SKD_MASTER")),
        ("pairwise_no_pool", (16, 2), (3, 5), dict(preset="SKD_MASTER", pool="NONE")),
        ("pairwise_cvpr19", (3, 10), (4, 6), dict(preset="SKD_CVPR19")),
        ("pairwise_cirkd", (4, 4), (7, 9), dict(preset="CIRKD")),
    ]):
        inputs = {"S": formula((2, channels[0], *size), seed + 6), "T": formula((2, channels[1], *size), seed + 9)}
        yield case(name, pairwise, inputs, options, large=name.endswith("cirkd"))
    for seed, (channels, size) in enumerate([((3, 5), (5, 7)), ((12, 6), (3, 4)), ((2, 9), (1, 13))]):
        inputs = {"S": formula((2, channels[0], *size), seed + 4), "T": formula((2, channels[1], *size), seed + 8)}
        yield case(f"pairwise_fakd_{seed}", fakd, inputs, dict(preset="FAKD"))
    for seed, (rows, channels) in enumerate([(11, (4, 7)), (5, (8, 3))]):
        inputs = {"S": formula((rows, channels[0]), seed + 5), "T": formula((rows, channels[1]), seed + 7)}
        yield case(f"pairwise_ftd_{seed}", ftd, inputs, dict(preset="FTD_RELEASED"))
