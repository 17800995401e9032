/** Checks of the losses against stored values and against their references. Not API. */
@NullMarked
package org.structkd.verify;

import org.jspecify.annotations.NullMarked;
