/** Loading of and calls into native code. Not API: may change in any release. */
@NullMarked
package org.structkd.internal;

import org.jspecify.annotations.NullMarked;
