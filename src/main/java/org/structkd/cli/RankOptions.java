package org.structkd.cli;

import java.time.Duration;
import java.util.Map;
import org.structkd.distributed.ProcessGroup;
import org.structkd.distributed.Rendezvous;
import org.structkd.run.RunException;
import picocli.CommandLine.Option;

/** The processes that a launcher has started, of which this is one. */
final class RankOptions {
  @Option(
      names = "--rank-timeout",
      paramLabel = "SECONDS",
      defaultValue = "1800",
      description =
          "Longest wait for another process, where a launcher such as torchrun has started several"
              + " (docs/data-parallel.md). Default: ${DEFAULT-VALUE}.")
  private long timeout;

  /** Joins the others, if the launcher's variables tell of any. */
  ProcessGroup join(Map<String, String> environment) {
    if (timeout < 1) {
      throw RunException.refused("--rank-timeout must be 1 second or more but is " + timeout);
    }
    return ProcessGroup.open(place(environment).withTimeout(Duration.ofSeconds(timeout)));
  }

  private static Rendezvous place(Map<String, String> environment) {
    try {
      return Rendezvous.of(environment);
    } catch (IllegalArgumentException e) {
      throw RunException.refused(e.getMessage());
    }
  }

  /** Refuses to do what is one process's work in each of several. */
  static void requireAlone(String command, Map<String, String> environment) {
    int worldSize = place(environment).worldSize();
    if (worldSize > 1) {
      throw RunException.refused(
          ("%s is the work of one process, but WORLD_SIZE is %d: start it without a"
                  + " launcher; distill trains data-parallel")
              .formatted(command, worldSize));
    }
  }

  /** {@return the device of this process: with cuda alone, the one that the launcher gives it} */
  static String device(String asked, Map<String, String> environment) {
    String local = environment.get("LOCAL_RANK");
    return asked.equals("cuda") && local != null && environment.containsKey("WORLD_SIZE")
        ? "cuda:" + local
        : asked;
  }
}
