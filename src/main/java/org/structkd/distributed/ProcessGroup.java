package org.structkd.distributed;

import java.util.function.Function;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Backend;
import org.bytedeco.pytorch.BroadcastOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Owned;

/**
 * The processes of a data-parallel run, each of which calls the same methods in the same order, as
 * with PyTorch's {@code torch.distributed}.
 *
 * <pre>{@code
 * try (ProcessGroup group = ProcessGroup.open(Rendezvous.of(System.getenv()))) {
 *   distiller.withProcessGroup(group).train(student);
 * }
 * }</pre>
 *
 * <ul>
 *   <li><b>Backends:</b> Gloo for tensors of the CPU; NCCL, of the GPU build of the presets, for
 *       those of CUDA. {@code GLOO_SOCKET_IFNAME} in the environment names the network interface.
 *   <li><b>Results:</b> have the same bits on all ranks.
 *   <li><b>Waiting:</b> a call waits until all ranks have come to it, at most {@link
 *       Rendezvous#timeout}. A rank that has ended is noticed at once. An interrupt of the thread
 *       is not.
 *   <li><b>A group of one</b> needs no network and no native code.
 *   <li><b>Threads:</b> for one thread at a time.
 * </ul>
 */
public final class ProcessGroup implements AutoCloseable {
  private final Rendezvous place;
  private final @Nullable Owned<Links> links;

  private ProcessGroup(Rendezvous place, @Nullable Owned<Links> links) {
    this.place = place;
    this.links = links;
  }

  /**
   * Joins the other processes; waits for them.
   *
   * @param place where they meet
   * @return the group, to be closed
   * @throws RankFailedException if not all come, two have the same rank, or they differ in
   *     WORLD_SIZE or version; says which
   * @throws StructkdException if native code is missing
   */
  public static ProcessGroup open(Rendezvous place) {
    return new ProcessGroup(
        place,
        place.worldSize() == 1 ? null : Owned.make("process group", () -> Links.between(place)));
  }

  /** {@return a group of this process alone} */
  public static ProcessGroup alone() {
    return new ProcessGroup(Rendezvous.alone(), null);
  }

  /** {@return which of the processes this is, from 0} */
  public int rank() {
    return place.rank();
  }

  /** {@return how many processes there are} */
  public int worldSize() {
    return place.worldSize();
  }

  /** {@return whether this is the process that writes files and talks to the user} */
  public boolean isFirst() {
    return place.rank() == 0;
  }

  /**
   * Replaces a tensor by the sum of those of all ranks.
   *
   * @param tensor contiguous, of the same shape, type and kind of device on all ranks
   * @throws RankFailedException if a rank has ended or does not come
   */
  public void sum(Tensor tensor) {
    together(tensor, backend -> backend.allreduce(new TensorVector(tensor)));
  }

  /**
   * Replaces a tensor by that of one rank.
   *
   * @param tensor contiguous, of the same shape, type and kind of device on all ranks
   * @param root whose
   * @throws RankFailedException if a rank has ended or does not come
   */
  public void broadcast(Tensor tensor, int root) {
    BroadcastOptions options = new BroadcastOptions();
    options.rootRank(root);
    together(tensor, backend -> backend.broadcast(new TensorVector(tensor), options));
  }

  /**
   * Hands bytes of one rank to all.
   *
   * @param bytes of any number; looked at on the root only
   * @param root whose
   * @return the root's
   * @throws RankFailedException if a rank has ended or does not come
   */
  public byte[] broadcast(byte[] bytes, int root) {
    if (links == null) {
      return bytes;
    }
    try (PointerScope temporaries = new PointerScope()) {
      Tensor length = Tensor.create(new long[] {bytes.length});
      broadcast(length, root);
      byte[] all = rank() == root ? bytes : new byte[(int) length.item_long()];
      if (all.length > 0) {
        Tensor content = Tensor.create(all, all.length);
        broadcast(content, root);
        new BytePointer(content.data_ptr()).get(all);
      }
      return all;
    }
  }

  /** A collective call: all ranks make it. */
  private void together(Tensor tensor, Function<Backend, Work> call) {
    if (links == null) {
      return;
    }
    Links open = links.get();
    if (!tensor.is_contiguous()) {
      throw new IllegalArgumentException("a tensor is not contiguous, expected one that is");
    }
    try (PointerScope temporaries = new PointerScope()) {
      NativeCall.run(() -> call.apply(open.backend(tensor))._wait());
    } catch (StructkdException e) {
      throw lost(e);
    }
  }

  private RankFailedException lost(StructkdException cause) {
    String said = Links.withoutPlace(cause.getMessage());
    boolean late = said.contains("imed out");
    return new RankFailedException(
        late
            ? ("rank %d of %d has waited %d s for another rank, which is still at something"
                    + " else (%s)")
                .formatted(rank(), worldSize(), place.timeout().toSeconds(), said)
            : "rank %d of %d has lost another rank, whose own last words say why (%s)"
                .formatted(rank(), worldSize(), said),
        cause);
  }

  /** Leaves the group: the others' next call fails. May be called twice. */
  @Override
  public void close() {
    if (links != null) {
      links.close();
    }
  }
}
