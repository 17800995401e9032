/**
 * How a student becomes smaller than its shape: weights that are left out, and numbers of 8 bits.
 */
@NullMarked
package org.structkd.compress;

import org.jspecify.annotations.NullMarked;
