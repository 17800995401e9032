package org.structkd.run;

import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.structkd.data.Augmentation;
import org.structkd.internal.Words;

/**
 * A recipe to start from for a file that was inspected: its network as the teacher, or its weights
 * as what a student begins with. Losses, weights and training of photographs are SKD's (Liu et al.,
 * CVPR 2019), the others those of the recipes {@code skd} and {@code garments-kd}.
 */
public final class StartingRecipe {
  /** The kind of data in recipes of photographs, which are the user's own. */
  public static final String PHOTOGRAPHS = "image_files";

  private static final int COLOURS = 3;

  /** Classes of the scenes and of the garments that come with this library. */
  private static final int SCENE_CLASSES = 11;

  private static final int GARMENT_CLASSES = 10;

  private StartingRecipe() {}

  /**
   * {@return the recipe in YAML; empty where no data of this library fit}
   *
   * @param found what the file holds
   * @param data folder of photographs
   * @param size of the crops
   */
  public static Optional<String> of(InspectedFile found, Path data, Augmentation.Size size) {
    if (found.kind() == InspectedFile.Kind.WEIGHTS) {
      return found
          .backbone()
          .map(
              backbone ->
                  photographs(data, "[class0, class1]", size)
                      + "student: {kind: backbone_net, backbone: %s, head: pspnet, pretrained: %s}\n"
                          .formatted(Words.of(backbone), quoted(found.file().toString()))
                      + "losses:\n"
                      + SUPERVISED
                      + TRAIN);
    }
    Optional<String> scores = found.scores();
    if (scores.isEmpty() || found.inputs().size() != 1) {
      return Optional.empty();
    }
    long[] shape = found.outputs().get(scores.get());
    long channels = found.inputs().values().iterator().next()[1];
    String teacher =
        "teacher: {kind: %s, file: %s}\n"
            .formatted(
                found.kind() == InspectedFile.Kind.TORCHSCRIPT ? "torchscript" : "file",
                quoted(found.file().toString()));
    if (shape.length == 4 && channels == COLOURS) {
      return Optional.of(
          photographs(data, classes(shape[1]), size)
              + teacher
              + "student: {kind: backbone_net, backbone: resnet18, head: pspnet, features: 128}\n"
              + "losses:\n"
              + SUPERVISED
              + distillation(found, scores.get())
              + TRAIN);
    }
    if (shape.length == 4 && channels == 1 && shape[1] == SCENE_CLASSES) {
      return Optional.of(
          "data: {kind: fashion_scenes, labelled: 128}\n"
              + teacher
              + "student: {kind: segmentation_net, width: 6}\n"
              + "losses:\n"
              + SUPERVISED
              + distillation(found, scores.get())
              + """
              train: {steps: 1000, optimizer: {kind: adam, rate: 0.01}}
              metric: {kind: segmentation, on: upsampled}
              """);
    }
    if (shape.length == 2 && channels == 1 && shape[1] == GARMENT_CLASSES) {
      return Optional.of(
          "data: {kind: garments}\n"
              + teacher
              + """
              student: {kind: resnet, depth: 8, width: 4}
              losses:
                supervised: {loss: cross_entropy, on: logits, weight: 1}
                pixelwise: {loss: pixelwise, preset: kd, temperature: 4, on: %s, weight: 0.9}
              train: {steps: 700, optimizer: {kind: sgd, rate: 0.1, momentum: 0.9, weight_decay: 0.0005}}
              metric: {kind: classification, on: logits}
              """
                  .formatted(pair("logits", scores.get())));
    }
    return Optional.empty();
  }

  private static final String SUPERVISED =
      "  supervised: {loss: cross_entropy, on: upsampled, weight: 1}\n";

  private static final String TRAIN =
      """
      train: {steps: 40000, optimizer: {kind: sgd, rate: 0.01, momentum: 0.9, weight_decay: 0.0005}}
      metric: {kind: segmentation, on: upsampled}
      """;

  private static String photographs(Path data, String classes, Augmentation.Size size) {
    String both = "{height: %d, width: %d}".formatted(size.height(), size.width());
    return """
        data:
          kind: %s
          directory: %s
          layout: folder
          classes: %s
          augmentation: {crop: %s}
          evaluated: %s
        """
        .formatted(PHOTOGRAPHS, quoted(data.toString()), classes, both, both);
  }

  private static String distillation(InspectedFile found, String scores) {
    String features =
        found
            .features()
            .map(
                tap ->
                    ("  pairwise: {loss: pairwise, preset: skd_cvpr19, on: %s, weight: 0.15625,"
                            + " resize_teacher: true}\n")
                        .formatted(pair("features", tap)))
            .orElse("");
    return ("  pixelwise: {loss: pixelwise, preset: kd, on: %s, weight: 5, resize_teacher: true}\n"
            + "%s")
        .formatted(pair("logits", scores), features);
  }

  private static String pair(String student, String teacher) {
    return student.equals(teacher)
        ? student
        : "{student: %s, teacher: %s}".formatted(student, quoted(teacher));
  }

  private static String classes(long count) {
    return LongStream.range(0, count)
        .mapToObj(label -> "class" + label)
        .collect(Collectors.joining(", ", "[", "]"));
  }

  /** JSON's quoted strings are YAML's, too. */
  private static String quoted(String text) {
    return TextNode.valueOf(text).toString();
  }
}
