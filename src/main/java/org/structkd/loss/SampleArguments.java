package org.structkd.loss;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.TensorArguments;

/** Checks of what pixels are drawn from, and of given samples and permutations. */
final class SampleArguments {
  private static final String NAME = "global structural loss";

  private SampleArguments() {}

  static void require(
      SamplingConfig config, Tensor map, @Nullable Tensor logits, @Nullable Tensor labels) {
    if (config.teacherCorrectOnly()) {
      requireFor("teacherLogits", logits, "samples are pixels that the teacher gets right", "");
    }
    if (config.teacherCorrectOnly() || config.strategy() == Sampling.CLASS_BALANCED) {
      requireFor(
          "labels",
          labels,
          config.teacherCorrectOnly()
              ? "samples are pixels that the teacher gets right"
              : "samples are balanced over classes",
          ", or SamplingConfig.random(samples)");
    }
    if (logits != null) {
      TensorArguments.requireMap(NAME, "teacherLogits", logits);
      if (logits.size(0) != map.size(0)
          || logits.size(2) != map.size(2)
          || logits.size(3) != map.size(3)) {
        throw new IllegalArgumentException(
            NAME
                + ": "
                + TensorArguments.describe("teacherLogits", logits)
                + " and "
                + TensorArguments.describe("teacher", map)
                + " differ in batch, height or width: resize the logits to the feature map");
      }
      TensorArguments.requireSameDevice(NAME, "teacherLogits", logits, "teacher", map);
    }
    if (labels != null) {
      requireLabels(config, map, logits, labels);
    }
  }

  private static void requireFor(
      String argument, @Nullable Tensor tensor, String why, String otherwise) {
    if (tensor == null) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + argument
              + " is null, but "
              + why
              + ": pass it, or use withTeacherCorrectOnly(false)"
              + otherwise);
    }
  }

  private static void requireLabels(
      SamplingConfig config, Tensor map, @Nullable Tensor logits, Tensor labels) {
    TensorArguments.requireOpen(NAME, "labels", labels);
    if (labels.dim() != 3 || labels.numel() == 0 || labels.size(0) != map.size(0)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("labels", labels)
              + " does not fit "
              + TensorArguments.describe("teacher", map)
              + ", expected [batch, height, width]");
    }
    ScalarType dtype = labels.scalar_type().intern();
    if (dtype != ScalarType.Byte && dtype != ScalarType.Int && dtype != ScalarType.Long) {
      throw new IllegalArgumentException(
          NAME + ": labels is " + dtype + ", expected Byte, Int or Long");
    }
    TensorArguments.requireSameDevice(NAME, "labels", labels, "teacher", map);
    if (labels.is_cpu() && logits != null) {
      requireRange(config, labels, logits.size(1));
    }
  }

  /** Values of a CPU tensor; those of a device are not read, that would wait for it. */
  private static void requireRange(SamplingConfig config, Tensor labels, long classes) {
    try (PointerScope scope = new PointerScope()) {
      // As Long: a Byte compared with -1 would be compared with 255.
      Tensor wide = labels.to(ScalarType.Long);
      Tensor counted = wide.masked_select(wide.ne(new Scalar(config.ignoreIndex())));
      if (counted.numel() == 0) {
        return;
      }
      long smallest = counted.min().item_long();
      long largest = counted.max().item_long();
      if (smallest < 0 || largest >= classes) {
        throw new IllegalArgumentException(
            NAME
                + ": labels has the value "
                + (smallest < 0 ? smallest : largest)
                + ", expected 0 to "
                + (classes - 1)
                + " (the channels of teacherLogits) or the ignoreIndex "
                + config.ignoreIndex());
      }
    }
  }

  /** Classes that labels can have. */
  static long classes(SamplingConfig config, @Nullable Tensor logits, @Nullable Tensor labels) {
    if (logits != null) {
      return logits.size(1);
    }
    if (labels == null) {
      return 1;
    }
    try (PointerScope scope = new PointerScope()) {
      Tensor wide = labels.to(ScalarType.Long);
      Tensor counted = wide.masked_select(wide.ne(new Scalar(config.ignoreIndex())));
      return counted.numel() == 0 ? 1 : Math.max(1, counted.max().item_long() + 1);
    }
  }

  static void requireSamples(GlobalStructuralSamples samples, Tensor map) {
    Tensor indices = samples.indices();
    if (indices.size(0) != map.size(0)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("indices", indices)
              + " and "
              + TensorArguments.describe("student", map)
              + " differ in batch size");
    }
    TensorArguments.requireSameDevice(NAME, "indices", indices, "student", map);
    TensorArguments.requireSameDevice(NAME, "counts", samples.counts(), "student", map);
    if (!indices.is_cpu()) {
      return;
    }
    try (PointerScope scope = new PointerScope()) {
      long largest = indices.max().item_long();
      long pixels = map.size(2) * map.size(3);
      if (largest >= pixels) {
        throw new IllegalArgumentException(
            NAME + ": indices has the value " + largest + ", expected 0 to " + (pixels - 1));
      }
      long most = samples.counts().narrow(1, 0, 1).max().item_long();
      if (most > indices.size(1)) {
        throw new IllegalArgumentException(
            NAME
                + ": counts promises "
                + most
                + " samples, but "
                + TensorArguments.describe("indices", indices)
                + " holds fewer");
      }
    }
  }

  static void requirePermutation(Tensor permutation, long batch, long samples) {
    TensorArguments.requireOpen(NAME, "permutation", permutation);
    long rank = permutation.dim();
    ScalarType dtype = permutation.scalar_type().intern();
    if ((rank != 2 && rank != 3)
        || (rank == 3 && permutation.size(0) != batch)
        || permutation.size(rank - 1) != samples
        || permutation.size(rank - 2) != samples
        || (dtype != ScalarType.Int && dtype != ScalarType.Long)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("permutation", permutation)
              + " is "
              + dtype
              + ", expected Int ["
              + samples
              + ", "
              + samples
              + "], or one for each image");
    }
    if (!permutation.is_cpu()) {
      return;
    }
    try (PointerScope scope = new PointerScope()) {
      Tensor sorted = permutation.to(ScalarType.Long).sort().get0();
      Tensor columns = torch.arange(new Scalar(samples)).to(ScalarType.Long);
      if (!torch.equal(sorted, columns.expand_as(sorted))) {
        throw new IllegalArgumentException(
            NAME + ": permutation has a row that is no permutation of 0 to " + (samples - 1));
      }
    }
  }
}
