package org.structkd.data;

import java.util.List;

/** Which images of the CIFAR data sets there are, and which class of an image is to be told. */
public enum CifarTask {
  /** CIFAR-10: the files data_batch_1.bin to data_batch_5.bin and test_batch.bin. */
  CIFAR10(
      List.of(10),
      0,
      List.of(
          "data_batch_1.bin",
          "data_batch_2.bin",
          "data_batch_3.bin",
          "data_batch_4.bin",
          "data_batch_5.bin"),
      "test_batch.bin",
      "batches.meta.txt",
      List.of(0.4914, 0.4822, 0.4465),
      List.of(0.2470, 0.2435, 0.2616)),

  /** CIFAR-100 and its 100 classes: the files train.bin and test.bin. */
  CIFAR100(1, "fine_label_names.txt"),

  /** CIFAR-100 and the 20 groups of its classes: the same files. */
  CIFAR100_COARSE(0, "coarse_label_names.txt");

  /** How many classes each label of an image tells, in the order of the labels. */
  final List<Integer> classesOfLabels;

  /** Which of the labels is the class. */
  final int label;

  final List<String> training;
  final String test;

  /** The file with the names of the classes, one a line. */
  final String names;

  final List<Double> mean;
  final List<Double> deviation;

  CifarTask(int label, String names) {
    this(
        List.of(20, 100),
        label,
        List.of("train.bin"),
        "test.bin",
        names,
        List.of(0.5071, 0.4867, 0.4408),
        List.of(0.2675, 0.2565, 0.2761));
  }

  CifarTask(
      List<Integer> classesOfLabels,
      int label,
      List<String> training,
      String test,
      String names,
      List<Double> mean,
      List<Double> deviation) {
    this.classesOfLabels = classesOfLabels;
    this.label = label;
    this.training = training;
    this.test = test;
    this.names = names;
    this.mean = mean;
    this.deviation = deviation;
  }

  /** {@return the number of classes} */
  public int classes() {
    return classesOfLabels.get(label);
  }

  /**
   * {@return the mean of the colours of all training images, red, green and blue of 0 to 1} Those
   * by which trainings are usually published, to four digits.
   */
  public List<Double> mean() {
    return mean;
  }

  /** {@return the standard deviation of these colours} */
  public List<Double> deviation() {
    return deviation;
  }
}
