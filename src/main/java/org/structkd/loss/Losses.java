package org.structkd.loss;

import static org.structkd.loss.Losses.Kind.COMPOSITION;
import static org.structkd.loss.Losses.Kind.KERNEL;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.structkd.internal.Words;

/** The list of all losses: a line here makes a loss known to recipes, commands, tests and docs. */
public final class Losses {
  /** How a loss is computed. */
  public enum Kind {
    /** A kernel of its own computes it on every backend. */
    KERNEL,
    /** It is composed of LibTorch operators. */
    COMPOSITION
  }

  private static final List<Entry> ALL =
      List.of(
          new Entry(
              "cross_entropy", CrossEntropyLoss.class, COMPOSITION, "none: learning from labels"),
          new Entry(
              "regression",
              RegressionLoss.class,
              COMPOSITION,
              "none: learning from numbers; Eigen et al., NIPS 2014; Laina et al., 3DV 2016"),
          new Entry(
              "teacher_bounded", TeacherBoundedLoss.class, COMPOSITION, "Chen et al., NIPS 2017"),
          new Entry(
              "pixelwise",
              PixelwiseLoss.class,
              KERNEL,
              "Hinton et al. 2015; Liu et al., CVPR 2019"),
          new Entry("channelwise", ChannelwiseLoss.class, KERNEL, "Shu et al., ICCV 2021"),
          new Entry("pairwise", PairwiseLoss.class, KERNEL, "Liu et al., CVPR 2019"),
          new Entry(
              "inter_class_similarity",
              InterClassSimilarityLoss.class,
              KERNEL,
              "Mansourian et al. 2023"),
          new Entry(
              "global_structural",
              GlobalStructuralLoss.class,
              KERNEL,
              "Ahn et al., IEEE Access 2025"),
          new Entry(
              "cross_image_relation",
              CrossImageRelationLoss.class,
              KERNEL,
              "Yang et al., CVPR 2022"),
          new Entry("relational", RelationalLoss.class, KERNEL, "Park et al., CVPR 2019"),
          new Entry(
              "intra_class_variation",
              IntraClassVariationLoss.class,
              KERNEL,
              "Wang et al., ECCV 2020"),
          new Entry(
              "activation_boundary",
              ActivationBoundaryLoss.class,
              COMPOSITION,
              "Heo et al., AAAI 2019"),
          new Entry("holistic", HolisticLoss.class, COMPOSITION, "Liu et al., CVPR 2019"),
          new Entry(
              "adversarial_feature",
              AdversarialFeatureLoss.class,
              COMPOSITION,
              "ours, of adversarial distillation 2021"),
          new Entry(
              "attention_transfer",
              AttentionTransferLoss.class,
              COMPOSITION,
              "Zagoruyko and Komodakis, ICLR 2017"),
          new Entry("hint", HintLoss.class, COMPOSITION, "Romero et al., ICLR 2015"),
          new Entry(
              "similarity_preserving",
              SimilarityPreservingLoss.class,
              COMPOSITION,
              "Tung and Mori, ICCV 2019"),
          new Entry(
              "inter_channel_correlation",
              InterChannelCorrelationLoss.class,
              COMPOSITION,
              "Liu et al., ICCV 2021"),
          new Entry("dist", DistLoss.class, COMPOSITION, "Huang et al., NeurIPS 2022"),
          new Entry(
              "attention_feature", AttentionFeatureLoss.class, COMPOSITION, "Ji et al., AAAI 2021"),
          new Entry("decoupled", DecoupledLoss.class, COMPOSITION, "Zhao et al., CVPR 2022"),
          new Entry(
              "class_similarity",
              ClassSimilarityLoss.class,
              COMPOSITION,
              "Feng et al., IEEE TIP 2021"),
          new Entry(
              "pixel_similarity",
              PixelSimilarityLoss.class,
              COMPOSITION,
              "Feng et al., IEEE TIP 2021"),
          new Entry("pearson", PearsonLoss.class, COMPOSITION, "Cao et al., NeurIPS 2022"),
          new Entry(
              "masked_generative",
              MaskedGenerativeLoss.class,
              COMPOSITION,
              "Yang et al., ECCV 2022"),
          new Entry("class_memory", ClassMemoryLoss.class, COMPOSITION, "Yang et al., CVPR 2022"),
          new Entry("channel_memory", ChannelMemoryLoss.class, COMPOSITION, "Yang et al., CIRKDV2"),
          new Entry("ensemble", EnsembleLoss.class, COMPOSITION, "Hinton et al. 2015"),
          new Entry("photometric", PhotometricLoss.class, COMPOSITION, "Godard et al., ICCV 2019"),
          new Entry(
              "edge_aware_smoothness",
              EdgeAwareSmoothnessLoss.class,
              COMPOSITION,
              "Godard et al., CVPR 2017, ICCV 2019"),
          new Entry(
              "ranking_distillation",
              RankingDistillationLoss.class,
              COMPOSITION,
              "Tang and Wang, KDD 2018"),
          new Entry(
              "relaxed_ranking_distillation",
              RelaxedRankingDistillationLoss.class,
              COMPOSITION,
              "Kang et al., CIKM 2020"),
          new Entry(
              "collaborative_distillation",
              CollaborativeDistillationLoss.class,
              COMPOSITION,
              "Lee et al., ICDM 2019"),
          new Entry(
              "bidirectional_distillation",
              BidirectionalDistillationLoss.class,
              COMPOSITION,
              "Kweon et al., WWW 2021"),
          new Entry(
              "distillation_experts",
              DistillationExpertsLoss.class,
              COMPOSITION,
              "Kang et al., CIKM 2020"),
          new Entry(
              "hierarchical_topology",
              HierarchicalTopologyLoss.class,
              COMPOSITION,
              "Kang et al., KDD 2021"));

  /** Ids of earlier versions, and what they are now. */
  private static final Map<String, String> RENAMED =
      Map.of(
          "interclass", "inter_class_similarity",
          "structural", "global_structural",
          "squared_error", "regression");

  private Losses() {}

  /** {@return all losses, in the order of the docs} */
  public static List<Entry> all() {
    return ALL;
  }

  /**
   * {@return what a loss is called now; empty if it never had another name}
   *
   * @param id of an earlier version
   */
  public static Optional<String> renamed(String id) {
    return Optional.ofNullable(RENAMED.get(id));
  }

  /**
   * {@return the loss of an id}
   *
   * @param id such as "pairwise"
   * @throws IllegalArgumentException naming the new id, or those that there are, if there is none
   */
  public static Entry of(String id) {
    for (Entry entry : ALL) {
      if (entry.id().equals(id)) {
        return entry;
      }
    }
    renamed(id)
        .ifPresent(
            now -> {
              throw new IllegalArgumentException(
                  "the loss \"" + id + "\" is called " + now + " now");
            });
    List<String> known = ALL.stream().map(Entry::id).toList();
    throw new IllegalArgumentException(
        "there is no loss \"" + id + "\", there are: " + Words.listNearest(id, known));
  }

  /**
   * A loss by its names.
   *
   * @param id its name in recipes, options and files
   * @param type the record
   * @param kind how it is computed; of a kernel loss some variants may be composed
   * @param paper where it comes from
   */
  public record Entry(String id, Class<? extends Loss> type, Kind kind, String paper) {
    /** {@return the names of its presets, such as "skd_cvpr19" for {@code skdCvpr19()}} */
    public Set<String> presets() {
      return methods().keySet();
    }

    /**
     * {@return the loss with the settings of a preset}
     *
     * @param preset one of {@link #presets}
     * @throws IllegalArgumentException naming the known presets, if there is none of this name
     */
    public Loss create(String preset) {
      TreeMap<String, Method> methods = methods();
      Method method = methods.get(preset);
      if (method == null) {
        throw new IllegalArgumentException(
            "loss \"%s\" has no preset \"%s\", it has: %s"
                .formatted(id, preset, Words.listNearest(preset, methods.keySet())));
      }
      try {
        return type.cast(method.invoke(null));
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(method + " cannot be called", e);
      }
    }

    /** Public static methods without arguments that return the loss. */
    private TreeMap<String, Method> methods() {
      return List.of(type.getDeclaredMethods()).stream()
          .filter(method -> Modifier.isStatic(method.getModifiers()))
          .filter(method -> Modifier.isPublic(method.getModifiers()))
          .filter(method -> method.getParameterCount() == 0 && method.getReturnType() == type)
          .collect(
              Collectors.toMap(
                  method -> Words.snakeCase(method.getName()),
                  method -> method,
                  (one, other) -> one,
                  TreeMap::new));
    }
  }
}
