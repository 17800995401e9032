"""The pixel-wise loss, restated."""
import numpy as np

from pieces import case, formula, log_softmax, standardized


def pixelwise(S, T, preset, temperature=1.0, standardize=False):
    B, K, H, W = S.shape
    if standardize:
        S, T = standardized(S, 1), standardized(T, 1)
    log_p, log_q = log_softmax(S / temperature, 1), log_softmax(T / temperature, 1)
    kl = np.sum(np.exp(log_q) * (log_q - log_p))
    if preset == "SKD":
        return -np.sum(np.exp(log_q) * log_p) / (H * W)
    if preset == "SKD_PAPER":
        return np.sum(np.exp(log_p) * (log_p - log_q)) / (B * H * W)
    if preset == "KD":
        return temperature**2 * kl / (B * H * W)
    return kl / (B * K * H * W)  # AICSD


def cases():
    for seed, (name, shape, options) in enumerate([
        ("pixelwise_skd", (3, 7, 5, 4), dict(preset="SKD")),
        ("pixelwise_skd_paper", (2, 3, 2, 9), dict(preset="SKD_PAPER")),
        ("pixelwise_kd_4", (1, 19, 3, 5), dict(preset="KD", temperature=4)),
        ("pixelwise_kd_half", (2, 5, 1, 7), dict(preset="KD", temperature=0.5)),
        ("pixelwise_aicsd", (2, 11, 3, 3), dict(preset="AICSD")),
        ("pixelwise_standardized", (3, 6, 2, 5), dict(preset="KD", temperature=2, standardize=True)),
        ("pixelwise_skd_standardized", (2, 4, 3, 3), dict(preset="SKD", standardize=True)),
    ]):
        inputs = {"S": formula(shape, seed + 1), "T": formula(shape, seed + 4)}
        yield case(name, pixelwise, inputs, options)
