package org.structkd.model;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Named;

/** A network some of whose inputs have other names in a batch. It is owned. */
final class RenamedInputs implements TappedNetwork {
  private final TappedNetwork network;
  private final Map<String, String> names;

  /**
   * @param names input of the batch by input of the network, where they differ
   */
  RenamedInputs(TappedNetwork network, Map<String, String> names) {
    this.network = network;
    this.names = new LinkedHashMap<>(names);
    for (String own : names.keySet()) {
      if (!network.inputs().contains(own)) {
        throw Named.missing("the teacher", "input", own, network.inputs());
      }
    }
  }

  private String ofBatch(String own) {
    return names.getOrDefault(own, own);
  }

  @Override
  public Set<String> taps() {
    return network.taps();
  }

  @Override
  public Set<String> inputs() {
    return network.inputs().stream().map(this::ofBatch).collect(Collectors.toSet());
  }

  @Override
  public int sizeMultiple() {
    return network.sizeMultiple();
  }

  @Override
  public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
    Map<String, Tensor> read = new HashMap<>();
    for (String own : network.inputs()) {
      read.put(own, Named.in(inputs, "the batch", "input", ofBatch(own)));
    }
    return network.infer(read);
  }

  @Override
  public void to(Device device) {
    network.to(device);
  }

  @Override
  public String fingerprint() {
    return network.fingerprint() + " of " + names;
  }

  @Override
  public boolean isQuantized() {
    return network.isQuantized();
  }

  @Override
  public void close() {
    network.close();
  }
}
