/**
 * Every promise of a run keeps the stack it was made with, each frame mapped to its source, for Temporal UI's stack
 * trace. That mapping is a good part of a workflow task's processor time, and its text most of what a waiting order
 * weighs. Five frames still tell where a run waits. To be loaded before all else: globals are frozen after that.
 */
Error.stackTraceLimit = 5

export {}
