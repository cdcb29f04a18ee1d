/** Signatures first. */
