package org.structkd.model;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.StringTensorDict;
import org.bytedeco.pytorch.StringTensorDictItem;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.DataFileException;

/** Parameters and buffers of a module by name, to and from a {@link TensorFile}. */
public final class StateDict {
  private StateDict() {}

  /**
   * Adds all parameters and buffers to a file.
   *
   * @param module whose
   * @param file to add to
   */
  public static void save(Module module, TensorFile.Builder file) {
    try (PointerScope temporaries = new PointerScope()) {
      tensorsOf(module).forEach(file::tensor);
    }
  }

  /**
   * Takes all parameters and buffers out of a file.
   *
   * @param module whose
   * @param file what {@link #save} wrote of a module of the same layers; may hold more
   * @throws DataFileException if one is missing or has another type or shape: the file belongs to
   *     another network. Nothing has changed then
   */
  public static void restore(Module module, TensorFile file) throws DataFileException {
    requireFit(module, file);
    try (PointerScope temporaries = new PointerScope()) {
      tensorsOf(module).forEach(file::copyTo);
    }
  }

  /**
   * Checks that a file has all parameters and buffers.
   *
   * @param module whose
   * @param file what {@link #save} wrote
   * @throws DataFileException as {@link #restore}
   */
  public static void requireFit(Module module, TensorFile file) throws DataFileException {
    try (PointerScope temporaries = new PointerScope()) {
      for (Map.Entry<String, Tensor> own : tensorsOf(module).entrySet()) {
        file.requireFit(own.getKey(), own.getValue());
      }
    }
  }

  /** In the open PointerScope. */
  static Map<String, Tensor> tensorsOf(Module module) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    collect(module.named_parameters(), tensors);
    collect(module.named_buffers(), tensors);
    return tensors;
  }

  private static void collect(StringTensorDict from, Map<String, Tensor> to) {
    for (long i = 0; i < from.size(); i++) {
      StringTensorDictItem item = from.get(i);
      to.put(item.key().getString(), item.value());
    }
  }
}
