package com.example.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import scala.reflect.ClassTag$;

/**
 * Distils one student on several executors: a stage in Spark's barrier mode, which starts all its
 * tasks together, and starts all again where one fails. Each task is a rank of the training.
 *
 * <pre>{@code
 * spark-submit --class com.example.spark.DistillOnSpark ... RANKS STEPS STUDENT [CHECKPOINT]
 * }</pre>
 */
public final class DistillOnSpark {
  private DistillOnSpark() {}

  /** RANKS STEPS STUDENT [CHECKPOINT]: the last is a file that all executors see. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length < 3 || arguments.length > 4) {
      System.err.println("expected RANKS STEPS STUDENT [CHECKPOINT]");
      System.exit(2);
    }
    Rank rank = new Rank(Long.parseLong(arguments[1]), arguments.length == 4 ? arguments[3] : "");
    try (JavaSparkContext spark = new JavaSparkContext(new SparkConf().setAppName("structkd"))) {
      byte[] student = train(spark, Integer.parseInt(arguments[0]), rank);
      Files.write(Path.of(arguments[2]), student);
    }
  }

  /**
   * Trains.
   *
   * @param ranks tasks, no more than the job has slots for
   * @param rank what each does
   * @return the student's file
   */
  static byte[] train(JavaSparkContext spark, int ranks, Rank rank) {
    List<Integer> numbers = IntStream.range(0, ranks).boxed().toList();
    JavaRDD<byte[]> students =
        spark
            .parallelize(numbers, ranks)
            .rdd()
            .barrier()
            .<byte[]>mapPartitions(rank, false, ClassTag$.MODULE$.apply(byte[].class))
            .toJavaRDD();
    return students.collect().get(0);
  }
}
