package org.structkd.metric;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.Batch;

/**
 * How often the class of an image is named right. The numbers are
 *
 * <ul>
 *   <li>{@code accuracy}, which leads: the share of images whose class has the greatest score;
 *   <li>{@code top_5_accuracy}: those whose class is among the five greatest, where there are more
 *       than five classes;
 *   <li>{@code mean_class_accuracy}: the mean of the shares of each class that has images.
 * </ul>
 *
 * <p>Details are {@code accuracy_0} to {@code accuracy_K-1} of the images of each class, NaN where
 * it has none; all 0 to 1, higher is better. Of equal scores the lower class is first, and an image
 * with a score that is NaN is named wrong. The score has the confusion of the classes.
 *
 * @param on tap with class scores [B, K] for the labels [B]
 * @param classes names of the K classes, 2 or more
 */
public record ClassificationMetric(String on, List<String> classes) implements Metric {
  private static final String NAME = "classification metric";
  private static final String ACCURACY = "accuracy";
  private static final int TOP = 5;
  private static final int PICTURE_WIDTH = 240;
  private static final int PICTURE_HEIGHT = 96;
  private static final Color RIGHT = new Color(0xd5efd5);
  private static final Color WRONG = new Color(0xf6cfcf);

  /**
   * Copies the names.
   *
   * @throws IllegalArgumentException if there are fewer than two
   */
  public ClassificationMetric {
    classes = List.copyOf(classes);
    if (classes.size() < 2) {
      throw new IllegalArgumentException(
          NAME + ": there are " + classes.size() + " classes, expected 2 or more");
    }
  }

  @Override
  public Set<String> taps() {
    return Set.of(on);
  }

  @Override
  public String leading() {
    return ACCURACY;
  }

  @Override
  public Count count() {
    return new Answers();
  }

  /** What each image was scored. */
  private record Scores(double[][] scores, int[] labels) {
    /** How many classes come before the true one, by their scores; all where one is NaN. */
    int place(int image) {
      double[] row = scores[image];
      int label = labels[image];
      boolean known = Arrays.stream(row).noneMatch(Double::isNaN);
      return !known
          ? row.length
          : (int)
              IntStream.range(0, row.length)
                  .filter(k -> row[k] > row[label] || row[k] == row[label] && k < label)
                  .count();
    }

    int best(int image) {
      double[] row = scores[image];
      return IntStream.range(0, row.length).reduce(0, (best, k) -> row[k] > row[best] ? k : best);
    }
  }

  private Scores scores(Map<String, Tensor> outputs, Batch batch) {
    try (PointerScope temporaries = new PointerScope()) {
      int[] labels = labels(batch);
      double[] all = Elements.of(Taps.output(NAME, outputs, on, labels.length, classes.size()));
      double[][] rows = new double[labels.length][];
      Arrays.setAll(
          rows, i -> Arrays.copyOfRange(all, i * classes.size(), (i + 1) * classes.size()));
      return new Scores(rows, labels);
    }
  }

  private int[] labels(Batch batch) {
    Tensor given = batch.target(Batch.LABELS);
    if (given.dim() != 1) {
      throw new IllegalArgumentException(
          "%s: labels are %s, expected [B]".formatted(NAME, Arrays.toString(given.shape())));
    }
    long[] labels = new long[Math.toIntExact(given.numel())];
    given.cpu().to(ScalarType.Long).contiguous().data_ptr_long().get(labels);
    for (long label : labels) {
      if (label < 0 || label >= classes.size()) {
        throw new IllegalArgumentException(
            "%s: a label is %d, expected 0 to %d".formatted(NAME, label, classes.size() - 1));
      }
    }
    return Arrays.stream(labels).mapToInt(Math::toIntExact).toArray();
  }

  private final class Answers implements Count {
    private final long[] images = new long[classes.size()];
    private final long[][] answered = new long[classes.size()][classes.size()];
    private final long[] right = new long[classes.size()];
    private long amongTop;

    @Override
    public void add(Map<String, Tensor> outputs, Batch batch) {
      Scores scores = scores(outputs, batch);
      for (int image = 0; image < scores.labels.length; image++) {
        int place = scores.place(image);
        int label = scores.labels[image];
        images[label]++;
        answered[label][scores.best(image)]++;
        right[label] += place == 0 ? 1 : 0;
        amongTop += place < TOP ? 1 : 0;
      }
    }

    private double accuracy(int label) {
      return (double) right[label] / images[label];
    }

    @Override
    public Score score() {
      double all = Arrays.stream(images).sum();
      if (all == 0) {
        throw new IllegalStateException("no image was counted, so there is no score");
      }
      List<Score.Number> numbers = new ArrayList<>();
      numbers.add(number(ACCURACY, ACCURACY, Arrays.stream(right).sum() / all));
      if (classes.size() > TOP) {
        numbers.add(number("top_5_accuracy", "top-5 accuracy", amongTop / all));
      }
      double mean =
          IntStream.range(0, images.length)
              .filter(label -> images[label] > 0)
              .mapToDouble(this::accuracy)
              .average()
              .getAsDouble();
      numbers.add(number("mean_class_accuracy", "mean class accuracy", mean));
      List<Score.Number> details = new ArrayList<>();
      for (int label = 0; label < images.length; label++) {
        details.add(
            number("accuracy_" + label, "accuracy of " + classes.get(label), accuracy(label)));
      }
      return new Score(numbers, details, new Confusion(classes, answered));
    }
  }

  private static Score.Number number(String name, String title, double value) {
    return new Score.Number(name, title, value, "", true);
  }

  /**
   * {@inheritDoc} The name of the class, on green where it is right and on red where it is wrong.
   */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    int truth = labels(batch)[0];
    int shown = answer.isEmpty() ? truth : scores(answer, batch).best(0);
    BufferedImage image =
        new BufferedImage(PICTURE_WIDTH, PICTURE_HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setColor(answer.isEmpty() ? Color.WHITE : shown == truth ? RIGHT : WRONG);
    graphics.fillRect(0, 0, PICTURE_WIDTH, PICTURE_HEIGHT);
    graphics.setColor(Color.BLACK);
    graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 30));
    graphics.drawString(classes.get(shown), 12, PICTURE_HEIGHT / 2 + 10);
    graphics.dispose();
    return image;
  }
}
