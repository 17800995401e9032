package org.structkd.recipe;

import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.PictureInput;
import org.structkd.internal.Named;
import org.structkd.internal.Scopes;
import org.structkd.model.TappedNetwork;

/**
 * A teacher that sees the student's images in its own size and normalisation, and whose classes
 * become the student's. It is owned.
 */
final class AdaptedTeacher implements TappedNetwork {
  private static final List<String> USUAL_SCORES = List.of("logits", "upsampled");

  private final TappedNetwork network;
  private final Adaptation how;
  private final @Nullable PictureInput pictures;
  private final @Nullable JoinedClasses classes;
  private final List<String> scores;

  private AdaptedTeacher(
      TappedNetwork network,
      Adaptation how,
      @Nullable PictureInput pictures,
      @Nullable JoinedClasses classes) {
    this.network = network;
    this.how = how;
    this.pictures = pictures;
    this.classes = classes;
    scores = classes == null ? List.of() : scores(network.taps());
    if (how.changesImages() && !network.inputs().contains(IMAGES)) {
      throw Named.missing("the teacher", "input", IMAGES, network.inputs());
    }
  }

  /**
   * {@return the teacher, adapted where its settings say so}
   *
   * @param teacher which
   * @param sample of what students read
   * @param normalised how the data's images are, which are loaded
   * @throws IOException as {@link TeacherSettings#load}
   * @throws IllegalArgumentException if the data do not tell what is needed, or a class of the
   *     student is none of the teacher's
   */
  static TappedNetwork load(
      TeacherSettings teacher, Batch sample, DataSettings normalised, Dataset data)
      throws IOException {
    Adaptation how = teacher.adapted();
    if (how == null) {
      return teacher.load(sample);
    }
    PictureInput pictures = how.mean().isEmpty() ? null : pictures(how, normalised);
    JoinedClasses classes = how.classes().isEmpty() ? null : JoinedClasses.of(how.classes(), data);
    Map<String, Tensor> inputs = new HashMap<>(sample.inputs());
    if (how.changesImages()) {
      String own = teacher.inputs().getOrDefault(IMAGES, IMAGES);
      inputs.put(own, seen(sample.input(own), how, pictures));
    }
    TappedNetwork network = teacher.load(new Batch(inputs, sample.targets()));
    try {
      return new AdaptedTeacher(network, how, pictures, classes);
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
  }

  private static PictureInput pictures(Adaptation how, DataSettings data) {
    PictureInput pictures =
        data.pictures()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "teacher.adapted has a mean, but data of the kind %s do not tell theirs,"
                                .formatted(RecordIntrospector.kind(data.getClass()))
                            + " expected image_files"));
    if (pictures.mean().size() != how.mean().size()) {
      throw new IllegalArgumentException(
          "teacher.adapted.mean has %d numbers, expected %d as the data's"
              .formatted(how.mean().size(), pictures.mean().size()));
    }
    return pictures;
  }

  private List<String> scores(Set<String> taps) {
    for (String tap : how.scores()) {
      if (!taps.contains(tap)) {
        throw Named.missing("the teacher", "tap", tap, taps);
      }
    }
    List<String> found =
        how.scores().isEmpty()
            ? USUAL_SCORES.stream().filter(taps::contains).toList()
            : how.scores();
    if (found.isEmpty()) {
      throw Named.missing("the teacher", "tap", USUAL_SCORES.get(0), taps);
    }
    return found;
  }

  /** Images as the teacher sees them. */
  private static Tensor seen(Tensor images, Adaptation how, @Nullable PictureInput pictures) {
    if (images.dim() != 4) {
      throw new IllegalArgumentException(
          "teacher.adapted needs images [B, C, H, W], given " + images.dim() + " dimensions");
    }
    Tensor seen = pictures == null ? images : normalised(images, how, pictures);
    long height = images.size(2);
    long width = images.size(3);
    if (how.size() != null) {
      height = how.size().height();
      width = how.size().width();
    } else if (how.scale() != null) {
      height = Math.max(1, Math.round(height * how.scale()));
      width = Math.max(1, Math.round(width * how.scale()));
    }
    return height == images.size(2) && width == images.size(3)
        ? seen
        : torch.upsample_bilinear2d(seen, new long[] {height, width}, false);
  }

  /** From (x - m) / d to (x - m') / d'. */
  private static Tensor normalised(Tensor images, Adaptation how, PictureInput pictures) {
    int channels = how.mean().size();
    if (images.size(1) != channels) {
      throw new IllegalArgumentException(
          "teacher.adapted.mean has %d numbers, but the teacher's images %d channels"
              .formatted(channels, images.size(1)));
    }
    double[] factor = new double[channels];
    double[] shift = new double[channels];
    for (int channel = 0; channel < channels; channel++) {
      double deviation = how.deviation().get(channel);
      factor[channel] = pictures.deviation().get(channel) / deviation;
      shift[channel] = (pictures.mean().get(channel) - how.mean().get(channel)) / deviation;
    }
    return images.mul(perChannel(factor, images)).add(perChannel(shift, images));
  }

  private static Tensor perChannel(double[] values, Tensor like) {
    return Tensor.create(values, 1, values.length, 1, 1).to(like.device(), like.scalar_type());
  }

  @Override
  public Set<String> taps() {
    return network.taps();
  }

  @Override
  public Set<String> inputs() {
    return network.inputs();
  }

  @Override
  public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
    return Scopes.resultsOf(
        () -> {
          try (NoGradGuard noGrad = new NoGradGuard()) {
            Map<String, Tensor> read = new HashMap<>(inputs);
            if (how.changesImages()) {
              Tensor images = Named.in(inputs, "the batch", "input", IMAGES);
              read.put(IMAGES, seen(images, how, pictures));
            }
            Map<String, Tensor> outputs = new LinkedHashMap<>(network.infer(read));
            for (String tap : scores) {
              outputs.computeIfPresent(tap, classes::joined);
            }
            return outputs;
          }
        });
  }

  @Override
  public void to(Device device) {
    network.to(device);
  }

  @Override
  public String fingerprint() {
    return network.fingerprint() + " " + how + (pictures == null ? "" : " of " + pictures);
  }

  @Override
  public void close() {
    network.close();
  }
}
