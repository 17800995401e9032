package org.structkd.loss;

import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.indexer.LongIndexer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Hierarchical topology distillation (HTD): users and items fall into groups, which are learned;
 * within a group all cosines are the teacher's, across groups those to the groups' means.
 *
 * <pre>{@code
 * L   = balance (sum over i, j of one group with cos_T(i,j) > 0 of (cos_S(i,j) - cos_T(i,j))^2
 *         + sum over groups g and all i of (cos(P^S_g, s_i) - cos(P^T_g, t_i))^2)
 *       + (1 - balance) sum_i |t_i - sum_m z_im E_m(s_i)|^2
 * g_i = argmax V t_i,   P_g = mean of the group, constant
 * }</pre>
 *
 * <p>Users and items have groups, gates V and experts E of their own, and stand in one set i. The
 * last sum, which is what V learns by, is that of {@link DistillationExpertsLoss} at a fixed
 * temperature, with (Cs + Ct) / 2 numbers between an expert's layers.
 *
 * <ul>
 *   <li><b>Value:</b> at least 0; a sum over pairs and embeddings.
 *   <li><b>Gradient:</b> to the student, the experts and V; the groups' means are constant.
 *   <li><b>Memory:</b> some matrices of N x N numbers, N users and items.
 *   <li><b>Threads:</b> immutable, may be shared; experts serve one training.
 * </ul>
 *
 * <p>Source: S. Kang et al., "Topology Distillation for Recommender System", KDD 2021, arXiv
 * 2106.08700; code SeongKu-Kang/Topology_Distillation_KDD21, variant "second". Weight there: 0.001
 * beside a summed loss.
 *
 * @param groups of users and as many of items, 1 or more
 * @param balance of topology against the assignment to groups, 0 to 1
 * @param temperature of the assignment, above 0
 * @param unique whether users and items that come several times in a batch count once, told by the
 *     inputs {@code users} and {@code items}
 */
public record HierarchicalTopologyLoss(
    int groups, double balance, double temperature, boolean unique) implements Loss {
  private static final String NAME = "hierarchical topology loss";

  /** The role of the users' embeddings, [B, C]. */
  public static final String USER_EMBEDDING = "user_embedding";

  /** The role of the items' embeddings, [B, C]. */
  public static final String ITEM_EMBEDDING = "item_embedding";

  /** The input that tells the user of each embedding, I64 [B]. */
  public static final String USERS = "users";

  /** The input that tells the item of each embedding, I64 [B]. */
  public static final String ITEMS = "items";

  /** Checks the numbers. */
  public HierarchicalTopologyLoss {
    Settings.requireCount(NAME, "groups", groups, 1);
    Settings.requirePositive(NAME, "temperature", temperature);
    if (!(balance >= 0 && balance <= 1)) { // also refuses NaN
      throw new IllegalArgumentException(NAME + ": balance is " + balance + ", expected 0 to 1");
    }
  }

  /** {@return the released variant "second": 30 groups, of the users and items of a batch, once} */
  public static HierarchicalTopologyLoss second() {
    return new HierarchicalTopologyLoss(30, 0.5, 0.1, true);
  }

  /** {@return the same of the embeddings as they are given} */
  public static HierarchicalTopologyLoss secondAsGiven() {
    return new HierarchicalTopologyLoss(30, 0.5, 0.1, false);
  }

  /** {@inheritDoc} Examples are compared with each other. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    List<Needs.Role> roles =
        List.of(Needs.Role.of(USER_EMBEDDING, 2), Needs.Role.of(ITEM_EMBEDDING, 2));
    Needs needs =
        new Needs(roles, roles, Set.of(), unique ? Set.of(USERS, ITEMS) : Set.of(), false);
    Needs.Form indices = Needs.Form.of(Needs.Values.INDICES);
    return needs.with(USERS, indices).with(ITEMS, indices);
  }

  /** Users or items: the embeddings of both networks. */
  private record Side(Tensor student, Tensor teacher) {
    static Side of(LossInputs inputs, String role) {
      Tensor student = inputs.student(role);
      Tensor teacher = inputs.teacher(role);
      MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS)
          .requireRank(2, "[embeddings, channels]");
      return new Side(student, teacher);
    }

    /** Those that come for the first time. */
    Side unique(String name, Tensor indices) {
      TensorArguments.requireOpen(NAME, name, indices);
      if (indices.dim() != 1
          || indices.size(0) != student.size(0)
          || !torch.isIntegralType(indices.scalar_type().intern(), false)) {
        throw new IllegalArgumentException(
            NAME
                + ": "
                + TensorArguments.describe(name, indices)
                + " is "
                + indices.scalar_type().intern()
                + ", expected whole numbers ["
                + student.size(0)
                + "], one for each embedding");
      }
      long[] values = new long[(int) indices.size(0)];
      Tensor dense = indices.to(ScalarType.Long).cpu().contiguous();
      try (LongIndexer indexer = dense.createIndexer()) {
        indexer.get(0L, values);
      }
      Set<Long> seen = new HashSet<>();
      long[] first =
          IntStream.range(0, values.length)
              .filter(i -> seen.add(values[i]))
              .mapToLong(i -> i)
              .toArray();
      if (first.length == values.length) {
        return this;
      }
      Tensor rows = Tensor.create(first).to(student.device(), ScalarType.Long);
      return new Side(student.index_select(0, rows), teacher.index_select(0, rows));
    }

    Side in(ScalarType type) {
      return new Side(student.to(type), teacher.detach().to(type));
    }
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    Side users = Side.of(dryRun, USER_EMBEDDING);
    requireOneSpace(users, Side.of(dryRun, ITEM_EMBEDDING));
    int in = (int) users.student.size(1);
    int out = (int) users.teacher.size(1);
    return Optional.of(
        new ExpertPart(List.of("user_", "item_"), groups, in, (in + out) / 2, out, seed));
  }

  private static void requireOneSpace(Side users, Side items) {
    if (users.student.size(1) != items.student.size(1)
        || users.teacher.size(1) != items.teacher.size(1)) {
      throw new IllegalArgumentException(
          "%s: users have %d and %d channels (student, teacher), items %d and %d, expected the same"
              .formatted(
                  NAME,
                  users.student.size(1),
                  users.teacher.size(1),
                  items.student.size(1),
                  items.teacher.size(1)));
    }
    TensorArguments.requireSameDevice(
        NAME, "student's users", users.student, "student's items", items.student);
  }

  /**
   * Computes the student's loss.
   *
   * @param inputs embeddings of both networks, the indices where they count once, and the experts
   *     as the part
   * @return scalar in the type of the experts; in the caller's PointerScope
   * @throws IllegalArgumentException if embeddings do not fit together, or there are no experts
   */
  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          ExpertPart part = ExpertPart.of(NAME, inputs);
          Experts ofUsers = part.set(0);
          Experts ofItems = part.set(1);
          Side users = Side.of(inputs, USER_EMBEDDING);
          Side items = Side.of(inputs, ITEM_EMBEDDING);
          requireOneSpace(users, items);
          if (unique) {
            users = users.unique(USERS, inputs.input(USERS));
            items = items.unique(ITEMS, inputs.input(ITEMS));
          }
          ScalarType type = ofUsers.type();
          users = users.in(type);
          items = items.in(type);
          Draws draws = part.draws(inputs.step());
          Tensor assignment =
              ofUsers
                  .error(users.student, users.teacher, temperature, draws, 0)
                  .add(ofItems.error(items.student, items.teacher, temperature, draws, 1));
          return topology(
                  joined(users.student, items.student),
                  joined(users.teacher, items.teacher),
                  membership(ofUsers.groups(users.teacher), ofItems.groups(items.teacher)))
              .mul(new Scalar(balance))
              .add(assignment.mul(new Scalar(1 - balance)));
        });
  }

  private static Tensor joined(Tensor users, Tensor items) {
    return torch.cat(new TensorVector(users, items), 0);
  }

  /** Users in the first groups, items in the others: [N, 2 groups]. */
  private static Tensor membership(Tensor users, Tensor items) {
    return torch.block_diag(new TensorVector(users, items));
  }

  /** The sums over pairs; groups without members have means of 0, whose cosines are 0. */
  private static Tensor topology(Tensor student, Tensor teacher, Tensor groups) {
    Tensor s = Rows.unit(student);
    Tensor t = Rows.unit(teacher);
    Tensor ofTeacher = t.mm(t.t());
    Tensor counts = groups.mm(groups.t()).mul(ofTeacher).gt(new Scalar(0));
    Tensor entities = s.mm(s.t()).sub(ofTeacher).square().mul(counts);
    Tensor prototypes =
        cosines(groups, student.detach(), s).sub(cosines(groups, teacher, t)).square();
    return entities.sum().add(prototypes.sum());
  }

  /** Cosines of the groups' means, constant, and all embeddings. */
  private static Tensor cosines(Tensor groups, Tensor embeddings, Tensor unit) {
    Tensor members = groups.sum(0).clamp_min(new Scalar(1)).unsqueeze(1);
    return Rows.unit(groups.t().mm(embeddings).div(members)).mm(unit.t());
  }
}
