package org.structkd.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
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
  /** Names that a message lists: enough to see how they begin. */
  private static final int SHOWN = 5;

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
      save(tensorsOf(module), prefix, file);
    }
  }

  /**
   * Adds tensors to a file.
   *
   * @param tensors by name
   * @param prefix what their names in the file begin with
   * @param file to add to
   */
  public static void save(Map<String, Tensor> tensors, String prefix, TensorFile.Builder file) {
    tensors.forEach((name, tensor) -> file.tensor(prefix + name, tensor));
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
      restore(tensorsOf(module), prefix, file);
    }
  }

  /**
   * Takes tensors out of a file, as they are there.
   *
   * @param tensors by name, to copy into
   * @param prefix what their names in the file begin with
   * @param file the file
   * @throws IOException if one is missing or does not fit, or the file cannot be read; some have
   *     changed then, see {@link #requireFit(Map, String, TensorFile)}
   */
  public static void restore(Map<String, Tensor> tensors, String prefix, TensorFile file)
      throws IOException {
    for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
      file.copyTo(prefix + tensor.getKey(), tensor.getValue());
    }
  }

  /**
   * What {@link #load} did beside copying.
   *
   * @param converted tensors whose element type was another: "head.weight from F16 to F32"
   * @param unused names of tensors in the file that the module has no place for
   */
  public record Loaded(List<String> converted, List<String> unused) {
    /** Copies the lists. */
    public Loaded {
      converted = List.copyOf(converted);
      unused = List.copyOf(unused);
    }
  }

  /**
   * Takes all parameters and buffers out of a file that another program wrote. Numbers of another
   * floating type are converted to the module's, as whole numbers of another whole type are.
   *
   * @param module whose
   * @param file PyTorch's {@code state_dict()} in a safetensors file; may hold more
   * @param names how its names differ
   * @return what was converted and what was left over; worth a line in a log
   * @throws DataFileException if a tensor is missing, comes twice, has another shape or kind of
   *     number, or is not finite in the module's type. Nothing has changed then
   * @throws IOException if the file cannot be read
   */
  public static Loaded load(Module module, TensorFile file, NameMap names) throws IOException {
    List<String> unused = new ArrayList<>();
    List<String> converted = new ArrayList<>();
    try (PointerScope temporaries = new PointerScope()) {
      Map<String, Tensor> own = tensorsOf(module);
      Map<String, String> sources = new TreeMap<>();
      for (String name : file.names()) {
        String inside = names.inModule(name);
        if (!own.containsKey(inside)) {
          unused.add(name);
          continue;
        }
        String other = sources.put(inside, name);
        if (other != null) {
          throw new DataFileException(
              file.source(),
              "one tensor for \"" + inside + "\" of the module",
              "two: \"" + other + "\" and \"" + name + "\"");
        }
      }
      Map<String, Tensor> read = new LinkedHashMap<>();
      for (Map.Entry<String, Tensor> tensor : own.entrySet()) {
        String source = sources.get(tensor.getKey());
        if (source == null) {
          throw missing(file, tensor.getKey(), names, unused);
        }
        String types = file.requireAlike(source, tensor.getValue());
        Tensor here = file.tensor(source).to(tensor.getValue().scalar_type());
        requireFinite(file, source, here, " as " + ElementType.of(here));
        if (!types.isEmpty()) {
          converted.add(tensor.getKey() + " " + types);
        }
        read.put(tensor.getKey(), here);
      }
      try (NoGradGuard valuesOnly = new NoGradGuard()) {
        own.forEach((name, tensor) -> tensor.copy_(read.get(name)));
      }
    }
    return new Loaded(converted, unused);
  }

  private static DataFileException missing(
      TensorFile file, String name, NameMap names, List<String> unused) {
    return new DataFileException(
        file.source(),
        "tensor \"" + names.inFile(name) + "\" for \"" + name + "\" of the module",
        unused.isEmpty()
            ? "no tensor of this name, and none that is left"
            : "no tensor of this name; without a place in the module are "
                + unused.stream().limit(SHOWN).collect(Collectors.joining(", "))
                + (unused.size() > SHOWN ? " and " + (unused.size() - SHOWN) + " more" : ""));
  }

  /**
   * Adds all parameters and buffers to a file under the names of another program.
   *
   * @param module whose
   * @param file to add to
   * @param names how its names differ
   */
  public static void save(Module module, TensorFile.Builder file, NameMap names) {
    try (PointerScope temporaries = new PointerScope()) {
      tensorsOf(module).forEach((name, tensor) -> file.tensor(names.inFile(name), tensor));
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
      requireFit(own, prefix, file);
      for (String name : own.keySet()) {
        try (PointerScope one = new PointerScope()) {
          requireFinite(file, prefix + name, file.tensor(prefix + name), "");
        }
      }
    }
  }

  /**
   * Checks that a file has tensors of the same types and shapes.
   *
   * @param tensors by name
   * @param prefix what their names in the file begin with
   * @param file the file
   * @throws IOException if one is missing or differs; nothing has changed
   */
  public static void requireFit(Map<String, Tensor> tensors, String prefix, TensorFile file)
      throws IOException {
    for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
      file.requireFit(prefix + tensor.getKey(), tensor.getValue());
    }
  }

  private static void requireFinite(TensorFile file, String name, Tensor tensor, String as)
      throws DataFileException {
    long bad = notFinite(tensor);
    if (bad > 0) {
      throw new DataFileException(
          file.source(),
          "tensor \"" + name + "\" to be finite" + as,
          bad + " NaN or infinite elements");
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

  /**
   * {@return how many numbers the parameters are}
   *
   * @param module whose
   */
  public static long parameterCount(Module module) {
    try (PointerScope temporaries = new PointerScope()) {
      return parametersOf(module).values().stream().mapToLong(Tensor::numel).sum();
    }
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
