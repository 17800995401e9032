package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.structkd.testing.Refusals.refused;

import org.junit.jupiter.api.Test;

/** The numbers of spectrograms. */
class MelSpectrogramTest {
  /** Two tones and noise of a formula. */
  private static float[] made(int samples) {
    float[] values = new float[samples];
    for (int n = 0; n < samples; n++) {
      values[n] =
          (float)
              (0.5 * Math.sin(2 * Math.PI * 440 * n / 8000)
                  + 0.1 * Math.cos(2 * Math.PI * 2500 * n / 8000 + 1)
                  + 0.001 * (n * 7919 % 101 - 50) / 50);
    }
    return values;
  }

  /**
   * Stored numbers of the formula in numpy 2, f64: {@code rfft} of frames times Hann's window,
   * bands by {@code interp}.
   */
  @Test
  void numbersAreThoseOfNumpy() {
    double[] first = {
      -6.22886266,
      7.00449641,
      6.07456251,
      -9.54959663,
      -7.64759586,
      -7.49500861,
      3.9346816,
      2.3329729
    };
    double[] last = {
      -6.20963862,
      7.00443718,
      6.07454196,
      -9.55781722,
      -7.64805613,
      -7.49581153,
      3.93511019,
      2.33324381
    };
    float[][] energies = new MelSpectrogram(8).of(made(1000));
    double sum = 0;
    for (int band = 0; band < 8; band++) {
      assertEquals(6, energies[band].length);
      assertEquals(first[band], energies[band][0], 1e-4);
      assertEquals(last[band], energies[band][5], 1e-4);
      for (float energy : energies[band]) {
        sum += energy;
      }
    }
    assertEquals(-69.4409943308834, sum, 1e-3);
  }

  @Test
  void aShortRecordingIsFilledWithZerosAndSilenceIsTheFloor() {
    float[] padded = new float[256];
    System.arraycopy(made(100), 0, padded, 0, 100);
    MelSpectrogram mel = new MelSpectrogram(8);
    assertEquals(mel.of(padded)[1][0], mel.of(made(100))[1][0]);
    assertEquals(Math.log(1e-6), mel.of(new float[300])[7][0], 1e-5);
    assertEquals(1, MelSpectrogram.frames(383));
    assertEquals(2, MelSpectrogram.frames(384));
  }

  @Test
  void bandsWithoutAFrequencyAreRefused() {
    refused("speech: mels is 0, expected 1 to 128", () -> new MelSpectrogram(0));
    refused(
        "speech: mels is 100, expected fewer: the band of 0 to 27 Hz lies between two frequencies of"
            + " a frame",
        () -> new MelSpectrogram(100));
  }
}
