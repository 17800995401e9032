package org.structkd.recipe;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Named;
import org.structkd.model.TappedNetwork;

/** A network some of whose outputs are taps by other names; the rest are none. It is owned. */
final class RenamedTaps implements TappedNetwork {
  private final TappedNetwork network;
  private final Map<String, String> taps;

  /**
   * @param taps output of the network by tap
   * @throws IllegalArgumentException if the network has no such output; it is closed then
   */
  RenamedTaps(TappedNetwork network, Map<String, String> taps) {
    this.network = network;
    this.taps = taps;
    for (String output : taps.values()) {
      if (!network.taps().contains(output)) {
        Set<String> known = Set.copyOf(network.taps());
        network.close();
        throw Named.missing("the teacher", "output", output, known);
      }
    }
  }

  @Override
  public Set<String> taps() {
    return taps.keySet();
  }

  @Override
  public Set<String> inputs() {
    return network.inputs();
  }

  @Override
  public int sizeMultiple() {
    return network.sizeMultiple();
  }

  @Override
  public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
    Map<String, Tensor> outputs = network.infer(inputs);
    Map<String, Tensor> renamed = new LinkedHashMap<>();
    taps.forEach((tap, output) -> renamed.put(tap, outputs.get(output)));
    return renamed;
  }

  @Override
  public void to(Device device) {
    network.to(device);
  }

  @Override
  public String fingerprint() {
    return network.fingerprint() + " " + taps;
  }

  @Override
  public void close() {
    network.close();
  }
}
