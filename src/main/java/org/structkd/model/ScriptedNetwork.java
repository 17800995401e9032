package org.structkd.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.DataFileException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Owned;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * A teacher out of a TorchScript file ({@code torch.jit.trace(model, images).save(...)} in Python;
 * docs/teachers.md).
 *
 * <p>Its forward takes images [B, C, H, W]. What it returns becomes the taps: one tensor the tap
 * {@value #ONLY}; the entries of a dictionary or named tuple their names; those of a tuple or list
 * their indices "0", "1"; nested ones a path such as "aux.features". Numbers and None are left out.
 * It owns its module until it is closed or collected, whatever PointerScope it is loaded in. For
 * one thread at a time.
 */
public final class ScriptedNetwork implements TappedNetwork {
  /** Name of the tap of a module that returns one tensor. */
  public static final String ONLY = SegmentationNet.LOGITS;

  private static final String NAME = "scripted network";

  private final Owned<JitModule> module;

  /** The path of each tap in what the module returns. */
  private final Map<String, String> paths;

  private final String fingerprint;

  private ScriptedNetwork(Owned<JitModule> module, Map<String, String> paths, String fingerprint) {
    this.module = module;
    this.paths = paths;
    this.fingerprint = fingerprint;
  }

  /**
   * Loads a file and runs it once to learn its taps. Parameters that were saved on another device
   * come to the CPU.
   *
   * @param path the file
   * @param sample images of the kind it expects, on the CPU
   * @param taps which outputs to offer, by name, index or path; or, for a tuple or list, one new
   *     name for each of its tensors in their order. Without any, all outputs
   * @return the network, in evaluation mode
   * @throws DataFileException if the file is missing, is no TorchScript, refuses the sample or
   *     returns something else; says what to do
   * @throws IllegalArgumentException if two taps have one name or an output is asked for that the
   *     module does not return
   */
  public static ScriptedNetwork load(Path path, Tensor sample, String... taps)
      throws DataFileException {
    TensorArguments.requireOpen(NAME, "sample", sample);
    ScriptFileCheck.requireScript(path);
    Owned<JitModule> module;
    try {
      module = Owned.make(NAME, () -> read(path));
    } catch (UncheckedIOException e) {
      throw ScriptFileCheck.refused(path, e.getCause().getMessage());
    }
    try (PointerScope temporaries = new PointerScope()) {
      Set<String> returned = run(module.get(), sample).keySet();
      if (returned.isEmpty()) {
        throw ScriptFileCheck.refused(path, "a module that returns no tensor");
      }
      return new ScriptedNetwork(module, pathsOf(List.of(taps), returned), Fingerprint.of(path));
    } catch (IllegalArgumentException | DataFileException e) {
      module.close();
      throw e;
    } catch (RuntimeException e) {
      module.close();
      throw ScriptFileCheck.refused(path, ScriptError.sentence(e));
    }
  }

  private static JitModule read(Path path) {
    try {
      DeviceOptional cpu = new DeviceOptional(new Device("cpu"));
      JitModule module = torch.load(path.toString(), cpu, true);
      module.eval();
      return module;
    } catch (RuntimeException e) { // the text is still LibTorch's own here
      throw new UncheckedIOException(new IOException(ScriptError.sentence(e), e));
    }
  }

  private static Map<String, String> pathsOf(List<String> asked, Collection<String> returned) {
    List<String> names = asked.isEmpty() ? List.copyOf(returned) : asked;
    List<String> paths = new ArrayList<>(returned);
    if (paths.containsAll(names)) {
      paths = names;
    } else if (names.size() != paths.size() || !paths.stream().allMatch(ScriptedNetwork::isIndex)) {
      throw new IllegalArgumentException(
          NAME
              + ": taps are "
              + names
              + " but the module returns "
              + returned
              + ": choose among these, or give as many names as a tuple or list has tensors");
    }
    Map<String, String> result = new LinkedHashMap<>();
    for (int i = 0; i < names.size(); i++) {
      if (result.put(names.get(i), paths.get(i)) != null) {
        throw new IllegalArgumentException(NAME + ": two taps are named " + names.get(i));
      }
    }
    return result;
  }

  private static boolean isIndex(String path) {
    return path.equals(ONLY) || path.matches("\\d+(\\..*)?");
  }

  @Override
  public Set<String> taps() {
    return Collections.unmodifiableSet(paths.keySet());
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException if this time the module does not return an output that it
   *     returned for the sample
   */
  @Override
  public Map<String, Tensor> infer(Tensor images) {
    TensorArguments.requireOpen(NAME, "images", images);
    return Scopes.resultsOf(
        () -> {
          Map<String, Tensor> returned = run(module.get(), images);
          Map<String, Tensor> outputs = new LinkedHashMap<>();
          paths.forEach((tap, path) -> outputs.put(tap, output(returned, path, images)));
          return outputs;
        });
  }

  private static Tensor output(Map<String, Tensor> returned, String path, Tensor images) {
    Tensor output = returned.get(path);
    if (output == null) {
      throw new IllegalArgumentException(
          NAME
              + ": for images "
              + Arrays.toString(images.shape())
              + " the module returns "
              + returned.keySet()
              + ", but for the sample it returned "
              + path);
    }
    return output;
  }

  private static Map<String, Tensor> run(JitModule module, Tensor images) {
    try (NoGradGuard noGrad = new NoGradGuard()) {
      IValue output = module.forward(new IValueVector(new IValue(images)));
      Type type = module.get_method("forward").function().getSchema().returns().type().get();
      return ScriptOutputs.of(output, type);
    }
  }

  @Override
  public String fingerprint() {
    return fingerprint; // of the file
  }

  @Override
  public void to(Device device) {
    NativeCall.of(
        () -> {
          module.get().to(device);
          return device;
        });
  }

  @Override
  public void close() {
    module.close();
  }
}
