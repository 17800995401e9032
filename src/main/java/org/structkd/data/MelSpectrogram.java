package org.structkd.data;

/**
 * Logarithms of the energy in bands of frequency over time, of speech at 8,000 samples a second.
 *
 * <pre>{@code
 * frame t      samples 128 t to 128 t + 255: 32 ms, every 16 ms
 * w(n)         0.5 - 0.5 cos(2 pi n / 256), Hann's window, periodic
 * P(t, k)      |sum over n of x(128 t + n) w(n) exp(-2 pi i k n / 256)|^2,  k = 0 .. 128
 * mel(f)       2595 log10(1 + f / 700)
 * band m       a triangle over f, of height 1 at the m-th and 0 at its neighbours of mels + 2
 *              frequencies, 0 to 4,000 Hz, evenly spaced in mel
 * S(m, t)      ln(1e-6 + sum over k of band_m(31.25 k) P(t, k))
 * }</pre>
 *
 * <p>Samples that do not fill a frame at the end are left out; a recording shorter than a frame has
 * one, filled with zeros. Threads: immutable, may be shared.
 *
 * <p>Source: mel scale and triangular filters as in S. Young et al., "The HTK Book", version 3.4,
 * 5.4 and 5.6; triangles are straight over frequency, as in librosa and torchaudio, where HTK's are
 * over mel. A frame of 32 ms is a power of two of samples. 1e-6 lies below the energy that rounding
 * to 16 bits leaves in a band.
 */
final class MelSpectrogram {
  /** Samples of a frame, a power of two. */
  static final int WINDOW = 256;

  /** Samples from one frame to the next. */
  static final int HOP = 128;

  private static final int BINS = WINDOW / 2 + 1;
  private static final double FLOOR = 1e-6;
  private static final double[] HANN = new double[WINDOW];
  private static final double[] COSINE = new double[WINDOW];
  private static final double[] SINE = new double[WINDOW];

  static {
    for (int n = 0; n < WINDOW; n++) {
      COSINE[n] = StrictMath.cos(2 * Math.PI * n / WINDOW);
      SINE[n] = StrictMath.sin(2 * Math.PI * n / WINDOW);
      HANN[n] = 0.5 - 0.5 * COSINE[n];
    }
  }

  /** Weight of each bin in each band, [mels][BINS]. */
  private final double[][] bands;

  /**
   * Makes the bands.
   *
   * @param mels how many, 1 or more
   * @throws IllegalArgumentException if they are so narrow that one has no frequency of a frame
   */
  MelSpectrogram(int mels) {
    if (mels < 1 || mels >= BINS) {
      throw new IllegalArgumentException(
          "speech: mels is %d, expected 1 to %d".formatted(mels, BINS - 1));
    }
    bands = new double[mels][BINS];
    double top = mel(WavFile.RATE / 2.0);
    for (int band = 0; band < mels; band++) {
      double low = hertz(top * band / (mels + 1));
      double middle = hertz(top * (band + 1) / (mels + 1));
      double high = hertz(top * (band + 2) / (mels + 1));
      double sum = 0;
      for (int bin = 0; bin < BINS; bin++) {
        double f = (double) bin * WavFile.RATE / WINDOW;
        double slope = Math.min((f - low) / (middle - low), (high - f) / (high - middle));
        bands[band][bin] = Math.max(0, slope);
        sum += bands[band][bin];
      }
      if (sum == 0) {
        throw new IllegalArgumentException(
            ("speech: mels is %d, expected fewer: the band of %.0f to %.0f Hz lies between two"
                    + " frequencies of a frame")
                .formatted(mels, low, high));
      }
    }
  }

  private static double mel(double hertz) {
    return 2595 * StrictMath.log10(1 + hertz / 700);
  }

  private static double hertz(double mel) {
    return 700 * (StrictMath.pow(10, mel / 2595) - 1);
  }

  /** {@return how many frames a recording has} */
  static int frames(int samples) {
    return 1 + Math.max(0, samples - WINDOW) / HOP;
  }

  /** {@return S of a recording, [mels][frames]} */
  float[][] of(float[] samples) {
    int frames = frames(samples.length);
    float[][] result = new float[bands.length][frames];
    double[] real = new double[WINDOW];
    double[] imaginary = new double[WINDOW];
    for (int frame = 0; frame < frames; frame++) {
      for (int n = 0; n < WINDOW; n++) {
        int at = frame * HOP + n;
        real[n] = at < samples.length ? samples[at] * HANN[n] : 0;
        imaginary[n] = 0;
      }
      transform(real, imaginary);
      for (int band = 0; band < bands.length; band++) {
        double energy = 0;
        for (int bin = 0; bin < BINS; bin++) {
          double power = real[bin] * real[bin] + imaginary[bin] * imaginary[bin];
          energy += bands[band][bin] * power;
        }
        result[band][frame] = (float) StrictMath.log(FLOOR + energy);
      }
    }
    return result;
  }

  /** The fast Fourier transform of Cooley and Tukey (1965), in place, for a power of two. */
  static void transform(double[] real, double[] imaginary) {
    int n = real.length;
    for (int i = 1, j = 0; i < n; i++) { // the order of reversed bits
      int bit = n >> 1;
      for (; (j & bit) != 0; bit >>= 1) {
        j ^= bit;
      }
      j ^= bit;
      if (i < j) {
        swap(real, i, j);
        swap(imaginary, i, j);
      }
    }
    for (int length = 2; length <= n; length <<= 1) {
      int turn = WINDOW / length;
      for (int start = 0; start < n; start += length) {
        for (int k = 0; k < length / 2; k++) {
          int even = start + k;
          int odd = even + length / 2;
          double c = COSINE[k * turn];
          double s = -SINE[k * turn];
          double re = real[odd] * c - imaginary[odd] * s;
          double im = real[odd] * s + imaginary[odd] * c;
          real[odd] = real[even] - re;
          imaginary[odd] = imaginary[even] - im;
          real[even] += re;
          imaginary[even] += im;
        }
      }
    }
  }

  private static void swap(double[] values, int i, int j) {
    double kept = values[i];
    values[i] = values[j];
    values[j] = kept;
  }
}
