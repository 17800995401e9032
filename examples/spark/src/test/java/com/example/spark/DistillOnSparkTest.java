package com.example.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.structkd.distributed.ProcessGroup;
import org.structkd.distributed.Rendezvous;

/** A job on two executors, each a process of its own, against the same two ranks without Spark. */
class DistillOnSparkTest {
  private static final int RANKS = 2;
  private static final Rank RANK = new Rank(6, "");

  @Test
  void executorsTrainTheStudentThatPlainRanksTrain() throws Exception {
    byte[] student;
    try (JavaSparkContext spark = new JavaSparkContext(localCluster())) {
      student = DistillOnSpark.train(spark, RANKS, RANK);
    }
    for (byte[] plain : plainRanks()) {
      assertArrayEquals(plain, student);
    }
  }

  /** Two executors of one core and 1 GB. */
  private static SparkConf localCluster() throws IOException {
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME"), "jars"));
    return new SparkConf()
        .setAppName("test")
        .setMaster("local-cluster[2,1,1024]")
        .set("spark.ui.enabled", "false")
        .set("spark.executor.memory", "1g")
        .set(
            "spark.scheduler.barrier.maxConcurrentTasksCheck.interval",
            "1s") // until they are there
        .set("spark.executor.extraClassPath", System.getProperty("java.class.path"))
        .set(
            "spark.executor.extraJavaOptions",
            "-Dorg.bytedeco.javacpp.maxbytes=0 -Dorg.bytedeco.javacpp.maxphysicalbytes=0");
  }

  private static List<byte[]> plainRanks() throws Exception {
    int port;
    try (ServerSocket socket = new ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    ExecutorService threads = Executors.newFixedThreadPool(RANKS);
    try {
      List<Future<byte[]>> running = new ArrayList<>();
      for (int rank = 0; rank < RANKS; rank++) {
        Rendezvous place = new Rendezvous(rank, RANKS, "127.0.0.1", port);
        running.add(
            threads.submit(
                () -> {
                  try (ProcessGroup group = ProcessGroup.open(place)) {
                    return RANK.train(group);
                  }
                }));
      }
      List<byte[]> students = new ArrayList<>();
      for (Future<byte[]> rank : running) {
        students.add(rank.get());
      }
      return students;
    } finally {
      threads.shutdown();
    }
  }
}
