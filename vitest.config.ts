import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { filesByNeed } from './test/stage/projects.ts'
import { LongestFirst } from './test/stage/sequence.ts'

const files = filesByNeed(fileURLToPath(new URL('.', import.meta.url)))

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
    // Without isolation the files of a worker share its modules: the SDK and mongoose take seconds to load. Served and pure
    // files are one project, since a worker that is given a file of another one is ended, and the next loads all again.
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: [...files.served, ...files.pure],
          isolate: false,
          globalSetup: ['test/stage/servers.ts'],
        },
      },
      { extends: true, test: { name: 'mocking', include: files.mocking } },
    ],
  },
})
