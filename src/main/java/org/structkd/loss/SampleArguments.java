package org.structkd.loss;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapView;
import org.structkd.internal.TensorArguments;

/** Checks of what the global structural loss compares: rows, samples, permutations. */
final class SampleArguments {
  private static final String NAME = GlobalStructuralLoss.NAME;

  private SampleArguments() {}

  static void requireSamples(GlobalStructuralSamples samples, MapView student) {
    Tensor map = student.map();
    Tensor indices = samples.indices();
    if (indices.size(0) != map.size(0)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe("indices", indices)
              + " and "
              + TensorArguments.describe("student", student.given())
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

  static void requireRows(String argument, Tensor rows) {
    TensorArguments.requireOpen(NAME, argument, rows);
    if (rows.dim() != 3) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe(argument, rows)
              + " has rank "
              + rows.dim()
              + ", expected 3: [batch, samples, channels]");
    }
  }

  /** Refuses sizes by which the loss is the same whatever the student does. */
  static void refuseConstant(
      GlobalStructuralLoss loss,
      MapView student,
      TensorOptional indices,
      TensorOptional counts,
      boolean normalize,
      int classes) {
    ConstantLoss.refuseIf(
        normalize && student.map().size(1) == 1,
        student,
        "has one channel, so that every cosine is 1 or -1; expected 2 channels or more");
    long pixels = student.map().size(2) * student.map().size(3);
    long samples = indices.has_value() ? indices.get().size(1) : pixels;
    ConstantLoss.refuseIf(
        samples == 1 || pixels == 1,
        student,
        "is compared at one pixel, whose cosine with itself is 1; expected 2 or more");
    // Where images have classes of their own, only the least of a negative width is known.
    long width = loss.groupWidth();
    long least = width >= 0 ? width : -width * (counts.has_value() ? 1 : classes);
    ConstantLoss.refuseIf(
        loss.comparison() == GlobalStructuralLoss.Comparison.ROW_DIVERGENCE
            && least == 1
            && (width > 0 || !counts.has_value()),
        student,
        "is cut by groupWidth "
            + width
            + " into single columns, and a softmax over one is 1; expected 2 or more");
    ConstantLoss.refuseIf(
        loss.comparison() == GlobalStructuralLoss.Comparison.DESCRIPTOR_RELATION
            && (least == 0 || samples / least < 2),
        student,
        "gives "
            + samples
            + " samples, of which groupWidth "
            + width
            + " makes less than two groups to relate; expected at most half of them");
  }
}
