package org.structkd.recipe;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.Dataset;

/**
 * A student's classes of a teacher's, by their logits: that of several is the logarithm of the sum
 * of their exponentials, so that a softmax gives the sum of their probabilities; one alone keeps
 * its logit. Where some are none of the student's, a softmax gives the probabilities of the others,
 * given that it is one of those.
 *
 * @param groups the teacher's classes of each of the student's, at least one each
 * @param classes how many the teacher has
 */
record JoinedClasses(List<List<Integer>> groups, int classes) {
  /**
   * {@return the classes that a list describes}
   *
   * @param classes the student's class of each of the teacher's, -1: none
   * @param data whose classes the student's are
   * @throws IllegalArgumentException if one is out of range, or the teacher has none for one
   */
  static JoinedClasses of(List<Integer> classes, Dataset data) {
    int count = Classes.of(data, "teacher.adapted.classes");
    List<List<Integer>> groups = new ArrayList<>();
    for (int own = 0; own < count; own++) {
      groups.add(new ArrayList<>());
    }
    for (int label = 0; label < classes.size(); label++) {
      int own = classes.get(label);
      if (own >= count) {
        throw new IllegalArgumentException(
            "teacher.adapted.classes has %d, expected -1 to %d: the data have %d classes"
                .formatted(own, count - 1, count));
      }
      if (own != Adaptation.NONE) {
        groups.get(own).add(label);
      }
    }
    for (int own = 0; own < count; own++) {
      if (groups.get(own).isEmpty()) {
        throw new IllegalArgumentException(
            "teacher.adapted.classes has no class of the teacher for class %d (%s) of the data"
                .formatted(own, data.classNames().get(own)));
      }
    }
    return new JoinedClasses(groups, classes.size());
  }

  /**
   * {@return class scores of the student's classes}
   *
   * @param tap name of the scores
   * @param logits [B, K, ...] of the teacher's
   * @throws IllegalArgumentException if these are not of so many classes
   */
  Tensor joined(String tap, Tensor logits) {
    if (logits.dim() < 2 || logits.size(1) != classes) {
      throw new IllegalArgumentException(
          "teacher.adapted.classes has %d classes, but the teacher's \"%s\" is %s"
              .formatted(classes, tap, Arrays.toString(logits.shape())));
    }
    TensorVector joined = new TensorVector();
    for (List<Integer> group : groups) {
      Tensor sum = logits.narrow(1, group.get(0), 1);
      for (int label : group.subList(1, group.size())) {
        sum = torch.logaddexp(sum, logits.narrow(1, label, 1));
      }
      joined.push_back(sum);
    }
    return torch.cat(joined, 1);
  }
}
