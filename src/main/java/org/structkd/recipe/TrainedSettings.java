package org.structkd.recipe;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.loss.DepthRange;
import org.structkd.loss.Loss;
import org.structkd.model.DepthNet;
import org.structkd.model.NetworkFile;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.train.Distiller;

/**
 * {@code {kind: trained}}: a network that a run of this library has trained, and that goes on
 * learning. It begins with the same weights for every seed.
 *
 * @param file its safetensors file
 */
record TrainedSettings(Path file) implements StudentSettings {
  /**
   * {@inheritDoc}
   *
   * @throws UncheckedIOException if the file is missing or is not what it should be
   */
  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    try (TensorFile weights = TensorFile.open(file)) {
      Distiller.requireWeights(weights);
      TrainableNetwork network = NetworkFile.network(weights);
      try {
        MatrixFactorizationSettings.requireOf(data, "student", network);
      } catch (IllegalArgumentException e) {
        network.close();
        throw e;
      }
      return network;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@inheritDoc} The file tells which depths a {@link DepthNet} can tell. */
  @Override
  public void requireFit(String term, Loss loss) {
    if (loss instanceof DepthRange) {
      try (TensorFile weights = TensorFile.open(file);
          TrainableNetwork network = NetworkFile.network(weights)) {
        if (network instanceof DepthNet net) {
          DepthNet.Config shape = net.config();
          new DepthNetSettings(shape.width(), shape.nearest(), shape.farthest())
              .requireFit(term, loss);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
