package org.structkd.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.GenericDict;
import org.bytedeco.pytorch.GenericDictIterator;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.StringViewVectorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TupleElements;
import org.bytedeco.pytorch.TupleType;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch.TypeKind;
import org.jspecify.annotations.Nullable;

/**
 * The tensors that a TorchScript module returned, by name: keys of dictionaries, fields of named
 * tuples, indices of tuples and lists, joined by dots. Values that are no tensors are left out.
 */
final class ScriptedOutputs {
  /** A sentence lists so many outputs at most; of more it tells the first only. */
  private static final int TOLD = 12;

  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final List<String> told = new ArrayList<>();

  private ScriptedOutputs() {}

  /**
   * Names what came out.
   *
   * @param output the value that forward returned
   * @param type its type as forward declares it, which alone knows the fields of named tuples
   * @param names empty, or as {@link ScriptedNetwork#load} describes them
   * @return the taps, in the order of the module, at least one
   * @throws NoTensorException if there is no tensor
   * @throws IllegalArgumentException if the names do not fit
   */
  static Map<String, Tensor> named(IValue output, @Nullable Type type, List<String> names) {
    ScriptedOutputs all = new ScriptedOutputs();
    all.add("", output, type);
    if (all.tensors.isEmpty()) {
      throw new NoTensorException(all.toString());
    }
    if (names.isEmpty()) {
      return all.tensors;
    }
    boolean namesItself = output.isGenericDict() || fields(output, type) != null;
    return namesItself ? all.chosen(names) : all.renamed(names);
  }

  /** A module that returned no tensor; the message lists what it did return. */
  static final class NoTensorException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NoTensorException(String returned) {
      super("a module that returns no tensor but " + returned);
    }
  }

  /** The outputs of these names or, for a name that has parts, all of them. */
  private Map<String, Tensor> chosen(List<String> names) {
    Map<String, Tensor> chosen = new LinkedHashMap<>();
    for (String name : names) {
      int before = chosen.size();
      tensors.forEach(
          (path, tensor) -> {
            if (path.equals(name) || path.startsWith(name + ".")) {
              chosen.put(path, tensor);
            }
          });
      if (chosen.size() == before) {
        throw new IllegalArgumentException(
            "scripted network: no tensor has the name "
                + name
                + ", the module, which names its outputs itself, returns "
                + this);
      }
    }
    return chosen;
  }

  /** The outputs with names instead of their first index. */
  private Map<String, Tensor> renamed(List<String> names) {
    Map<String, String> nameOf = new LinkedHashMap<>();
    for (String path : tensors.keySet()) {
      String index = first(path);
      if (!nameOf.containsKey(index)) {
        int place = nameOf.size();
        nameOf.put(index, place < names.size() ? names.get(place) : index);
      }
    }
    if (nameOf.size() != names.size()) {
      throw new IllegalArgumentException(
          ("scripted network: expected a name for each output that has a tensor, got"
                  + " %s (%s) for %s, the module returns %s")
              .formatted(names.size(), String.join(", ", names), nameOf.size(), this));
    }
    Map<String, Tensor> renamed = new LinkedHashMap<>();
    tensors.forEach(
        (path, tensor) -> {
          String index = first(path);
          renamed.put(nameOf.get(index) + path.substring(index.length()), tensor);
        });
    return renamed;
  }

  /** A single tensor counts as its own index. */
  private static String first(String path) {
    int dot = path.indexOf('.');
    return dot < 0 ? path : path.substring(0, dot);
  }

  private void add(String path, IValue value, @Nullable Type type) {
    if (value.isTensor() && value.toTensor().defined()) {
      String name = path.isEmpty() ? ScriptedNetwork.ONLY : path;
      // The presets give a view into the value, which goes with it: a tensor of its own.
      Tensor tensor = new Tensor(value.toTensor());
      told.add(name + " " + tensor.scalar_type() + " " + Arrays.toString(tensor.shape()));
      if (tensors.put(name, tensor) != null) {
        throw new IllegalArgumentException(
            "scripted network: two outputs have the name " + name + ", the module returns " + this);
      }
    } else if (value.isGenericDict()) {
      GenericDict dictionary = value.toGenericDict();
      GenericDictIterator end = dictionary.end();
      for (GenericDictIterator i = dictionary.begin(); i.notEquals(end); i.increment()) {
        add(under(path, key(i.access().key())), i.access().value(), contained(type, 1));
      }
    } else if (value.isTuple()) {
      TupleElements elements = value.toTupleRef().elements();
      StringViewVectorOptional fields = fields(value, type);
      for (int i = 0; i < elements.size(); i++) {
        String name = fields == null ? Integer.toString(i) : fields.get().get(i).getString();
        add(under(path, name), elements.get(i), contained(type, i));
      }
    } else if (value.isList()) {
      GenericList list = value.toList();
      for (int i = 0; i < list.size(); i++) {
        add(under(path, Integer.toString(i)), list.get(i), contained(type, 0));
      }
    } else {
      String kind = value.isTensor() ? "None" : value.tagKind().getString();
      told.add(path.isEmpty() ? kind : path + " " + kind);
    }
  }

  private static String under(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  private static String key(IValue key) {
    if (key.isString()) {
      return key.toStringRef().getString();
    }
    if (key.isInt()) {
      return Long.toString(key.toInt());
    }
    throw new IllegalArgumentException(
        "scripted network: the module returns a dictionary whose keys are of the kind "
            + key.tagKind().getString()
            + ", expected strings or integers");
  }

  private static @Nullable StringViewVectorOptional fields(IValue value, @Nullable Type type) {
    if (!value.isTuple() || type == null || type.kind().intern() != TypeKind.TupleType) {
      return null;
    }
    StringViewVectorOptional names = new TupleType(type).names();
    return names.has_value() ? names : null;
  }

  private static @Nullable Type contained(@Nullable Type type, long index) {
    return type == null || index >= type.containedTypeSize()
        ? null
        : type.containedType(index).get();
  }

  @Override
  public String toString() {
    String list = String.join(", ", told.subList(0, Math.min(TOLD, told.size())));
    return told.isEmpty()
        ? "nothing"
        : list + (told.size() > TOLD ? " and " + (told.size() - TOLD) + " more" : "");
  }
}
