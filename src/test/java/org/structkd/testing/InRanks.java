package org.structkd.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch;
import org.structkd.distributed.ProcessGroup;
import org.structkd.distributed.Rendezvous;

/** Ranks of a process group, each on a thread of its own, which c10d takes for processes. */
public final class InRanks {
  /** Longest wait of a rank: tests that hang say where. */
  public static final Duration TIMEOUT = Duration.ofSeconds(60);

  private InRanks() {}

  /** What a rank does. */
  @FunctionalInterface
  public interface Task<T> {
    /** Does it. */
    T with(ProcessGroup group) throws Exception;
  }

  /**
   * What became of a rank.
   *
   * @param result null where it failed
   * @param failure null where it did not
   */
  public record Outcome<T>(T result, Throwable failure) {
    /** {@return the result} */
    public T orThrow() {
      if (failure != null) {
        throw new AssertionError(failure.getMessage(), failure);
      }
      return result;
    }

    /** {@return the sentence it failed by} */
    public String sentence() {
      if (failure == null) {
        throw new AssertionError("it has not failed but come to " + result);
      }
      return failure.getMessage();
    }
  }

  /** {@return a port that nobody listens at} */
  public static int freePort() {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@return where some ranks meet, by rank} */
  public static List<Rendezvous> places(int worldSize) {
    int port = freePort();
    List<Rendezvous> places = new ArrayList<>();
    for (int rank = 0; rank < worldSize; rank++) {
      places.add(new Rendezvous(rank, worldSize, "127.0.0.1", port).withTimeout(TIMEOUT));
    }
    return places;
  }

  /** {@return what becomes of each rank} */
  public static <T> List<Outcome<T>> of(int worldSize, Task<T> task) throws InterruptedException {
    return of(places(worldSize), task);
  }

  /** {@return what becomes of each rank that comes} */
  public static <T> List<Outcome<T>> of(List<Rendezvous> places, Task<T> task)
      throws InterruptedException {
    ExecutorService threads = Executors.newFixedThreadPool(places.size());
    try {
      List<Future<T>> running = new ArrayList<>();
      for (Rendezvous place : places) {
        running.add(threads.submit(() -> run(place, task)));
      }
      List<Outcome<T>> outcomes = new ArrayList<>();
      for (Future<T> rank : running) {
        try {
          outcomes.add(new Outcome<>(rank.get(), null));
        } catch (ExecutionException e) {
          outcomes.add(new Outcome<>(null, e.getCause()));
        }
      }
      return outcomes;
    } finally {
      threads.shutdown();
      threads.awaitTermination(1, TimeUnit.SECONDS);
    }
  }

  private static <T> T run(Rendezvous place, Task<T> task) throws Exception {
    try (PointerScope scope = new PointerScope();
        ProcessGroup group = ProcessGroup.open(place)) {
      torch.set_num_threads(1);
      return task.with(group);
    }
  }
}
