package org.structkd.testing;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.TrainableNetwork;

/** A network that does what another one does, but for what a test overrides. */
public class ForwardingNetwork implements TrainableNetwork {
  private final TrainableNetwork network;

  public ForwardingNetwork(TrainableNetwork network) {
    this.network = network;
  }

  @Override
  public Set<String> taps() {
    return network.taps();
  }

  @Override
  public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
    return network.infer(inputs);
  }

  @Override
  public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
    return network.forward(inputs);
  }

  @Override
  public Module module() {
    return network.module();
  }

  @Override
  public List<ConvolutionLayer> convolutions() {
    return network.convolutions();
  }

  @Override
  public void to(Device device) {
    network.to(device);
  }
}
