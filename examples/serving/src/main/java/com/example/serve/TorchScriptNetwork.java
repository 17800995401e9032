package com.example.serve;

import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.GenericDict;
import org.bytedeco.pytorch.GenericDictIterator;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A TorchScript file in LibTorch. */
final class TorchScriptNetwork implements Network {
  private final JitModule module;
  private final IValueVector inputs = new IValueVector();

  TorchScriptNetwork(Exported exported) {
    module = torch.load(exported.script().toString());
    module.eval();
    exported.inputs().values().forEach(input -> inputs.push_back(new IValue(tensor(input))));
  }

  private static Tensor tensor(Exported.Numbers numbers) {
    ScalarType type = numbers.isWhole() ? ScalarType.Long : ScalarType.Float;
    Tensor tensor = torch.empty(numbers.shape(), new TensorOptions(type), null);
    new BytePointer(tensor.data_ptr())
        .capacity(numbers.bytes().capacity())
        .put(new BytePointer(numbers.bytes()));
    return tensor;
  }

  @Override
  public Map<String, FloatBuffer> run() {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      GenericDict taps = module.forward(inputs).toGenericDict();
      Map<String, FloatBuffer> outputs = new LinkedHashMap<>();
      GenericDictIterator end = taps.end();
      for (GenericDictIterator i = taps.begin(); i.notEquals(end); i.increment()) {
        Tensor tap = i.access().value().toTensor();
        if (tap.scalar_type().intern() == ScalarType.Float) {
          float[] numbers = new float[(int) tap.numel()];
          new FloatPointer(tap.contiguous().data_ptr_float()).get(numbers);
          outputs.put(i.access().key().toStringRef().getString(), FloatBuffer.wrap(numbers));
        }
      }
      return outputs;
    }
  }

  @Override
  public void close() {
    inputs.close();
    module.close();
  }
}
