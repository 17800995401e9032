package org.structkd.distributed;

import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Where the processes of a group meet, and which of them this one is. Launchers tell it by
 * variables of the environment ({@link #of(Map)}), as for PyTorch.
 *
 * @param rank of this process, 0 to worldSize - 1
 * @param worldSize processes of the group
 * @param address host of rank 0, or of the launcher's store; empty in a group of one
 * @param port there, 1 to 65535; 0 in a group of one
 * @param launcherKeys what keys begin with in a store that the launcher serves; empty where rank 0
 *     serves it
 * @param timeout longest wait for other ranks: for all to come, and for one to reach the same step
 */
public record Rendezvous(
    int rank, int worldSize, String address, int port, String launcherKeys, Duration timeout) {
  /** PyTorch's own: longer than an evaluation that the others wait for. */
  public static final Duration USUAL_TIMEOUT = Duration.ofMinutes(30);

  /** Checks the numbers. */
  public Rendezvous {
    Objects.requireNonNull(address, "address");
    Objects.requireNonNull(launcherKeys, "launcherKeys");
    Objects.requireNonNull(timeout, "timeout");
    if (worldSize < 1) {
      throw new IllegalArgumentException(
          "WORLD_SIZE is " + worldSize + ", expected 1 or more processes");
    }
    if (rank < 0 || rank >= worldSize) {
      throw new IllegalArgumentException(
          "RANK is %d, expected 0 to %d, as WORLD_SIZE is %d"
              .formatted(rank, worldSize - 1, worldSize));
    }
    if (worldSize > 1 && (port < 1 || port > 65535)) {
      throw new IllegalArgumentException("MASTER_PORT is " + port + ", expected 1 to 65535");
    }
    if (worldSize > 1 && address.isBlank()) {
      throw new IllegalArgumentException("MASTER_ADDR is empty, expected the host of rank 0");
    }
    if (timeout.toMillis() < 1) {
      throw new IllegalArgumentException("timeout is " + timeout + ", expected more than 0");
    }
  }

  /**
   * A group whose rank 0 serves the meeting place, with the usual timeout.
   *
   * @param rank of this process
   * @param worldSize processes of the group
   * @param address host of rank 0
   * @param port free on that host
   */
  public Rendezvous(int rank, int worldSize, String address, int port) {
    this(rank, worldSize, address, port, "", USUAL_TIMEOUT);
  }

  /** {@return the group of one process} */
  public static Rendezvous alone() {
    return new Rendezvous(0, 1, "", 0);
  }

  /**
   * Reads what a launcher has set: {@code RANK}, {@code WORLD_SIZE}, {@code MASTER_ADDR} and {@code
   * MASTER_PORT}. Without them, or with a {@code WORLD_SIZE} of 1, the process is alone.
   *
   * <p>Where {@code TORCHELASTIC_USE_AGENT_STORE} is True, as torchrun sets it, the launcher serves
   * the meeting place.
   *
   * @param environment such as {@code System.getenv()}
   * @return the meeting place, with the usual timeout
   * @throws IllegalArgumentException naming the variable that is missing or makes no sense
   */
  public static Rendezvous of(Map<String, String> environment) {
    if (!environment.containsKey("WORLD_SIZE")) {
      if (environment.containsKey("RANK")) {
        throw new IllegalArgumentException(
            "RANK is set but WORLD_SIZE is not: a launcher sets both, a process alone has neither");
      }
      return alone();
    }
    int worldSize = number(environment, "WORLD_SIZE");
    if (worldSize == 1) {
      return alone();
    }
    return new Rendezvous(
        number(environment, "RANK"),
        worldSize,
        text(environment, "MASTER_ADDR"),
        number(environment, "MASTER_PORT"),
        "True".equals(environment.get("TORCHELASTIC_USE_AGENT_STORE"))
            ? "/worker/attempt_" + environment.getOrDefault("TORCHELASTIC_RESTART_COUNT", "0")
            : "",
        USUAL_TIMEOUT);
  }

  private static String text(Map<String, String> environment, String name) {
    @Nullable String value = environment.get(name);
    if (value == null) {
      throw new IllegalArgumentException(
          ("%s is missing, although WORLD_SIZE is %s: a launcher of several processes sets"
                  + " RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT")
              .formatted(name, environment.get("WORLD_SIZE")));
    }
    return value;
  }

  private static int number(Map<String, String> environment, String name) {
    String value = text(environment, name);
    try {
      return Integer.parseInt(value.strip());
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(name + " is \"" + value + "\", expected a number", e);
    }
  }

  /** {@return the same with another timeout} */
  public Rendezvous withTimeout(Duration longest) {
    return new Rendezvous(rank, worldSize, address, port, launcherKeys, longest);
  }
}
