package org.structkd.distributed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.structkd.internal.NativeLoader;
import org.structkd.testing.InRanks;
import org.structkd.testing.Tensors;

/** Ranks that compute, come late, come twice or not at all. */
class ProcessGroupTest {
  @Test
  void sumsAndCopiesReachAllRanks() throws Exception {
    List<InRanks.Outcome<double[]>> ranks =
        InRanks.of(
            3,
            group -> {
              Tensor sum = Tensor.create(new double[] {group.rank(), 1});
              group.sum(sum);
              Tensor copy = Tensor.create(new double[] {group.rank()});
              group.broadcast(copy, 2);
              byte[] own = ("rank " + group.rank()).getBytes(StandardCharsets.UTF_8);
              String said = new String(group.broadcast(own, 1), StandardCharsets.UTF_8);
              assertEquals("rank 1", said);
              assertEquals(0, group.broadcast(new byte[0], 0).length);
              double[] sums = Tensors.values(sum);
              return new double[] {sums[0], sums[1], copy.item_double()};
            });
    for (InRanks.Outcome<double[]> rank : ranks) {
      assertArrayEquals(new double[] {3, 3, 2}, rank.orThrow());
    }
  }

  /** As torchrun does. */
  @Test
  void aLauncherMayServeTheMeetingPlace() throws Exception {
    int port = InRanks.freePort();
    NativeLoader.require();
    TCPStoreOptions options = new TCPStoreOptions();
    options.port((short) port).isServer(true).waitWorkers(false).useLibUV(false);
    try (TCPStore launcher = new TCPStore("127.0.0.1", options)) {
      for (String keys : new String[] {"/worker/attempt_0", "/worker/attempt_1"}) {
        List<Rendezvous> places =
            InRanks.places(2).stream()
                .map(p -> new Rendezvous(p.rank(), 2, "127.0.0.1", port, keys, p.timeout()))
                .toList();
        for (InRanks.Outcome<Double> rank :
            InRanks.of(
                places,
                group -> {
                  Tensor sum = Tensor.create(new double[] {1});
                  group.sum(sum);
                  return sum.item_double();
                })) {
          assertEquals(2, rank.orThrow());
        }
      }
    }
  }

  @Test
  void aGroupOfOneNeedsNobody() {
    try (ProcessGroup alone = ProcessGroup.open(Rendezvous.alone())) {
      Tensor tensor = Tensor.create(new double[] {7});
      alone.sum(tensor);
      alone.broadcast(tensor, 0);
      assertEquals(7, tensor.item_double());
      assertEquals(1, alone.worldSize());
      assertTrue(alone.isFirst());
    }
  }

  @Test
  void aRankThatDoesNotComeIsNamed() throws Exception {
    Rendezvous first =
        new Rendezvous(0, 3, "127.0.0.1", InRanks.freePort()).withTimeout(Duration.ofSeconds(1));
    String said = InRanks.of(List.of(first), group -> 0).get(0).sentence();
    assertTrue(
        said.startsWith(
            "rank 0 of 3 has waited 1 s at 127.0.0.1:%d for RANK 1, 2, which did not come ("
                .formatted(first.port())),
        said);
  }

  @Test
  void aPlaceWhereNobodyListensIsNamed() throws Exception {
    Rendezvous second =
        new Rendezvous(1, 2, "127.0.0.1", InRanks.freePort()).withTimeout(Duration.ofSeconds(1));
    String said = InRanks.of(List.of(second), group -> 0).get(0).sentence();
    assertTrue(
        said.startsWith(
            ("rank 1 of 2 does not reach 127.0.0.1:%d; expected MASTER_ADDR and MASTER_PORT of"
                    + " rank 0 (")
                .formatted(second.port())),
        said);
  }

  @Test
  void ranksOfOtherGroupsAreRefused() throws Exception {
    List<Rendezvous> two = InRanks.places(2);
    Rendezvous ofThree =
        new Rendezvous(1, 3, "127.0.0.1", two.get(0).port()).withTimeout(InRanks.TIMEOUT);
    List<InRanks.Outcome<Integer>> ranks =
        InRanks.of(List.of(two.get(0), ofThree), group -> group.worldSize());
    String said = ranks.get(1).sentence();
    assertTrue(said.matches("rank 1 is one of 3 ranks.*, rank 0 is one of 2 ranks.*"), said);
    said = ranks.get(0).sentence();
    assertTrue(said.matches("rank 0 is one of 2 ranks.*, rank 1 is one of 3 ranks.*"), said);
  }

  @Test
  void twoProcessesOfOneRankAreRefused() throws Exception {
    List<Rendezvous> two = InRanks.places(2);
    List<InRanks.Outcome<String>> ranks =
        InRanks.of(
            two,
            group -> {
              String said =
                  group.isFirst()
                      ? InRanks.of(List.of(two.get(1)), again -> 0).get(0).sentence()
                      : "";
              group.sum(Tensor.create(new double[] {1})); // the group is as it was
              return said;
            });
    assertEquals(
        "two processes have RANK 1 at 127.0.0.1:%d, expected another one for each"
            .formatted(two.get(0).port()),
        ranks.get(0).orThrow());
    assertEquals("", ranks.get(1).orThrow());
  }

  @Test
  void aRankThatLeavesIsNoticedAtOnce() throws Exception {
    long start = System.nanoTime();
    List<InRanks.Outcome<Integer>> ranks =
        InRanks.of(
            2,
            group -> {
              Tensor tensor = Tensor.create(new double[] {1});
              group.sum(tensor);
              if (group.rank() == 0) {
                group.sum(tensor);
              }
              return 0;
            });
    String said = ranks.get(0).sentence();
    assertTrue(
        said.startsWith("rank 0 of 2 has lost another rank, whose own last words say why ("), said);
    assertTrue(System.nanoTime() - start < InRanks.TIMEOUT.toNanos() / 2, "it has waited");
  }

  @Test
  void aRankThatIsLateIsWaitedForUntilTheTimeout() throws Exception {
    List<Rendezvous> places =
        InRanks.places(2).stream().map(p -> p.withTimeout(Duration.ofSeconds(4))).toList();
    List<InRanks.Outcome<Integer>> ranks =
        InRanks.of(
            places,
            group -> {
              if (group.rank() == 0) {
                group.sum(Tensor.create(new double[] {1}));
              } else {
                Thread.sleep(5000);
              }
              return 0;
            });
    String said = ranks.get(0).sentence();
    assertTrue(said.startsWith("rank 0 of 2 has waited 4 s for another rank, which is"), said);
  }
}
