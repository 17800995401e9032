package org.structkd.internal;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Calls the operators of {@code src/main/cpp/torch/ops} through LibTorch's dispatcher, so that one
 * more of them needs no bridge. It is called within {@link NativeCall}, as {@link NativeOps} is.
 *
 * @param handle of the operator
 * @param arity how many arguments its schema has
 */
public record Operator(OperatorHandle handle, long arity) {
  private static final Map<String, Operator> KNOWN = new ConcurrentHashMap<>();

  /** Arguments that come again in every call. */
  private static final Map<Object, IValue> CONSTANTS = new ConcurrentHashMap<>();

  private static final IValue NONE = Scopes.kept(new IValue());

  /**
   * Calls {@code structkd::<name>}.
   *
   * @param name of the operator
   * @param arguments in the order of its schema: tensors, null for one that is not given, numbers
   *     (Long, Integer, Double), Boolean, and constants of enums, which cross by their names in
   *     lower case, or such a name itself
   * @return its tensor
   */
  public static Tensor call(String name, @Nullable Object... arguments) {
    Operator operator = KNOWN.computeIfAbsent(name, Operator::find);
    if (arguments.length != operator.arity) { // LibTorch would read past them
      throw new IllegalArgumentException(
          name + " has " + operator.arity + " arguments, not " + arguments.length);
    }
    IValueVector stack = new IValueVector(arguments.length);
    for (int i = 0; i < arguments.length; i++) {
      stack.put(i, valueOf(arguments[i]));
    }
    operator.handle.callBoxed(stack);
    return new Tensor(stack.get(0).toTensor()); // what is in the stack goes with it
  }

  private static Operator find(String name) {
    OperatorHandle handle = Dispatcher.singleton().findSchemaOrThrow("structkd::" + name, "");
    return new Operator(Scopes.kept(handle), handle.schema().arguments().limit());
  }

  private static IValue valueOf(@Nullable Object argument) {
    if (argument == null) {
      return NONE;
    }
    if (argument instanceof Tensor tensor) {
      return new IValue(tensor);
    }
    if (argument instanceof Double number) {
      return new IValue(number.doubleValue());
    }
    if (argument instanceof Long || argument instanceof Integer) {
      return new IValue(((Number) argument).longValue());
    }
    return CONSTANTS.computeIfAbsent(argument, Operator::constant);
  }

  private static IValue constant(Object argument) {
    if (argument instanceof Boolean truth) {
      return Scopes.kept(new IValue(truth.booleanValue()));
    }
    if (argument instanceof String name) {
      return Scopes.kept(new IValue(name));
    }
    if (argument instanceof Enum<?> constant) {
      return Scopes.kept(new IValue(Words.of(constant)));
    }
    throw new IllegalArgumentException("no operator takes a " + argument.getClass());
  }
}
