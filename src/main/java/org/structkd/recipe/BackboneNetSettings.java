package org.structkd.recipe;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.model.BackboneNet;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;

/**
 * {@code {kind: backbone_net}}: a {@link BackboneNet} for the data's images and classes.
 *
 * @param backbone which
 * @param head which
 * @param width factor of the backbone's channels
 * @param outputStride images' size over that of the deepest map
 * @param features channels of the tap {@code features}; 0 for a classifier
 * @param pretrained a safetensors file with the backbone's weights, as torchvision names them;
 *     null: they are random
 */
record BackboneNetSettings(
    BackboneNet.Backbone backbone,
    BackboneNet.Head head,
    double width,
    int outputStride,
    int features,
    @Nullable Path pretrained)
    implements StudentSettings {
  /** Checks the numbers. */
  public BackboneNetSettings {
    new BackboneNet.Config(1, backbone, head, width, outputStride, features, 1);
  }

  /** One as published, of random weights. */
  public BackboneNetSettings(BackboneNet.Backbone backbone, BackboneNet.Head head) {
    this(backbone, head, 1, head.outputStride(), head.features(), null);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    Tensor images = sample.input(Batch.IMAGES);
    BackboneNet.Config config =
        new BackboneNet.Config(
            (int) images.size(1),
            backbone,
            head,
            width,
            outputStride,
            features,
            Classes.of(data, "student: a backbone net"));
    config.requireTrainable(images.shape());
    BackboneNet network = new BackboneNet(config, seed);
    try {
      if (pretrained != null) {
        load(network, pretrained);
      }
      return network;
    } catch (RuntimeException | Error e) {
      network.close();
      throw e;
    }
  }

  private static void load(BackboneNet network, Path weights) {
    try (TensorFile file = TensorFile.open(weights)) {
      network.loadBackbone(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
