package org.structkd.model;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NamedTensor;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.named_buffer_iterator;
import org.bytedeco.pytorch.named_buffer_list;
import org.bytedeco.pytorch.named_parameter_iterator;
import org.bytedeco.pytorch.named_parameter_list;
import org.bytedeco.pytorch.parameter_iterator;
import org.bytedeco.pytorch.parameter_list;
import org.structkd.Status;
import org.structkd.StructkdException;
import org.structkd.data.DataFileException;
import org.structkd.internal.Named;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeLoader;
import org.structkd.internal.Owned;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * A teacher out of a TorchScript file; docs/teachers.md shows how Python writes one.
 *
 * <p>Its forward takes images [B, C, H, W] and returns tensors, whose names become the taps: keys
 * of a dictionary, fields of a named tuple, indices ("0", "1") of a tuple or list, {@value #ONLY}
 * for a single tensor, and "aux.features" for a tensor inside another of these. What is no tensor
 * (None, a number) is left out. For one thread at a time.
 */
public final class ScriptedNetwork implements TappedNetwork {
  /** Name of the tap of a module that returns one tensor. */
  public static final String ONLY = SegmentationNet.LOGITS;

  private static final String NAME = "scripted network";

  private final Path path;
  private final List<String> names;
  private final String fingerprint;
  private Owned<JitModule> module;
  private String device;
  private Set<String> taps = Set.of();

  private ScriptedNetwork(Path path, Device device, List<String> names) {
    this.path = path;
    this.names = names;
    this.fingerprint = Fingerprint.of(path);
    this.module = read(path, device);
    this.device = device.str().getString();
  }

  private static Owned<JitModule> read(Path path, Device device) {
    return Owned.make(NAME, () -> ScriptedFile.read(path, device));
  }

  /**
   * Loads a file onto the device of the sample, wherever it was saved, and runs it once to learn
   * its taps.
   *
   * @param path the file; {@link #to} reads it again
   * @param sample images of the kind it expects
   * @param names none: all outputs by the names that the module gives them. For a tuple, a list or
   *     a single tensor: a name for each output that has a tensor, in order, instead of its index.
   *     For a dictionary or named tuple: those of its names that become taps, the others are left
   *     out
   * @return the network, in evaluation mode
   * @throws DataFileException if the file is missing, is no TorchScript, needs what this LibTorch
   *     does not have, has a parameter that is NaN or infinite or a buffer that is NaN, refuses the
   *     sample or returns no tensor
   * @throws IllegalArgumentException if a name is empty or given twice, or the names do not fit
   *     what the module returns
   */
  public static ScriptedNetwork load(Path path, Tensor sample, String... names)
      throws DataFileException {
    requireDifferent(names);
    ScriptedFile.require(path);
    NativeLoader.require();
    TensorArguments.requireOpen(NAME, "sample", sample);
    try (PointerScope temporaries = new PointerScope()) {
      ScriptedNetwork network;
      try {
        network = new ScriptedNetwork(path, sample.device(), List.of(names));
      } catch (RuntimeException e) {
        throw refusal(path, "", e);
      }
      try {
        network.requireFiniteWeights();
        Set<String> inOrder = new LinkedHashSet<>(network.infer(sample).keySet());
        network.taps = Collections.unmodifiableSet(inOrder);
        return network;
      } catch (IllegalArgumentException | DataFileException e) {
        network.close();
        throw e;
      } catch (ScriptedOutputs.NoTensorException e) {
        network.close();
        throw refusal(path, "", e);
      } catch (RuntimeException e) {
        network.close();
        String taking = " that takes images " + Arrays.toString(sample.shape());
        throw refusal(path, taking, e);
      }
    }
  }

  /** A module that names a device fails with any images. */
  private static DataFileException refusal(Path path, String taking, RuntimeException e) {
    RuntimeException translated = NativeCall.translate(e);
    String expected = ScriptedFile.EXPECTED + taking;
    String reason = translated.getMessage();
    if (translated instanceof StructkdException failure && failure.status() == Status.CUDA) {
      expected = ScriptedFile.EXPECTED;
      reason += "; the module's code names the device itself: trace it on the CPU";
    }
    return new DataFileException(path.toString(), expected, reason);
  }

  /** Masks of attention are buffers of minus infinity, so of these NaN alone is a fault. */
  private void requireFiniteWeights() throws DataFileException {
    JitModule open = module.get();
    named_parameter_list parameters = open.named_parameters();
    named_parameter_iterator parameter = parameters.begin();
    for (long i = 0; i < parameters.size(); i++, parameter.increment()) {
      requireNone("parameter", parameter.multiply(), "NaN or infinite", Tensor::isfinite, true);
    }
    named_buffer_list buffers = open.named_buffers();
    named_buffer_iterator buffer = buffers.begin();
    for (long i = 0; i < buffers.size(); i++, buffer.increment()) {
      requireNone("buffer", buffer.multiply(), "NaN", Tensor::isnan, false);
    }
  }

  /** Refuses a tensor with elements for which a test does not have the outcome of good ones. */
  private void requireNone(
      String kind, NamedTensor named, String fault, UnaryOperator<Tensor> test, boolean good)
      throws DataFileException {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor tensor = named.value();
      if (tensor.is_quantized() || !tensor.is_floating_point()) {
        return;
      }
      long found = test.apply(tensor.to(ScalarType.Float)).sum().item_long();
      long bad = good ? tensor.numel() - found : found;
      if (bad > 0) {
        throw new DataFileException(
            path.toString(),
            "no %s elements in %s \"%s\"".formatted(fault, kind, named.name().getString()),
            bad + " of " + tensor.numel());
      }
    }
  }

  /**
   * Refuses a file that is surely no TorchScript. Reads little of it.
   *
   * @param path the file
   * @throws DataFileException if it is missing or is something else; says what
   */
  public static void requireFile(Path path) throws DataFileException {
    ScriptedFile.require(path);
  }

  private static void requireDifferent(String... names) {
    Set<String> seen = new HashSet<>();
    for (String name : names) {
      if (name.isBlank() || !seen.add(name)) {
        throw new IllegalArgumentException(
            NAME
                + ": expected different names of taps, got "
                + String.join(", ", names)
                + (name.isBlank() ? ", one of them empty" : ", " + name + " twice"));
      }
    }
  }

  /** {@return the names of the outputs, in the order in which the module returns them} */
  @Override
  public Set<String> taps() {
    return taps;
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if the module returns other taps than for the sample
   */
  @Override
  public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
    Tensor images = Named.in(inputs, "what the network was given", "input", IMAGES);
    TensorArguments.requireOpen(NAME, "images", images);
    Map<String, Tensor> outputs = Scopes.resultsOf(() -> outputs(images));
    if (!taps.isEmpty() && !taps.equals(outputs.keySet())) {
      throw new IllegalStateException(
          ("%s: the module returns %s, for the sample it returned %s: let it return"
                  + " the same outputs for all images")
              .formatted(NAME, outputs.keySet(), taps));
    }
    return outputs;
  }

  private Map<String, Tensor> outputs(Tensor images) {
    JitModule open = module.get();
    try (NoGradGuard noGrad = new NoGradGuard()) {
      Type type = open.get_method("forward").function().getSchema().returns().type().get();
      IValue output = open.forward(new IValueVector(new IValue(images)));
      return ScriptedOutputs.named(output, type, names);
    }
  }

  /**
   * {@return how many numbers the module has as parameters} 0 for a frozen one, whose weights are
   * constants of its code.
   */
  public long parameters() {
    try (PointerScope temporaries = new PointerScope()) {
      return NativeCall.of(
          () -> {
            parameter_list all = module.get().parameters();
            parameter_iterator next = all.begin();
            long numbers = 0;
            for (long i = 0; i < all.size(); i++, next.increment()) {
              numbers += next.multiply().numel();
            }
            return numbers;
          });
    }
  }

  /** {@return a digest of the file} */
  @Override
  public String fingerprint() {
    return fingerprint;
  }

  /**
   * Reads the file onto another device: a frozen module's weights are constants of its code, which
   * can move in no other way.
   *
   * @param device where to
   */
  @Override
  public void to(Device device) {
    String wanted = device.str().getString();
    if (!wanted.equals(this.device)) {
      Owned<JitModule> before = module;
      module = read(path, device);
      before.close();
      this.device = wanted;
    }
  }

  @Override
  public void close() {
    module.close();
  }
}
