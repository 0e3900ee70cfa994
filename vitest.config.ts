import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { filesByProject } from './test/stage/projects.ts'
import { LongestFirst } from './test/stage/sequence.ts'

const files = filesByProject(fileURLToPath(new URL('.', import.meta.url)))

export default defineConfig({
  test: {
    pool: 'forks',
    // More than there are cores: journeys mostly wait, for a retry, a deadline, or an answer that never comes.
    maxWorkers: 4,
    // No test is that slow, and a wait for what never comes ends by itself before. A machine may be.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/stage/reporter.ts'],
    // Without isolation the files of a worker share its modules: the SDK and mongoose take seconds to load.
    projects: [
      {
        extends: true,
        test: { name: 'served', include: files.served, isolate: false, globalSetup: ['test/stage/servers.ts'] },
      },
      { extends: true, test: { name: 'mocking', include: files.mocking } },
      { extends: true, test: { name: 'pure', include: files.pure, isolate: false } },
    ],
  },
})
