package org.structkd.data;

import java.nio.file.Path;

/**
 * A photograph and the classes of its pixels, as two files.
 *
 * @param name what messages call it, without endings
 * @param image the photograph
 * @param mask the classes
 */
record ImagePair(String name, Path image, Path mask) {}
