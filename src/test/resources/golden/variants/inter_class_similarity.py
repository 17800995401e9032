"""The inter-class similarity loss, restated."""
import numpy as np

from pieces import case, formula, length, log_softmax


def inter_class_similarity(S, T, mode, temperature=1.0, row_normalize=None):
    B, K, H, W = S.shape
    if row_normalize is None:
        row_normalize = mode in ("CODE_HEAD", "CODE_HW_SYM")

    def matrices(z):
        z = z / temperature
        if mode == "CODE_HEAD":
            log_p = log_softmax(z, 2).reshape(B, K, H * W)
        else:
            log_p = log_softmax(z.reshape(B, K, H * W), 2)
        p = np.exp(log_p)
        M = np.zeros((B, K, K), complex)
        for b, i, j in np.ndindex(M.shape):
            if mode == "PAPER":
                M[b, i, j] = np.sum(p[b, i] * (log_p[b, i] - log_p[b, j]))
            elif mode == "CODE_2023_03" or i <= j:
                M[b, i, j] = np.sum(p[b, j] * (log_p[b, j] - p[b, i]))
            else:
                M[b, i, j] = M[b, j, i]
        if mode != "PAPER":
            M = np.mean(M, axis=0, keepdims=True)
        return M / length(M, 2) if row_normalize else M

    loss = np.mean((matrices(S) - matrices(T)) ** 2)
    return loss / B if mode in ("CODE_HEAD", "CODE_HW_SYM") else loss


def cases():
    for seed, (name, shape, options) in enumerate([
        ("icsd_paper_3", (2, 3, 4, 5), dict(mode="PAPER")),
        ("icsd_paper_warm", (1, 6, 5, 3), dict(mode="PAPER", temperature=2.5)),
        ("icsd_paper_rows", (2, 5, 3, 4), dict(mode="PAPER", row_normalize=True)),
        ("icsd_head", (3, 7, 3, 2), dict(mode="CODE_HEAD")),
        ("icsd_2023_03", (2, 4, 5, 3), dict(mode="CODE_2023_03")),
        ("icsd_hw_sym", (2, 6, 3, 3), dict(mode="CODE_HW_SYM")),
    ]):
        inputs = {"S": formula(shape, seed + 11), "T": formula(shape, seed + 14)}
        yield case(name, inter_class_similarity, inputs, options)
