/** Times the losses side by side with the same formulas composed of LibTorch operators. */
package org.structkd.bench;
