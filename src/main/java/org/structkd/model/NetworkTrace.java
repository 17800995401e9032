package org.structkd.model;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.StringVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.structkd.internal.Named;
import org.structkd.internal.NativeOps;
import org.structkd.internal.Scopes;

/**
 * Writes a network down as TorchScript, which Python, C++ and the presets load without this
 * library. LibTorch records what the network computes of one example, so that it holds for every
 * network. What Java decides on the way, such as a branch by a size, stays as it was for the
 * example.
 *
 * <p>Only one trace per thread at a time; other threads may compute meanwhile.
 */
public final class NetworkTrace {
  /** What the file calls the description that lies in it. */
  public static final String DESCRIPTION = "student.json";

  private NetworkTrace() {}

  /**
   * Records a network in evaluation mode.
   *
   * @param network on the CPU; it stays as it is
   * @param inputs an example for each of {@link TrainableNetwork#reads}, on the CPU
   * @param description a text that is kept in the file as {@value #DESCRIPTION}
   * @return the bytes of the TorchScript file, u8, in the caller's PointerScope. Its forward takes
   *     the inputs in the order of {@link TrainableNetwork#reads} and returns a dictionary of all
   *     taps
   * @throws IllegalArgumentException if the network does not say what it reads, or an input is
   *     missing or does not fit
   */
  public static Tensor of(
      TrainableNetwork network, Map<String, Tensor> inputs, String description) {
    if (network.reads().isEmpty()) {
      throw new IllegalArgumentException(
          network.getClass().getName() + " does not say what it reads, expected reads()");
    }
    return Scopes.resultOf(
        () -> {
          try {
            return traced(network, inputs, description);
          } finally {
            NativeOps.abandonTrace(); // nothing where it has ended
          }
        });
  }

  private static Tensor traced(
      TrainableNetwork network, Map<String, Tensor> inputs, String description) {
    // A caller's own tensors may be parts of each other, which a trace would tell.
    Map<String, Tensor> own = new TreeMap<>();
    inputs.forEach((name, tensor) -> own.put(name, tensor.detach().clone()));
    List<String> names = network.reads().stream().map(NetworkInput::name).toList();
    List<Tensor> read = new ArrayList<>();
    for (String name : names) {
      read.add(Named.in(own, "the example", "input", name));
    }
    Map<String, Tensor> parameters = StateDict.parametersOf(network.module());
    Map<String, Tensor> buffers = StateDict.buffersOf(network.module());
    NativeOps.beginTrace(
        strings(parameters.keySet()),
        tensors(parameters.values()),
        strings(buffers.keySet()),
        tensors(buffers.values()),
        strings(names),
        tensors(read));
    Map<String, Tensor> taps = new TreeMap<>(network.infer(own));
    return NativeOps.endTrace(
        strings(taps.keySet()), tensors(taps.values()), DESCRIPTION, description);
  }

  /**
   * Loads a TorchScript file and runs it once, as one that serves it would.
   *
   * @param file what {@link #of} made
   * @param inputs in the order of its forward, on the CPU
   * @return its outputs by name, in the caller's PointerScope
   * @throws org.structkd.StructkdException if LibTorch refuses the file or the inputs
   */
  public static Map<String, Tensor> run(Path file, List<Tensor> inputs) {
    return Scopes.resultsOf(
        () -> {
          try (NoGradGuard noGrad = new NoGradGuard()) {
            JitModule module = ScriptedFile.read(file, new Device("cpu"));
            IValueVector values = new IValueVector();
            inputs.forEach(input -> values.push_back(new IValue(input)));
            return ScriptedOutputs.named(module.forward(values), null, List.of());
          }
        });
  }

  private static StringVector strings(Collection<String> texts) {
    return new StringVector(texts.toArray(new String[0]));
  }

  private static TensorVector tensors(Collection<Tensor> tensors) {
    return new TensorVector(tensors.toArray(new Tensor[0]));
  }
}
