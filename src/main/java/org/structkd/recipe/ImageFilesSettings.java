package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.structkd.data.Augmentation;
import org.structkd.data.Dataset;
import org.structkd.data.ImageFiles;
import org.structkd.data.ImageLayout;
import org.structkd.data.LabelTable;
import org.structkd.data.PictureInput;
import org.structkd.internal.Words;

/**
 * {@code {kind: image_files}}: photographs of one's own with the class of every pixel, see {@link
 * ImageFiles}.
 *
 * @param directory of the data set
 * @param layout how files lie in it
 * @param classes names of the classes; empty where the layout has its own
 * @param labels the class of each value of masks, -1 if it does not count; empty: values are
 *     classes and 255 does not count
 * @param othersIgnored whether values that are not in {@code labels} do not count
 * @param batch photographs per training step, 1 or more
 * @param augmentation how photographs to train on change
 * @param evaluated height and width that photographs to evaluate on fit into
 * @param mean subtracted from intensities of 0 to 1, for red, green and blue
 * @param deviation what they are divided by then
 * @param validation most photographs that a training is evaluated on; 0: all
 * @param test most photographs that students are compared on; 0: all
 * @param skipBroken whether broken files to train on are left out instead of ending the training
 */
record ImageFilesSettings(
    Path directory,
    ImageLayout layout,
    List<String> classes,
    Map<String, Integer> labels,
    boolean othersIgnored,
    int batch,
    Augmentation augmentation,
    Augmentation.Size evaluated,
    List<Double> mean,
    List<Double> deviation,
    int validation,
    int test,
    boolean skipBroken)
    implements DataSettings {
  /** Checks the values. */
  public ImageFilesSettings {
    labels = Recipe.copied(labels);
    if (batch < 1) {
      throw new IllegalArgumentException("batch is " + batch + ", expected 1 or more");
    }
    if (layout.labels() != null || !classes.isEmpty()) { // a default lacks what is missing here
      new ImageFiles.Config(
          table(layout, classes, labels, othersIgnored),
          augmentation,
          evaluated,
          mean,
          deviation,
          validation,
          test,
          skipBroken);
    }
  }

  /**
   * Batches of 8 crops of 256 x 256 that are scaled by 0.5 to 2 and mirrored; whole photographs
   * that fit into 512 x 512 to evaluate on; the colours of ImageNet.
   */
  public ImageFilesSettings(Path directory, ImageLayout layout) {
    this(
        directory,
        layout,
        List.of(),
        Map.of(),
        false,
        8,
        new Augmentation(new Augmentation.Size(256, 256)),
        new Augmentation.Size(512, 512),
        ImageFiles.Config.IMAGENET_MEAN,
        ImageFiles.Config.IMAGENET_DEVIATION,
        0,
        0,
        false);
  }

  private static LabelTable table(
      ImageLayout layout,
      List<String> classes,
      Map<String, Integer> labels,
      boolean othersIgnored) {
    LabelTable own = layout.labels();
    if (own == null && classes.isEmpty()) {
      throw new IllegalArgumentException(
          "data.classes is missing: masks of the layout %s mean what their owner says"
              .formatted(Words.of(layout)));
    }
    if (own != null && classes.isEmpty() && labels.isEmpty() && !othersIgnored) {
      return own;
    }
    return new LabelTable(classes.isEmpty() ? own.classes() : classes, labels, othersIgnored);
  }

  @Override
  public Optional<PictureInput> pictures() {
    LabelTable table = table(layout, classes, labels, othersIgnored);
    return Optional.of(new PictureInput(mean, deviation, table.classes()));
  }

  @Override
  public Dataset load() throws IOException {
    return ImageFiles.of(
        directory,
        layout,
        new ImageFiles.Config(
            table(layout, classes, labels, othersIgnored),
            augmentation,
            evaluated,
            mean,
            deviation,
            validation,
            test,
            skipBroken));
  }

  @Override
  public List<String> classNames() {
    return table(layout, classes, labels, othersIgnored).classes();
  }
}
