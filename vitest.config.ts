import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/stage/servers.ts'],
    pool: 'forks',
    // Two cores: more would make the servers under test wait for the tests.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/stage/reporter.ts'],
  },
})
