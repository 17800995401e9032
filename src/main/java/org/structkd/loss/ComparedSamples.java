package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Operator;
import org.structkd.internal.Settings;

/**
 * What a {@link GlobalStructuralLoss} compares.
 *
 * @param maps of student and teacher
 * @param indices of the samples, [B, M]; null: every pixel in its order
 * @param counts of samples and classes, [B, 2]; null: M samples of {@code classes}
 * @param permutation of columns; null: drawn
 * @param normalize whether features are scaled to unit length
 * @param classes where there are no counts
 */
record ComparedSamples(
    MapPair maps,
    @Nullable Tensor indices,
    @Nullable Tensor counts,
    @Nullable Tensor permutation,
    boolean normalize,
    int classes) {

  /** Samples as {@link SampleSource#draw} has drawn them; null: every pixel in its order. */
  static ComparedSamples of(MapPair maps, @Nullable Tensor table) {
    return table == null
        ? new ComparedSamples(maps, null, null, null, true, 1)
        : new ComparedSamples(maps, indices(table), counts(table), null, true, 1);
  }

  /** Given samples; their permutation may be null. */
  static ComparedSamples at(
      GlobalStructuralLoss loss,
      Tensor student,
      Tensor teacher,
      GlobalStructuralSamples samples,
      @Nullable Tensor permutation) {
    MapPair maps = maps(loss, student, teacher);
    Settings.requireGiven(GlobalStructuralLoss.NAME, "samples", samples);
    SampleArguments.requireSamples(samples, maps.student());
    SampleArguments.requirePermutation(permutation, student.size(0), samples.indices().size(1));
    return new ComparedSamples(maps, samples.indices(), samples.counts(), permutation, true, 1);
  }

  /** Rows [B, M, D] as they are, seen as maps [B, D, 1, M]. */
  static ComparedSamples ofRows(
      GlobalStructuralLoss loss,
      Tensor student,
      Tensor teacher,
      int classes,
      @Nullable Tensor permutation) {
    SampleArguments.requireRows("student", student);
    SampleArguments.requireRows("teacher", teacher);
    Settings.requireCount(GlobalStructuralLoss.NAME, "classes", classes, 1);
    SampleArguments.requirePermutation(permutation, student.size(0), student.size(1));
    Tensor s = student.transpose(1, 2).unsqueeze(2);
    Tensor t = teacher.transpose(1, 2).unsqueeze(2);
    return new ComparedSamples(maps(loss, s, t), null, null, permutation, false, classes);
  }

  static MapPair maps(GlobalStructuralLoss loss, Tensor student, Tensor teacher) {
    MapPair maps = MapPair.of(GlobalStructuralLoss.NAME, student, teacher, MapView.Accepts.TOKENS);
    boolean crossed = loss.similarity() == GlobalStructuralLoss.Similarity.CROSS;
    return (crossed ? maps.requireSameChannels() : maps).requireSameSize();
  }

  static Tensor indices(Tensor table) {
    return table.narrow(1, 2, table.size(1) - 2);
  }

  static Tensor counts(Tensor table) {
    return table.narrow(1, 0, 2);
  }

  /** The loss; the step is a tensor on their device. */
  Tensor loss(GlobalStructuralLoss loss, Tensor step) {
    refuseConstant(loss);
    return Operator.call(
        "global_structural",
        maps.student().map(),
        maps.teacher().map(),
        indices,
        counts,
        permutation == null ? null : permutation.to(ScalarType.Int),
        loss.comparison(),
        normalize,
        loss.similarity(),
        loss.shuffle(),
        loss.reduction(),
        loss.remainder(),
        loss.batch(),
        loss.groupWidth(),
        loss.temperature(),
        loss.eps(),
        classes,
        loss.seed(),
        step);
  }

  /** Refuses sizes by which the loss is the same whatever the student does. */
  private void refuseConstant(GlobalStructuralLoss loss) {
    MapView student = maps.student();
    ConstantLoss.refuseIf(
        normalize && student.map().size(1) == 1,
        student,
        "has one channel, so that every cosine is 1 or -1; expected 2 channels or more");
    long pixels = student.map().size(2) * student.map().size(3);
    long samples = indices == null ? pixels : indices.size(1);
    ConstantLoss.refuseIf(
        samples == 1 || pixels == 1,
        student,
        "is compared at one pixel, whose cosine with itself is 1; expected 2 or more");
    // Where images have classes of their own, only the least of a negative width is known.
    long width = loss.groupWidth();
    long least = width >= 0 ? width : -width * (counts == null ? classes : 1);
    ConstantLoss.refuseIf(
        loss.comparison() == GlobalStructuralLoss.Comparison.ROW_DIVERGENCE
            && least == 1
            && (width > 0 || counts == null),
        student,
        "is cut by groupWidth "
            + width
            + " into single columns, and a softmax over one is 1; expected 2 or more");
    ConstantLoss.refuseIf(
        loss.comparison() == GlobalStructuralLoss.Comparison.DESCRIPTOR_RELATION
            && (least == 0 || samples / least < 2),
        student,
        ("gives %s samples, of which groupWidth %s makes less than two groups to"
                + " relate; expected at most half of them")
            .formatted(samples, width));
  }
}
