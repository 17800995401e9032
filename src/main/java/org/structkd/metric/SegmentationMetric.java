package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.Batch;
import org.structkd.internal.Named;

/**
 * Judges class scores of every pixel by {@link SegmentationScore}. The numbers are {@code miou},
 * which leads, and {@code pixel_accuracy}; details are {@code iou_0} to {@code iou_K-1} of the
 * classes, NaN where a class has none; all 0 to 1, higher is better.
 *
 * @param tap output with class scores [B, K, H, W] at the size of the labels [B, H, W]
 * @param classes names of the K classes, 1 to {@link SegmentationScore#MAX_CLASSES}
 * @param ignoreIndex label whose pixels do not count; empty: all do
 * @param resized whether scores of another size are brought to that of the labels, bilinearly; else
 *     they are refused
 */
public record SegmentationMetric(
    String tap, List<String> classes, OptionalLong ignoreIndex, boolean resized) implements Metric {
  private static final String MIOU = "miou";

  /** Checks the number of classes. */
  public SegmentationMetric {
    classes = List.copyOf(classes);
    new SegmentationScore(classes.size());
  }

  /** A metric for which all pixels count. */
  public SegmentationMetric(String tap, List<String> classes) {
    this(tap, classes, OptionalLong.empty());
  }

  /** A metric of scores that have the size of the labels. */
  public SegmentationMetric(String tap, List<String> classes, OptionalLong ignoreIndex) {
    this(tap, classes, ignoreIndex, false);
  }

  @Override
  public Set<String> taps() {
    return Set.of(tap);
  }

  @Override
  public String leading() {
    return MIOU;
  }

  @Override
  public Count count() {
    SegmentationScore counted =
        new SegmentationScore(
            classes.size(), ignoreIndex.isPresent() ? ignoreIndex.getAsLong() : null);
    return new Count() {
      @Override
      public void add(Map<String, Tensor> outputs, Batch batch) {
        try (PointerScope temporaries = new PointerScope()) {
          Tensor labels = batch.target(Batch.LABELS);
          counted.add(labels, best(outputs, labels));
        }
      }

      @Override
      public Score score() {
        List<Score.Number> numbers = new ArrayList<>();
        numbers.add(number(MIOU, "mIoU", counted.meanIou()));
        numbers.add(number("pixel_accuracy", "pixel accuracy", counted.pixelAccuracy()));
        List<Score.Number> details = new ArrayList<>();
        for (int i = 0; i < classes.size(); i++) {
          details.add(number("iou_" + i, "IoU of " + classes.get(i), counted.iou(i)));
        }
        return new Score(numbers, details);
      }
    };
  }

  private static Score.Number number(String name, String title, double value) {
    return new Score.Number(name, title, value, "", true);
  }

  /** The most likely class of each pixel, on the CPU. */
  private Tensor best(Map<String, Tensor> outputs, Tensor labels) {
    Tensor scores = Named.in(outputs, "segmentation metric: the network", "tap", tap);
    long[] size = labels.shape();
    if (size.length != 3) {
      throw new IllegalArgumentException(
          "segmentation metric: labels are " + Arrays.toString(size) + ", expected [B, H, W]");
    }
    if (resized && scores.dim() == 4) {
      scores = torch.upsample_bilinear2d(scores, new long[] {size[1], size[2]}, false);
    }
    long[] expected = {size[0], classes.size(), size[1], size[2]};
    if (!Arrays.equals(expected, scores.shape())) {
      throw new IllegalArgumentException(
          "segmentation metric: tap \"%s\" is %s, expected %s"
              .formatted(tap, Arrays.toString(scores.shape()), Arrays.toString(expected)));
    }
    return scores.argmax(new LongOptional(1), false).cpu();
  }

  /** {@inheritDoc} The class of each pixel in its colour. */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor labels = batch.target(Batch.LABELS);
      Tensor shown = (answer.isEmpty() ? labels.cpu() : best(answer, labels)).select(0, 0);
      long[] pixels = new long[Math.toIntExact(shown.numel())];
      shown.contiguous().data_ptr_long().get(pixels);
      int width = (int) shown.size(1);
      return Palette.mask(width, (int) shown.size(0), at -> Palette.colour((int) pixels[at]));
    }
  }

  @Override
  public Map<String, Integer> legend() {
    Map<String, Integer> legend = new LinkedHashMap<>();
    for (int i = 0; i < classes.size(); i++) {
      legend.put(classes.get(i), Palette.colour(i));
    }
    return legend;
  }
}
