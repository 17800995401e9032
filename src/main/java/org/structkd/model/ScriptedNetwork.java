package org.structkd.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.GenericDict;
import org.bytedeco.pytorch.GenericDictIterator;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.DataFileException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Owned;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * A teacher out of a TorchScript file ({@code torch.jit.script(model).save(...)} in Python).
 *
 * <p>Its forward takes images [B, C, H, W] and returns either a dictionary from names to tensors,
 * whose names become the taps, or one tensor, which becomes the tap {@value #ONLY}. It owns its
 * module until it is closed or collected, whatever PointerScope it is loaded in. For one thread at
 * a time.
 */
public final class ScriptedNetwork implements TappedNetwork {
  /** Name of the tap of a module that returns one tensor. */
  public static final String ONLY = SegmentationNet.LOGITS;

  private final Owned<JitModule> module;
  private final Set<String> taps;

  private ScriptedNetwork(Owned<JitModule> module, Set<String> taps) {
    this.module = module;
    this.taps = taps;
  }

  /**
   * Loads a file and runs it once to learn its taps.
   *
   * @param path the file
   * @param sample images of the kind it expects, on the CPU
   * @return the network, in evaluation mode
   * @throws DataFileException if the file is missing, is no TorchScript, refuses the sample or
   *     returns something else
   */
  public static ScriptedNetwork load(Path path, Tensor sample) throws DataFileException {
    if (!Files.isRegularFile(path)) {
      throw new DataFileException(
          path.toString(),
          "a TorchScript file",
          Files.exists(path) ? "no file" : "nothing of this name");
    }
    try {
      Owned<JitModule> module = Owned.make("scripted network", () -> torch.load(path.toString()));
      module.get().eval();
      try (PointerScope temporaries = new PointerScope()) {
        Set<String> taps = Set.copyOf(new ScriptedNetwork(module, Set.of()).infer(sample).keySet());
        return new ScriptedNetwork(module, taps);
      }
    } catch (RuntimeException e) {
      String reason = NativeCall.translate(e).getMessage();
      throw new DataFileException(path.toString(), "a TorchScript file", reason);
    }
  }

  @Override
  public Set<String> taps() {
    return taps;
  }

  @Override
  public Map<String, Tensor> infer(Tensor images) {
    TensorArguments.requireOpen("scripted network", "images", images);
    try (NoGradGuard noGrad = new NoGradGuard()) {
      return Scopes.resultsOf(() -> outputs(images));
    }
  }

  private Map<String, Tensor> outputs(Tensor images) {
    IValue output = module.get().forward(new IValueVector(new IValue(images)));
    return output.isTensor() ? Map.of(ONLY, tensorOf(output)) : tensorsOf(output);
  }

  private static Map<String, Tensor> tensorsOf(IValue output) {
    if (!output.isGenericDict()) {
      throw new IllegalArgumentException(
          "the module returns neither a tensor nor a dictionary of tensors");
    }
    GenericDict dictionary = output.toGenericDict();
    Map<String, Tensor> tensors = new HashMap<>();
    GenericDictIterator end = dictionary.end();
    for (GenericDictIterator i = dictionary.begin(); i.notEquals(end); i.increment()) {
      tensors.put(i.access().key().toStringRef().getString(), tensorOf(i.access().value()));
    }
    return tensors;
  }

  /** The presets give a view into the value, which goes with it: a tensor of its own. */
  private static Tensor tensorOf(IValue value) {
    return new Tensor(value.toTensor());
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
