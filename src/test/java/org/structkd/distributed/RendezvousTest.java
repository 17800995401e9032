package org.structkd.distributed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.structkd.testing.Refusals.refused;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The variables that launchers set. */
class RendezvousTest {
  private static Map<String, String> two() {
    return new HashMap<>(
        Map.of("RANK", "1", "WORLD_SIZE", "2", "MASTER_ADDR", "host", "MASTER_PORT", "29500"));
  }

  private static Map<String, String> with(String name, String value) {
    Map<String, String> changed = two();
    if (value == null) {
      changed.remove(name);
    } else {
      changed.put(name, value);
    }
    return changed;
  }

  @Test
  void aLauncherTellsRankSizeAndPlace() {
    assertEquals(new Rendezvous(1, 2, "host", 29500), Rendezvous.of(two()));
    assertEquals(Duration.ofMinutes(30), Rendezvous.of(two()).timeout());
  }

  @Test
  void withoutALauncherAProcessIsAlone() {
    assertEquals(Rendezvous.alone(), Rendezvous.of(Map.of()));
    assertEquals(Rendezvous.alone(), Rendezvous.of(Map.of("WORLD_SIZE", "1", "RANK", "0")));
  }

  @Test
  void torchrunServesTheStoreItself() {
    Map<String, String> torchrun = two();
    torchrun.put("TORCHELASTIC_USE_AGENT_STORE", "True");
    torchrun.put("TORCHELASTIC_RESTART_COUNT", "3");
    assertEquals("/worker/attempt_3", Rendezvous.of(torchrun).launcherKeys());
  }

  @Test
  void whatMakesNoSenseIsNamed() {
    refused(
        "RANK is 2, expected 0 to 1, as WORLD_SIZE is 2", () -> Rendezvous.of(with("RANK", "2")));
    refused(
        "RANK is -1, expected 0 to 1, as WORLD_SIZE is 2", () -> Rendezvous.of(with("RANK", "-1")));
    refused(
        "WORLD_SIZE is 0, expected 1 or more processes",
        () -> Rendezvous.of(with("WORLD_SIZE", "0")));
    refused(
        "WORLD_SIZE is \"two\", expected a number", () -> Rendezvous.of(with("WORLD_SIZE", "two")));
    refused(
        "MASTER_PORT is 70000, expected 1 to 65535",
        () -> Rendezvous.of(with("MASTER_PORT", "70000")));
    refused(
        "MASTER_ADDR is empty, expected the host of rank 0",
        () -> Rendezvous.of(with("MASTER_ADDR", " ")));
    refused(
        "RANK is set but WORLD_SIZE is not: a launcher sets both, a process alone has neither",
        () -> Rendezvous.of(with("WORLD_SIZE", null)));
    for (String name : new String[] {"RANK", "MASTER_ADDR", "MASTER_PORT"}) {
      refused(
          name
              + " is missing, although WORLD_SIZE is 2: a launcher of several processes sets RANK,"
              + " WORLD_SIZE, MASTER_ADDR and MASTER_PORT",
          () -> Rendezvous.of(with(name, null)));
    }
    refused(
        "timeout is PT0S, expected more than 0",
        () -> Rendezvous.of(two()).withTimeout(Duration.ZERO));
  }
}
