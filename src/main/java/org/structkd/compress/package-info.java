/** How a student becomes smaller than its shape: weights that are left out. */
@NullMarked
package org.structkd.compress;

import org.jspecify.annotations.NullMarked;
