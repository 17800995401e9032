package org.structkd.optim;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Scopes;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;

/**
 * The exponential moving average of a module's parameters over the steps of its training, which is
 * often the better network.
 *
 * <pre>{@code
 * average = d average + (1 - d) parameter,   d = min(decay, (1 + t) / (10 + t)) after step t >= 0
 * }</pre>
 *
 * <p>The second term lets it forget the random weights that it begins with. Buffers, such as
 * running means, are averages already: the network keeps its own. For one thread at a time.
 *
 * <p>Source: TensorFlow's {@code ExponentialMovingAverage} with {@code num_updates}.
 */
public final class WeightAverage implements AutoCloseable {
  private final double decay;
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, Tensor> averages = new LinkedHashMap<>();

  /**
   * The average of the weights that the module has now.
   *
   * @param module whose parameters
   * @param decay share that a step keeps in the end, greater than 0, less than 1
   */
  public WeightAverage(Module module, double decay) {
    this.decay = decay;
    try (PointerScope temporaries = new PointerScope()) {
      StateDict.parametersOf(module)
          .forEach(
              (name, parameter) -> {
                parameters.put(name, Scopes.unscoped(parameter::detach)); // the same memory
                averages.put(name, Scopes.unscoped(() -> parameter.detach().clone()));
              });
    }
  }

  /**
   * Takes the weights in after a step.
   *
   * @param step counted from 0
   */
  public void update(long step) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      double kept = Math.min(decay, (1.0 + step) / (10.0 + step));
      Scalar share = new Scalar(1 - kept);
      averages.forEach((name, average) -> average.lerp_(parameters.get(name), share));
    }
  }

  /** Gives the module the average for good. */
  public void apply() {
    copy(averages, parameters);
  }

  /** The average in the module, until this is closed, which gives the module its weights back. */
  public interface Applied extends AutoCloseable {
    @Override
    void close();
  }

  /** {@return the average in the module for a while} */
  public Applied applied() {
    Map<String, Tensor> own = new LinkedHashMap<>();
    parameters.forEach((name, tensor) -> own.put(name, Scopes.unscoped(tensor::clone)));
    copy(averages, parameters);
    return () -> {
      copy(own, parameters);
      own.values().forEach(Tensor::close);
    };
  }

  private static void copy(Map<String, Tensor> from, Map<String, Tensor> to) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      to.forEach((name, tensor) -> tensor.copy_(from.get(name)));
    }
  }

  /**
   * Adds all averages to a file.
   *
   * @param prefix what names in the file begin with
   * @param file to add to
   */
  public void save(String prefix, TensorFile.Builder file) {
    StateDict.save(averages, prefix, file);
  }

  /**
   * Checks that a file has all averages.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if it has not; nothing has changed
   */
  public void requireFit(String prefix, TensorFile file) throws IOException {
    StateDict.requireFit(averages, prefix, file);
  }

  /**
   * Takes the averages out of a file.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if one is missing or does not fit, or the file cannot be read
   */
  public void restore(String prefix, TensorFile file) throws IOException {
    StateDict.restore(averages, prefix, file);
  }

  /** Releases the averages. May be called twice. */
  @Override
  public void close() {
    parameters.values().forEach(Tensor::close);
    averages.values().forEach(Tensor::close);
  }
}
