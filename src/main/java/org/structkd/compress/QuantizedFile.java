package org.structkd.compress;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;

/**
 * What a quantised network stores, for programs that compute with 8 bits: normalisation behind a
 * convolution is folded into it, one in front stays as it is. Convolutions have
 *
 * <pre>{@code
 * NAME.weight            i8  [out, in, k, k]   q_w; a weight is q_w s_w
 * NAME.weight_scale      f32 [out]             s_w
 * NAME.bias              f32 [out]             or int32 with the scale s_x s_w
 * NAME.input_scale       f32 []                s_x; an input is (q_x - z_x) s_x
 * NAME.input_zero_point  u8  []                z_x
 * }</pre>
 *
 * <p>Layers that were excluded have their tensors as in the network's own file. The network's form
 * with rounded floats computes with exactly these weights.
 */
public final class QuantizedFile {
  private QuantizedFile() {}

  /**
   * {@return the file}
   *
   * @param network with at least one quantised layer
   * @param properties what else it shall say, by name
   * @throws IllegalArgumentException if no layer is quantised
   */
  public static TensorFile of(TrainableNetwork network, Map<String, String> properties) {
    try (PointerScope temporaries = new PointerScope()) {
      List<ConvolutionLayer> layers = new ArrayList<>(network.convolutions());
      layers.removeIf(layer -> !layer.isQuantized());
      if (layers.isEmpty()) {
        throw new IllegalArgumentException(
            "quantization: no layer of the network is quantised, train it with a quantization");
      }
      TensorFile.Builder file = TensorFile.builder();
      network.shape().forEach(file::property);
      file.property("quantization", "int8");
      properties.forEach(file::property);
      Map<String, Tensor> others = new LinkedHashMap<>(StateDict.parametersOf(network.module()));
      others.putAll(StateDict.buffersOf(network.module()));
      for (ConvolutionLayer layer : layers) {
        others.keySet().removeIf(layer::owns);
        add(layer.name(), layer.quantized(), file);
      }
      others.forEach(file::tensor);
      return file.build("memory");
    }
  }

  private static void add(String name, ConvolutionLayer.Quantized stored, TensorFile.Builder file) {
    file.tensor(name + ".weight", stored.weight());
    file.tensor(name + ".weight_scale", stored.weightScale());
    file.tensor(name + ".bias", stored.bias().to(ScalarType.Float));
    file.tensor(name + ".input_scale", torch.tensor(stored.inputScale()).squeeze());
    Tensor zeroPoint = torch.tensor(stored.inputZeroPoint()).to(ScalarType.Byte);
    file.tensor(name + ".input_zero_point", zeroPoint.squeeze());
  }
}
