package com.example.serve;

import java.nio.FloatBuffer;
import java.util.Map;

/** A network in some runtime, with the inputs of its example. */
interface Network extends AutoCloseable {
  /** {@return the outputs of floats, by name} Whole numbers are left out. */
  Map<String, FloatBuffer> run() throws Exception;
}
