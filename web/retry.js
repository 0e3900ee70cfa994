/** Looks again in a moment: what this page stands for could not be read. */
setTimeout(() => location.reload(), 5_000)
