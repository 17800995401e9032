package org.structkd.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** Looks at every file of {@link ImageFiles}: what is broken, and what the whole ones hold. */
final class ImageFilesCheck {
  /** Pairs that are read at once: enough to keep processors busy. */
  private static final int AT_ONCE = 16;

  private final ImageFiles files;
  private final LabelTable table;
  private final List<String> faults = new ArrayList<>();
  private final long[][] pixels;
  private final long[] ignored = new long[Split.values().length];
  private final double[] sum = new double[3];
  private final double[] squares = new double[3];
  private double colours;
  private Augmentation.@Nullable Size smallest;
  private Augmentation.@Nullable Size largest;

  /** What one pair of files holds. */
  private record Counted(
      int height, int width, long[] pixels, double[] sum, double[] squares, String fault) {}

  private ImageFilesCheck(ImageFiles files) {
    this.files = files;
    table = files.config().table();
    pixels = new long[Split.values().length][table.classes().size()];
  }

  /** Reads all files. */
  static ImageFindings of(ImageFiles files, LongConsumer progress) throws IOException {
    return new ImageFilesCheck(files).run(progress);
  }

  private ImageFindings run(LongConsumer progress) throws IOException {
    int[] photographs = new int[Split.values().length];
    long done = 0;
    for (Split split : Split.values()) {
      List<ImagePair> pairs = files.pairs(split);
      photographs[split.ordinal()] = pairs.size();
      for (int first = 0; first < pairs.size(); first += AT_ONCE) {
        List<ImagePair> some = pairs.subList(first, Math.min(first + AT_ONCE, pairs.size()));
        for (Counted counted : counted(some)) {
          add(split, counted);
        }
        done += some.size();
        progress.accept(done);
      }
    }
    double[] mean = new double[3];
    double[] deviation = new double[3];
    for (int channel = 0; channel < 3; channel++) {
      mean[channel] = sum[channel] / colours;
      deviation[channel] =
          Math.sqrt(Math.max(0, squares[channel] / colours - mean[channel] * mean[channel]));
    }
    return new ImageFindings(
        photographs, List.copyOf(faults), pixels, ignored, mean, deviation, smallest, largest);
  }

  private List<Counted> counted(List<ImagePair> pairs) throws IOException {
    try {
      return pairs.parallelStream().map(this::counted).toList(); // in their order
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private Counted counted(ImagePair pair) {
    try {
      LabelledPicture read = LabelledPicture.read(pair, table);
      long[] of = new long[LabelTable.IGNORED + 1];
      for (byte label : read.classes()) {
        of[label & 255]++;
      }
      Picture picture = read.picture();
      int plane = picture.height() * picture.width();
      double[] total = new double[3];
      double[] square = new double[3];
      for (int at = 0; at < 3 * plane; at++) {
        double level = (picture.levels()[at] & 255) / Picture.WHITE;
        total[at / plane] += level;
        square[at / plane] += level * level;
      }
      return new Counted(picture.height(), picture.width(), of, total, square, "");
    } catch (DataFileException e) {
      return new Counted(0, 0, new long[0], new double[0], new double[0], e.getMessage());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void add(Split split, Counted counted) {
    if (!counted.fault.isEmpty()) {
      faults.add(counted.fault);
      return;
    }
    Augmentation.Size size = new Augmentation.Size(counted.height, counted.width);
    if (smallest == null || area(size) < area(smallest)) {
      smallest = size;
    }
    if (largest == null || area(size) > area(largest)) {
      largest = size;
    }
    long[] of = pixels[split.ordinal()];
    Arrays.setAll(of, label -> of[label] + counted.pixels[label]);
    ignored[split.ordinal()] += counted.pixels[LabelTable.IGNORED];
    if (split == Split.TRAIN) {
      colours += area(size);
      for (int channel = 0; channel < 3; channel++) {
        sum[channel] += counted.sum[channel];
        squares[channel] += counted.squares[channel];
      }
    }
  }

  private static long area(Augmentation.Size size) {
    return (long) size.height() * size.width();
  }
}
