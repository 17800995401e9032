package org.structkd.distributed;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.Backend;
import org.bytedeco.pytorch.ByteVector;
import org.bytedeco.pytorch.PrefixStore;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.Store;
import org.bytedeco.pytorch.StringVector;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch_gloo;
import org.bytedeco.pytorch.nccl.ProcessGroupNCCL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.internal.Scopes;

/** The native side of a group: the store at which its processes meet, and what connects them. */
final class Links {
  private static final Logger LOG = LoggerFactory.getLogger(ProcessGroup.class);

  /** What each rank leaves in the store, by rank: that it has come, and what it takes part in. */
  private static final String ROLL = "structkd/rank/";

  /** How long rank 0 serves others that are refused: they need only read. */
  private static final long LINGER_MILLIS = 5000;

  private final Rendezvous place;
  private final Store store;
  private final Backend gloo;
  private @Nullable Backend nccl;

  private Links(Rendezvous place, Store store, Backend gloo) {
    this.place = place;
    this.store = store;
    this.gloo = gloo;
  }

  /** Connects; its pointers belong to the PointerScope that is open here. */
  static Links between(Rendezvous place) {
    Loader.load(torch_gloo.class);
    LOG.info(
        "rank {} of {} meets the others at {}:{}",
        place.rank(),
        place.worldSize(),
        place.address(),
        place.port());
    Store store = store(place);
    callTheRoll(place, store);
    try {
      ProcessGroupGloo.Options options = ProcessGroupGloo.Options.create_default(timeout(place));
      return new Links(
          place, store, new ProcessGroupGloo(store, place.rank(), place.worldSize(), options));
    } catch (RuntimeException e) {
      throw failure(
          place, "cannot connect to the others; GLOO_SOCKET_IFNAME names an interface", e);
    }
  }

  private static Milliseconds timeout(Rendezvous place) {
    return new Milliseconds(place.timeout().toMillis());
  }

  private static Store store(Rendezvous place) {
    boolean served = place.launcherKeys().isEmpty();
    TCPStoreOptions options = new TCPStoreOptions();
    options.port((short) place.port()); // of 16 bits without a sign
    options.isServer(served && place.rank() == 0);
    options.waitWorkers(false);
    options.timeout(timeout(place));
    options.useLibUV(false); // the presets' LibTorch is built without it
    try {
      Store store = new TCPStore(place.address(), options);
      return served ? store : new PrefixStore(place.launcherKeys(), store);
    } catch (RuntimeException e) {
      throw failure(
          place,
          served && place.rank() == 0
              ? "cannot listen at port %d of its host; expected a free MASTER_PORT"
                  .formatted(place.port())
              : "does not reach %s:%d; expected MASTER_ADDR and MASTER_PORT of %s"
                  .formatted(
                      place.address(), place.port(), served ? "rank 0" : "the launcher's store"),
          e);
    }
  }

  /** Each rank comes once, and all take part in the same. */
  private static void callTheRoll(Rendezvous place, Store store) {
    String own = place.worldSize() + " ranks, structkd " + NativeOps.version();
    try {
      if (store.add(ROLL + place.rank() + "/count", 1) > 1) {
        throw new RankFailedException(
            "two processes have RANK %d at %s:%d, expected another one for each"
                .formatted(place.rank(), place.address(), place.port()));
      }
      store.set(ROLL + place.rank(), new ByteVector(own.getBytes(StandardCharsets.UTF_8)));
      for (int rank = 0; rank < place.worldSize(); rank++) {
        store._wait(new StringVector(ROLL + rank), timeout(place));
        String other = new String(store.get(ROLL + rank).get(), StandardCharsets.UTF_8);
        if (!other.equals(own)) {
          letSee(place, store, rank);
          throw new RankFailedException(
              "rank %d is one of %s, rank %d is one of %s: expected the same"
                  .formatted(place.rank(), own, rank, other));
        }
      }
    } catch (RankFailedException e) {
      throw e;
    } catch (RuntimeException e) {
      throw failure(place, missing(place, store), e);
    }
  }

  /** Rank 0 serves the store until the other one, which sees the same, has seen it. */
  private static void letSee(Rendezvous place, Store store, int other) {
    try {
      if (place.rank() > 0) {
        store.add(ROLL + place.rank() + "/seen", 1);
      } else {
        store._wait(new StringVector(ROLL + other + "/seen"), new Milliseconds(LINGER_MILLIS));
      }
    } catch (RuntimeException e) {
      // What is thrown next says enough.
    }
  }

  private static String missing(Rendezvous place, Store store) {
    try {
      List<String> missing = new ArrayList<>();
      for (int rank = 0; rank < place.worldSize(); rank++) {
        if (!store.check(new StringVector(ROLL + rank))) {
          missing.add(Integer.toString(rank));
        }
      }
      return "has waited %d s at %s:%d for RANK %s, which did not come"
          .formatted(
              place.timeout().toSeconds(),
              place.address(),
              place.port(),
              String.join(", ", missing));
    } catch (RuntimeException e) {
      return "has lost the meeting place at " + place.address() + ":" + place.port();
    }
  }

  /** A text of c10d without the line of its sources in front. */
  static String withoutPlace(String text) {
    return text.replaceFirst("^\\[[^\\]]*] ", "");
  }

  private static RankFailedException failure(
      Rendezvous place, String what, RuntimeException cause) {
    RuntimeException told = NativeCall.translate(cause);
    return new RankFailedException(
        "rank %d of %d %s (%s)"
            .formatted(place.rank(), place.worldSize(), what, withoutPlace(told.getMessage())),
        told);
  }

  /** {@return what connects memory of the tensor's device} */
  Backend backend(Tensor tensor) {
    if (!tensor.is_cuda()) {
      return gloo;
    }
    if (nccl == null) {
      nccl =
          Scopes.kept(
              new ProcessGroupNCCL(
                  new PrefixStore("structkd/nccl", store), place.rank(), place.worldSize()));
      nccl.setTimeout(timeout(place));
    }
    return nccl;
  }
}
