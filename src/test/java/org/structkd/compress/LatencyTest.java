package org.structkd.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.net;

import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.structkd.model.TappedNetwork;
import org.structkd.testing.InScope;

@InScope(threads = 1)
class LatencyTest {
  /** A network that takes a while, and counts. */
  private static final class Sleeping implements TappedNetwork {
    private int calls;

    @Override
    public Set<String> taps() {
      return Set.of();
    }

    @Override
    public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
      calls++;
      try {
        Thread.sleep(5);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      return Map.of();
    }

    @Override
    public void to(Device device) {}
  }

  @Test
  void theMiddleOfTheTimesIsTold() {
    assertEquals(2, Latency.median(9, 1, 2));
    assertEquals(2.5, Latency.median(4, 1, 3, 2));
    Sleeping sleeping = new Sleeping();
    Latency latency = Latency.of(sleeping, Map.of(), 3);
    assertTrue(latency.millis() >= 5, latency.toString());
    assertEquals(3, latency.runs());
    assertEquals(1, latency.threads());
    assertTrue(sleeping.calls > 3, "runs before those that count");
  }

  @Test
  void noRunIsRefused() {
    refused("latency: runs is 0, expected 1 or more", () -> Latency.of(net(2, 1), Map.of(), 0));
  }
}
