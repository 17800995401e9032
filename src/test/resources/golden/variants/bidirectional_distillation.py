"""Bidirectional distillation, restated."""
import numpy as np

from pieces import candidates, case, cross_entropy, drawn, formula, gumbel, ranks


def term(own, other, allowed, stream, weight, sign, draws, temperature, seed, step):
    noise = gumbel(seed, step, stream, own.shape)
    loss = 0
    for u in range(len(own)):
        gap = sign * (ranks(own[u], allowed[u]) - ranks(other[u], allowed[u]))
        items = drawn(weight(gap), allowed[u], draws, noise[u])
        loss = loss + cross_entropy(own[u], other[u].real, items, temperature)
    return loss


def bidirectional_distillation(
    S, T, rated, preset, draws=50, temperature=2.0, student_slope=None, teacher_slope=1e-4, seed=0, step=0
):
    allowed = candidates(S, rated)
    sign = -1 if preset == "released" else 1
    slope = student_slope or (1e-4 if preset == "released" else 1e-2)
    student = (0, lambda gap: np.maximum(0, np.tanh(slope * gap)))
    teacher = (1, lambda gap: np.exp(teacher_slope * gap))
    others = (sign, draws, temperature, seed, step)
    if preset == "student_term":
        return term(S, T, allowed, *student, *others)
    if preset == "teacher_term":
        return term(S, T, allowed, *teacher, *others)
    return term(S, T, allowed, *student, *others) + term(T, S, allowed, *teacher, *others)


def cases():
    rated = [[0, 1, 0, 0, 1, 0, 0, 0, 1, 0], [1] * 5 + [0] * 5, [0] * 10]
    for seed, (name, teacher, options) in enumerate([
        ("bidirectional_student", "T", dict(preset="student_term", draws=3, seed=2, step=4)),
        ("bidirectional_teacher", "T", dict(preset="teacher_term", draws=4, teacher_slope=0.1, step=1)),
        ("bidirectional_both", "S.teacher_scores", dict(preset="both", draws=4, temperature=0.5, step=6)),
        ("bidirectional_released", "S.teacher_scores", dict(preset="released", draws=3)),
    ]):
        student = "S" if teacher == "T" else "S.scores"
        inputs = {student: formula((3, 10), seed + 3), teacher: formula((3, 10), seed + 8), "rated": rated}
        yield case(name, bidirectional_distillation, inputs, options)
