package org.structkd.metric;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Counts right and wrong pixels over any number of images, and makes pixel accuracy and mean
 * intersection over union of them.
 *
 * <pre>{@code
 * n[i,j]    pixels of class i that were predicted as class j
 * accuracy  = sum_i n[i,i] / sum_ij n[i,j]
 * IoU(i)    = n[i,i] / (sum_j n[i,j] + sum_j n[j,i] - n[i,i])
 * mIoU      = mean of IoU(i) over the classes that occur
 * }</pre>
 *
 * <ul>
 *   <li><b>Values:</b> 0 to 1. Counts are summed over all images before dividing, so an image
 *       counts by its pixels.
 *   <li><b>Absent classes:</b> a class in neither labels nor predictions has no IoU and is left out
 *       of the mean. One that is predicted but never true has IoU 0 and stays in.
 *   <li><b>Ignore index:</b> pixels with this label count nowhere, whatever was predicted. If it is
 *       one of the classes, that class is left out of the mean; to predict it for a pixel of
 *       another class is still wrong.
 *   <li><b>Threads:</b> mutable, for one thread at a time. Threads keep one each and {@link
 *       #merge}.
 * </ul>
 *
 * <p>Source: M. Everingham et al., "The PASCAL visual object classes challenge: a retrospective",
 * IJCV 2015, section 4.2; accuracy and mIoU over all pixels as in J. Long et al., CVPR 2015.
 */
public final class SegmentationScore {
  /** Most classes; the counts take the square of it, 8 bytes each. */
  public static final int MAX_CLASSES = 4096;

  private final int classes;
  private final @Nullable Long ignoreIndex;
  private final long[] counts;

  /**
   * Starts with no pixel counted and no label ignored.
   *
   * @param classes number of classes K, 1 to {@link #MAX_CLASSES}
   * @throws IllegalArgumentException if it is out of range
   */
  public SegmentationScore(int classes) {
    this(classes, null);
  }

  /**
   * Starts with no pixel counted.
   *
   * @param classes number of classes K, 1 to {@link #MAX_CLASSES}
   * @param ignoreIndex label whose pixels do not count, or null for none
   * @throws IllegalArgumentException if {@code classes} is out of range
   */
  public SegmentationScore(int classes, @Nullable Long ignoreIndex) {
    if (classes < 1 || classes > MAX_CLASSES) {
      throw new IllegalArgumentException(
          "classes must be 1 to " + MAX_CLASSES + " but is " + classes);
    }
    this.classes = classes;
    this.ignoreIndex = ignoreIndex;
    this.counts = new long[classes * classes];
  }

  /**
   * Counts pixels.
   *
   * @param labels true classes, 0 to K - 1 or the ignore index
   * @param predictions predicted classes of the same pixels, 0 to K - 1 unless ignored
   * @throws IllegalArgumentException if lengths differ or a class is out of range; nothing was
   *     counted then
   */
  public void add(long[] labels, long[] predictions) {
    if (labels.length != predictions.length) {
      throw new IllegalArgumentException(
          "labels and predictions must have one length but have %s and %s"
              .formatted(labels.length, predictions.length));
    }
    for (int i = 0; i < labels.length; i++) {
      if (!ignored(labels[i])) {
        requireClass("labels", i, labels[i]);
        requireClass("predictions", i, predictions[i]);
      }
    }
    for (int i = 0; i < labels.length; i++) {
      if (!ignored(labels[i])) {
        counts[(int) labels[i] * classes + (int) predictions[i]]++;
      }
    }
  }

  /**
   * Counts the pixels of a batch.
   *
   * @param labels true classes, i64, any shape, usually [B, H, W]; on any device
   * @param predictions predicted classes, i64, same shape, for example {@code logits.argmax(1)}
   * @throws IllegalArgumentException if shapes differ, a tensor is not i64 or a class is out of
   *     range; nothing was counted then
   */
  public void add(Tensor labels, Tensor predictions) {
    if (!Arrays.equals(labels.shape(), predictions.shape())) {
      throw new IllegalArgumentException(
          "labels and predictions must have one shape but have "
              + Arrays.toString(labels.shape())
              + " and "
              + Arrays.toString(predictions.shape()));
    }
    add(elements("labels", labels), elements("predictions", predictions));
  }

  /** {@return the elements of a tensor of i64, row by row} */
  @SuppressWarnings("try") // the scope is opened, not read
  static long[] elements(String argument, Tensor tensor) {
    torch.ScalarType dtype = tensor.scalar_type().intern();
    if (dtype != torch.ScalarType.Long) {
      throw new IllegalArgumentException(argument + " must be i64 (Long) but is " + dtype);
    }
    long[] elements = new long[Math.toIntExact(tensor.numel())];
    try (PointerScope temporaries = new PointerScope()) {
      LongPointer dense = tensor.cpu().contiguous().data_ptr_long();
      dense.get(elements);
    }
    return elements;
  }

  private boolean ignored(long label) {
    return ignoreIndex != null && label == ignoreIndex;
  }

  private void requireClass(String argument, int index, long value) {
    if (value < 0 || value >= classes) {
      throw new IllegalArgumentException(
          argument
              + " must be classes 0 to "
              + (classes - 1)
              + (ignoreIndex == null ? "" : " (ignore index " + ignoreIndex + ")")
              + " but pixel "
              + index
              + " is "
              + value);
    }
  }

  /**
   * Adds what another score has counted.
   *
   * @param other a score of as many classes and the same ignore index; unchanged
   * @throws IllegalArgumentException if they differ; names both
   */
  public void merge(SegmentationScore other) {
    if (other.classes != classes || !Objects.equals(other.ignoreIndex, ignoreIndex)) {
      throw new IllegalArgumentException(
          "other must have %s classes and ignore index %s but has %s and %s"
              .formatted(classes, ignoreIndex, other.classes, other.ignoreIndex));
    }
    for (int i = 0; i < counts.length; i++) {
      counts[i] += other.counts[i];
    }
  }

  /** {@return the number of classes K} */
  public int classes() {
    return classes;
  }

  /**
   * {@return how many pixels of a class were predicted as a class}
   *
   * @param label true class, 0 to K - 1
   * @param prediction predicted class, 0 to K - 1
   */
  public long count(int label, int prediction) {
    Objects.checkIndex(label, classes);
    return counts[label * classes + Objects.checkIndex(prediction, classes)];
  }

  /**
   * {@return the counts of all classes}
   *
   * @param names of the classes, in the order of their labels
   */
  Confusion confusion(List<String> names) {
    long[][] rows = new long[classes][];
    Arrays.setAll(
        rows, label -> Arrays.copyOfRange(counts, label * classes, (label + 1) * classes));
    return new Confusion(names, rows);
  }

  /** {@return the number of pixels that count: all but the ignored ones} */
  public long pixels() {
    return Arrays.stream(counts).sum();
  }

  /**
   * {@return the share of pixels that are right, 0 to 1}
   *
   * @throws IllegalStateException if no pixel was counted
   */
  public double pixelAccuracy() {
    requirePixels();
    long right = 0;
    for (int i = 0; i < classes; i++) {
      right += count(i, i);
    }
    return right / (double) pixels();
  }

  /**
   * {@return the intersection over union of one class, 0 to 1, or NaN if the class occurs in
   * neither labels nor predictions or is the ignored one: it has none then}
   *
   * @param index the class, 0 to K - 1
   */
  public double iou(int index) {
    Objects.checkIndex(index, classes);
    if (ignored(index)) {
      return Double.NaN;
    }
    long union = -count(index, index);
    for (int other = 0; other < classes; other++) {
      union += count(index, other) + count(other, index);
    }
    return union == 0 ? Double.NaN : count(index, index) / (double) union;
  }

  /**
   * {@return the mean of {@link #iou} over the classes that have one, 0 to 1}
   *
   * @throws IllegalStateException if no pixel was counted
   */
  public double meanIou() {
    requirePixels();
    double sum = 0;
    int present = 0;
    for (int i = 0; i < classes; i++) {
      double iou = iou(i);
      if (!Double.isNaN(iou)) {
        sum += iou;
        present++;
      }
    }
    return sum / present; // a counted pixel has a label, so at least one class is present
  }

  private void requirePixels() {
    if (pixels() == 0) {
      throw new IllegalStateException("no pixel was counted, so there is no score");
    }
  }
}
