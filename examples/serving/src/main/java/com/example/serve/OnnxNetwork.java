package com.example.serve;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** An ONNX file in ONNX Runtime. */
final class OnnxNetwork implements Network {
  private final OrtSession session;
  private final Map<String, OnnxTensor> inputs = new LinkedHashMap<>();

  OnnxNetwork(Path file, Exported exported) throws OrtException {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    session = environment.createSession(file.toString());
    for (Map.Entry<String, Exported.Numbers> input : exported.inputs().entrySet()) {
      Exported.Numbers numbers = input.getValue();
      inputs.put(
          input.getKey(),
          numbers.isWhole()
              ? OnnxTensor.createTensor(
                  environment, numbers.bytes().asLongBuffer(), numbers.shape())
              : OnnxTensor.createTensor(
                  environment, numbers.bytes().asFloatBuffer(), numbers.shape()));
    }
  }

  @Override
  public Map<String, FloatBuffer> run() throws OrtException {
    try (OrtSession.Result result = session.run(inputs)) {
      Map<String, FloatBuffer> outputs = new LinkedHashMap<>();
      result.forEach(output -> outputs.put(output.getKey(), floats(output.getValue())));
      outputs.values().removeIf(Objects::isNull);
      return outputs;
    }
  }

  /** A copy, as the result is released; null where the output is none of floats. */
  private static FloatBuffer floats(OnnxValue value) {
    return value instanceof OnnxTensor tensor ? tensor.getFloatBuffer() : null;
  }

  @Override
  public void close() throws OrtException {
    inputs.values().forEach(OnnxTensor::close);
    session.close();
  }
}
