package org.structkd.bench;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch;

/**
 * The losses on a GPU, each beside its composition of LibTorch operators. JMH has no part in it: it
 * times a JVM, here the GPU's own events do.
 */
final class CudaBench {
  private static final int RUNS = 30;
  private static final double EXACT_LIMIT = 1e-3;
  private static final double FAST_LIMIT = 5e-3; // what the mode promises
  private static final double BF16_LIMIT = 0x1p-8; // gradients are rounded to 8 bits
  private static final double FAST_BF16_LIMIT = 0x1p-6; // so are operands, and products err by more

  private static final List<Provider> PROVIDERS =
      List.of(
          new Provider("eager", "eager"),
          new Provider("eager-tf32", "eager"),
          new Provider("structkd", "structkd"),
          new Provider("structkd-fast", "structkd-fast"),
          new Provider("eager-bf16", "eager"),
          new Provider("structkd-bf16", "structkd"),
          new Provider("structkd-fast-bf16", "structkd-fast"));

  private final CudaGpu gpu;
  private final double copyRate;
  private final PrintWriter out;

  CudaBench(CudaGpu gpu, PrintWriter out) {
    this.gpu = gpu;
    this.copyRate = gpu.copyRate();
    this.out = out;
    out.printf(
        Locale.ROOT,
        "%s; copy %.0f GB/s measured, f32 %.1f TFLOP/s by data sheet%n",
        gpu,
        1e-9 * copyRate,
        1e-12 * gpu.f32PerSecond());
  }

  /** One side: its formulas know it by another name where it differs in precision alone. */
  private record Provider(String name, String formulasName) {
    /** Those behind it are compared with a baseline; where that has no time, they are not. */
    boolean isBaseline() {
      return name.equals("eager") || name.equals("eager-bf16");
    }

    boolean allowsTf32() {
      return name.endsWith("-tf32");
    }

    boolean isMixedPrecision() {
      return Figure.isBf16(name);
    }

    /** A composition errs as much as it errs: that is printed. */
    double limit() {
      return switch (name) {
        case "structkd" -> EXACT_LIMIT;
        case "structkd-fast" -> FAST_LIMIT;
        case "structkd-bf16" -> BF16_LIMIT;
        case "structkd-fast-bf16" -> FAST_BF16_LIMIT;
        default -> Double.POSITIVE_INFINITY;
      };
    }
  }

  /** {@return the loss's providers that run here; others are run by Python programs} */
  private static List<Provider> providers(MeasuredLoss loss) {
    return loss.listed().gpu().providers().stream()
        .flatMap(name -> PROVIDERS.stream().filter(provider -> provider.name.equals(name)))
        .toList();
  }

  /** Measures and prints the cases; returns how many failed. */
  int measure(Map<MeasuredLoss, List<String>> shapes, List<Figure> figures) {
    int failed = 0;
    for (MeasuredLoss loss : shapes.keySet()) {
      for (String shape : shapes.get(loss)) {
        out.printf("%n%s %s%n", loss, shape);
        double baseline = Double.NaN;
        for (Provider provider : providers(loss)) {
          if (provider.isBaseline()) {
            baseline = Double.NaN;
          }
          try {
            Figure figure = measure(loss, shape, provider);
            figures.add(figure);
            if (provider.isBaseline()) {
              baseline = figure.p50();
            }
            print(figure, baseline);
          } catch (RuntimeException e) { // out of memory, too: it is a gap, not a zero
            out.printf("  %-18s FAILED: %s%n", provider.name, firstLine(e));
            failed++;
          }
          out.flush();
        }
      }
    }
    return failed;
  }

  private Figure measure(MeasuredLoss loss, String text, Provider provider) {
    torch.globalContext().setAllowTF32CuBLAS(provider.allowsTf32());
    try (PointerScope temporaries = new PointerScope()) {
      CaseShape shape = CaseShape.parse(text);
      LossCase onGpu = LossCase.of(loss, shape, provider.formulasName).on(CudaGpu.device());
      if (provider.isMixedPrecision()) {
        onGpu = onGpu.inMixedPrecision();
      }
      LossCase.Errors errors =
          onGpu
              .errorsBesideCpu(onGpu.call(Pass.FULL))
              .requireWithin(new LossCase.Errors(provider.limit(), provider.limit()));
      double extra = CudaGpu.peakBytes(onGpu::enqueue) - onGpu.gradientBytes();
      CudaGpu.Times times = gpu.time(onGpu::enqueue, RUNS);
      return new Figure(
          loss,
          text,
          provider.name,
          Pass.FULL.id,
          times.p20(),
          times.p50(),
          times.p80(),
          Math.max(0, extra) / (1 << 20),
          errors,
          productsOnly(loss.formulas().work(shape, Pass.FULL, "")),
          "");
    } finally {
      torch.globalContext().setAllowTF32CuBLAS(false);
      torch.emptyCache();
    }
  }

  /** Rates are those of the least that the algorithm must do, not of what a provider did. */
  private void print(Figure figure, double baseline) {
    double seconds = 1e-3 * figure.p50();
    String ratio =
        Double.isNaN(baseline) ? "-" : String.format(Locale.ROOT, "%.2fx", baseline / figure.p50());
    out.printf(
        Locale.ROOT,
        "  %-18s %9.3f ms  (%.3f - %.3f)  %7s  %5.0f GB/s  %6.2f TFLOP/s  %3.0f %% of roofline"
            + "  %8.1f MiB  gradient error %.1e%n",
        figure.provider(),
        figure.p50(),
        figure.p20(),
        figure.p80(),
        ratio,
        1e-9 * figure.work().bytes() / seconds,
        1e-12 * figure.work().operations() / seconds,
        100 * figure.work().limitSeconds(limits()) / seconds,
        figure.peakMebibytes(),
        figure.errors().gradient());
  }

  /** The copy, and the data sheet's rate of f32 for all products. */
  Limits limits() {
    return new Limits(gpu.f32PerSecond(), gpu.f32PerSecond(), copyRate);
  }

  /** A GPU's exponentials have units of their own. */
  private static Work productsOnly(Work work) {
    return new Work(work.f32Products(), work.f64Products(), 0, 0, work.bytes());
  }

  private static String firstLine(RuntimeException error) {
    return String.valueOf(error.getMessage()).lines().findFirst().orElse(error.toString());
  }
}
