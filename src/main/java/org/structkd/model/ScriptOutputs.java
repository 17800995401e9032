package org.structkd.model;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.GenericDict;
import org.bytedeco.pytorch.GenericDictIterator;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.StringViewVectorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.Tuple;
import org.bytedeco.pytorch.TupleElements;
import org.bytedeco.pytorch.TupleType;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch.TypeKind;
import org.jspecify.annotations.Nullable;

/** The tensors in what a TorchScript module returns, each by its path, such as "aux.features". */
final class ScriptOutputs {
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  private ScriptOutputs() {}

  /**
   * Takes tuples, lists and dictionaries apart.
   *
   * @param output what a module returned
   * @param type as its schema says: only that knows the names of a named tuple
   * @return the tensors in their order, an only one without a container under {@link
   *     ScriptedNetwork#ONLY}; numbers and None are left out
   */
  static Map<String, Tensor> of(IValue output, Type type) {
    if (output.isTensor()) {
      return Map.of(ScriptedNetwork.ONLY, tensorOf(output));
    }
    ScriptOutputs outputs = new ScriptOutputs();
    outputs.add("", output, type);
    return outputs.tensors;
  }

  /** The presets give a view into the value, which goes with it: a tensor of its own. */
  private static Tensor tensorOf(IValue value) {
    return new Tensor(value.toTensor());
  }

  private void add(String path, IValue value, @Nullable Type type) {
    if (value.isTensor()) {
      if (tensors.putIfAbsent(path, tensorOf(value)) != null) {
        throw new IllegalArgumentException("the module returns two tensors named " + path);
      }
    } else if (value.isTuple()) {
      addTuple(path, value.toTuple(), type);
    } else if (value.isList()) {
      GenericList list = value.toList();
      for (long i = 0; i < list.size(); i++) {
        add(below(path, Long.toString(i)), list.get(i), contained(type, 0));
      }
    } else if (value.isGenericDict()) {
      GenericDict dictionary = value.toGenericDict();
      GenericDictIterator end = dictionary.end();
      for (GenericDictIterator i = dictionary.begin(); i.notEquals(end); i.increment()) {
        add(below(path, key(i.access().key())), i.access().value(), contained(type, 1));
      }
    }
  }

  private void addTuple(String path, Tuple tuple, @Nullable Type type) {
    StringViewVectorOptional names = null;
    if (type != null && type.kind().intern() == TypeKind.TupleType) {
      names = new TupleType(type).names();
    }
    TupleElements elements = tuple.elements();
    for (long i = 0; i < elements.size(); i++) {
      String name =
          names != null && names.has_value() ? names.get().get(i).getString() : Long.toString(i);
      add(below(path, name), elements.get(i), contained(type, i));
    }
  }

  private static @Nullable Type contained(@Nullable Type type, long index) {
    if (type == null || index >= type.containedTypeSize()) {
      return null;
    }
    return type.containedType(index).get();
  }

  private static String key(IValue key) {
    if (key.isString()) {
      return key.toStringRef().getString();
    }
    return key.isInt() ? Long.toString(key.toInt()) : key.tagKind().getString();
  }

  private static String below(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }
}
