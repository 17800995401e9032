package org.structkd;

/** Why native code refused or failed. All but {@link #LIBRARY} are statuses of the C API. */
public enum Status {
  /** A pointer that must be given was null. */
  NULL,
  /** Rank, size or stride does not fit. */
  SHAPE,
  /** An element type that the argument cannot have. */
  DTYPE,
  /** A parameter outside its range. */
  VALUE,
  /** A workspace that is not aligned. */
  WORKSPACE,
  /** No such backend, or it lacks the loss. */
  BACKEND,
  /** A CUDA call failed. */
  CUDA,
  /** A defect of the library, or an error of LibTorch itself. */
  INTERNAL,
  /** The native libraries are missing on this platform or could not be loaded. */
  LIBRARY
}
