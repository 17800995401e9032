package org.structkd.model;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.StringTensorDict;
import org.bytedeco.pytorch.StringTensorDictItem;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.DataFileException;

/**
 * Parameters and buffers of a module, to and from a {@link TensorFile}, under the names that the
 * module gives them: those of PyTorch's {@code state_dict()}.
 *
 * <p>All of them must be finite: a network with a NaN in a weight or in the statistics of a batch
 * norm answers NaN to everything, and a file of it would hide when that began.
 */
public final class StateDict {
  private StateDict() {}

  /**
   * Adds all parameters and buffers to a file.
   *
   * @param module whose
   * @param file to add to
   */
  public static void save(Module module, TensorFile.Builder file) {
    save(module, "", file);
  }

  /**
   * Adds all parameters and buffers to a file that holds others, too.
   *
   * @param module whose
   * @param prefix what their names in the file begin with
   * @param file to add to
   */
  public static void save(Module module, String prefix, TensorFile.Builder file) {
    try (PointerScope temporaries = new PointerScope()) {
      tensorsOf(module).forEach((name, tensor) -> file.tensor(prefix + name, tensor));
    }
  }

  /**
   * Takes all parameters and buffers out of a file.
   *
   * @param module whose
   * @param file what {@link #save(Module, TensorFile.Builder)} wrote of a module of the same
   *     layers; may hold more
   * @throws DataFileException if one is missing, has another type or shape or is not finite: the
   *     file belongs to another network. Nothing has changed then
   * @throws IOException if the file cannot be read
   */
  public static void restore(Module module, TensorFile file) throws IOException {
    restore(module, "", file);
  }

  /**
   * Takes all parameters and buffers out of a file that holds others, too.
   *
   * @param module whose
   * @param prefix what their names in the file begin with
   * @param file the file
   * @throws IOException as {@link #restore(Module, TensorFile)}
   */
  public static void restore(Module module, String prefix, TensorFile file) throws IOException {
    requireFit(module, prefix, file);
    try (PointerScope temporaries = new PointerScope()) {
      for (Map.Entry<String, Tensor> own : tensorsOf(module).entrySet()) {
        file.copyTo(prefix + own.getKey(), own.getValue());
      }
    }
  }

  /**
   * Checks that a file has all parameters and buffers, all finite, before one of them changes.
   *
   * @param module whose
   * @param prefix what their names in the file begin with
   * @param file the file
   * @throws IOException as {@link #restore(Module, TensorFile)}
   */
  public static void requireFit(Module module, String prefix, TensorFile file) throws IOException {
    try (PointerScope temporaries = new PointerScope()) {
      Map<String, Tensor> own = tensorsOf(module);
      for (Map.Entry<String, Tensor> tensor : own.entrySet()) {
        file.requireFit(prefix + tensor.getKey(), tensor.getValue());
      }
      for (String name : own.keySet()) {
        try (PointerScope one = new PointerScope()) {
          long bad = notFinite(file.tensor(prefix + name));
          if (bad > 0) {
            throw new DataFileException(
                file.source(),
                "tensor \"" + prefix + name + "\" to be finite",
                bad + " NaN or infinite elements");
          }
        }
      }
    }
  }

  /**
   * Checks that all parameters and buffers of a module are finite.
   *
   * @param module whose
   * @throws IllegalStateException if one is not; names it
   */
  public static void requireFinite(Module module) {
    try (PointerScope temporaries = new PointerScope()) {
      tensorsOf(module)
          .forEach(
              (name, tensor) -> {
                long bad = notFinite(tensor);
                if (bad > 0) {
                  throw new IllegalStateException(
                      "\"" + name + "\" has " + bad + " NaN or infinite elements");
                }
              });
    }
  }

  private static long notFinite(Tensor tensor) {
    // Small floats have no isfinite of their own.
    Tensor comparable =
        tensor.element_size() == 1 && tensor.is_floating_point()
            ? tensor.to(ScalarType.Float)
            : tensor;
    return tensor.numel() - comparable.isfinite().sum().item_long();
  }

  /**
   * {@return the parameters by name, in the PointerScope that is open}
   *
   * @param module whose
   */
  public static Map<String, Tensor> parametersOf(Module module) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    collect(module.named_parameters(), tensors);
    return tensors;
  }

  /**
   * {@return the buffers by name, in the PointerScope that is open}
   *
   * @param module whose
   */
  public static Map<String, Tensor> buffersOf(Module module) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    collect(module.named_buffers(), tensors);
    return tensors;
  }

  /** Parameters and buffers, in the open PointerScope. */
  static Map<String, Tensor> tensorsOf(Module module) {
    Map<String, Tensor> tensors = parametersOf(module);
    tensors.putAll(buffersOf(module));
    return tensors;
  }

  private static void collect(StringTensorDict from, Map<String, Tensor> to) {
    for (long i = 0; i < from.size(); i++) {
      StringTensorDictItem item = from.get(i);
      to.put(item.key().getString(), item.value());
    }
  }
}
